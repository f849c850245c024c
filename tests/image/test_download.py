"""Downloads of images, on a machine without a card."""

import threading

import numpy as np
import pytest
import torch

from shared.image.download import IN_FLIGHT, Download, downloaded, in_flight


def image_of(number):
    return torch.full((2, 3, 3), number, dtype=torch.uint8)


def test_an_image_on_the_cpu_is_there_already():
    download = Download(image_of(7))
    assert np.array_equal(download.result(), np.full((2, 3, 3), 7, np.uint8))
    assert download.copy_s == 0.0


def test_two_are_started_before_the_first_is_waited_for():
    started = []

    def start(number):
        started.append(number)
        return None if number == 3 else Download(image_of(number))

    for place, (number, image) in enumerate(in_flight(start, range(6))):
        assert number == place
        assert (image is None) == (number == 3)
        assert image is None or (image == number).all()
        assert len(started) == min(6, place + IN_FLIGHT)
    assert list(in_flight(start, [])) == []


@pytest.mark.parametrize("kind", ["cpu", "cuda", "mps"])
def test_every_device_keeps_the_order(kind):
    """ "cuda" selects the order of requests here; no card is used."""
    names = set()

    def start(number):
        names.add(threading.current_thread().name)
        return Download(image_of(number))

    pairs = list(downloaded(start, range(20), torch.device(kind)))
    assert [number for number, _ in pairs] == list(range(20))
    assert all((image == number).all() for number, image in pairs)
    assert (names == {"MainThread"}) == (kind == "cuda")
