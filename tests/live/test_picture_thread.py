"""Images on their way from a stand-in for a card, which computes and copies when a test says so."""

import hashlib
import threading

import numpy as np
import pytest
import torch

from live.show.engine import AnalysedTick
from live.show.notices import Notices
from live.show.picture_thread import PictureThread
from shared.picture import Picture
from shared.pipeline import Tick
from tests.live.osc_client import until

pytestmark = pytest.mark.usefixtures("unchecked")


def tick(number, value=None):
    latent = np.full(3, number if value is None else value, np.float32)
    picture = Picture("g", latent, "z", 1.0, 0.0, (0.0, 0.0), 1.0)
    return AnalysedTick(Tick(number, np.zeros(23), picture, "", 0.0), 0.0, 0.0, np.zeros(23), 0.0)


class Copy:
    """An image of the stand-in, on its way to the host."""

    def __init__(self, image, card):
        self._image, self._card, self.value = image, card, int(image[0, 0, 0])
        self.copy_s = 0.001 * (self.value + 1)

    def computed(self):
        self._card.wait("computed", self.value)

    def result(self):
        self._card.wait("copied", self.value)
        return self._image.numpy()


class Card:
    """A painter and the copies from its card. `held` are the steps that wait, `broken` those that fail."""

    def __init__(self):
        self.log, self.held, self.broken = [], set(), set()
        self._changed = threading.Condition()

    def paint(self, picture):
        value = int(picture.latent[0])
        self.log.append(("started", value))
        return torch.full((2, 2, 3), value, dtype=torch.uint8)

    def download(self, image):
        return Copy(image, self)

    def wait(self, step, value):
        with self._changed:
            assert self._changed.wait_for(lambda: (step, value) not in self.held, 10)
            self.log.append((step, value))
            if (step, value) in self.broken:
                raise RuntimeError(f"{step} {value} failed")

    def release(self, step, value):
        with self._changed:
            self.held.remove((step, value))
            self._changed.notify_all()


@pytest.fixture
def show():
    """(card, thread, the images handed on, hashes, notices); started."""
    card, images, hashes, notices = Card(), [], {}, Notices()
    thread = PictureThread(card, images.append, notices, hashes, card.download)
    thread.start()
    yield card, thread, images, hashes, notices
    for step, value in list(card.held):
        card.release(step, value)
    thread.close()


def has(card, *steps):
    return until(lambda: set(steps) <= set(card.log))


def test_the_next_image_is_computed_while_one_is_copied(show):
    card, thread, images, hashes, _ = show
    card.held = {("copied", 0), ("computed", 1)}
    thread.offer(tick(0))
    assert has(card, ("computed", 0))
    thread.offer(tick(1))
    assert has(card, ("started", 1))  # image 0 is not copied yet
    card.release("computed", 1)
    assert has(card, ("computed", 1))
    thread.offer(tick(2))
    thread.offer(tick(3))
    assert ("started", 2) not in card.log  # two are on their way: no third one
    assert images == []
    card.release("copied", 0)
    assert until(lambda: len(images) == 3)
    assert [image.number for image in images] == [0, 1, 3]  # the newest of those that waited
    assert [int(image.image[0, 0, 0]) for image in images] == [0, 1, 3]
    assert [image.copy_s for image in images] == pytest.approx([0.001, 0.002, 0.004])
    assert hashes == {n: hashlib.sha256(bytes([n] * 12)).hexdigest() for n in (0, 1, 3)}
    assert until(lambda: (thread.painted, thread.dropped) == (3, 1))


def test_an_image_that_is_still_computed_keeps_the_next_tick_waiting(show):
    """So that the tick painted after it is the newest one."""
    card, thread, images, *_ = show
    card.held = {("computed", 0)}
    for number in range(5):
        thread.offer(tick(number))
        assert has(card, ("started", 0))
    card.release("computed", 0)
    assert until(lambda: len(images) == 2)
    assert [image.number for image in images] == [0, 4]


def test_equal_pictures_are_painted_and_copied_once(show):
    card, thread, images, hashes, _ = show
    for number in range(4):
        thread.offer(tick(number, value=7))
        assert until(lambda number=number: len(images) == number + 1)
    assert card.log.count(("started", 7)) == 1
    assert [image.number for image in images] == [0, 1, 2, 3]
    assert [image.copy_s for image in images] == pytest.approx([0.008, 0, 0, 0])
    assert len(set(hashes.values())) == 1


@pytest.mark.parametrize("step", ["computed", "copied"])
def test_an_error_costs_one_picture(show, step):
    card, thread, images, _, notices = show
    card.broken = {(step, 1)}
    for number in range(3):
        thread.offer(tick(number))
        assert until(lambda number=number: thread.painted + thread.dropped == number + 1)
    assert [image.number for image in images] == [0, 2]
    assert [notice.text for notice in notices.take()] == [f"cannot paint: {step} 1 failed; the last picture stays"]
    card.broken = set()
    thread.offer(tick(3, value=1))
    assert until(lambda: len(images) == 3)


def test_an_error_while_an_image_is_handed_on_costs_one_picture():
    images, notices = [], Notices()

    def receive(image):
        if image.number in (1, 2, 3):  # more than may be on their way
            raise ValueError(f"no place for {image.number}")
        images.append(image.number)

    card = Card()
    thread = PictureThread(card, receive, notices, None, card.download)
    thread.start()
    for number in range(5):
        thread.offer(tick(number))
        assert until(lambda number=number: thread.painted + thread.dropped == number + 1)
    thread.close()
    assert images == [0, 4]
    assert (thread.painted, thread.dropped) == (2, 3)
    assert notices.take()[0].text == "cannot paint: no place for 1; the last picture stays"


@pytest.mark.parametrize("step", ["computed", "copied"])
def test_a_card_that_cannot_even_free_its_memory_ends_no_thread(show, monkeypatch, step):
    def refuse():
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", refuse)
    card, thread, images, *_ = show
    card.broken = {(step, number) for number in range(3)}
    for number in range(4):
        thread.offer(tick(number))
        assert until(lambda number=number: thread.painted + thread.dropped == number + 1)
    assert [image.number for image in images] == [3]


def test_the_end_waits_for_images_on_their_way(show):
    card, thread, images, *_ = show
    card.held = {("copied", 0)}
    thread.offer(tick(0))
    assert has(card, ("computed", 0))
    closing = threading.Thread(target=thread.close)
    closing.start()
    assert closing.is_alive()
    card.release("copied", 0)
    closing.join(5)
    thread.offer(tick(1))
    assert [image.number for image in images] == [0]
    assert (thread.painted, thread.dropped) == (1, 1)
