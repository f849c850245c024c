"""The part of a sound that a waveform shows: zoom to the pointer, move, follow, a readable ruler."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offline.pairing.timespan import APART, SHORTEST, Timespan

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine


@calm
@given(st.floats(0.2, 4000), st.floats(10, 3000), st.floats(0, 1), st.floats(0.1, 20))
def test_the_second_under_the_pointer_stays_while_zooming_in(length, width, share, factor):
    span = Timespan.whole(length, width).zoomed(2, width / 2)
    pixel = share * width
    closer = span.zoomed(max(1, factor), pixel)
    assert closer.seconds(pixel) == pytest.approx(span.seconds(pixel), abs=1e-6 * length)
    assert closer.end - closer.start >= min(SHORTEST, length) * 0.999


@calm
@given(st.floats(0.2, 4000), st.floats(10, 3000), st.lists(st.floats(-3, 3), max_size=8))
def test_no_move_and_no_zoom_leaves_the_sound(length, width, steps):
    span = Timespan.whole(length, width)
    for step in steps:
        span = span.zoomed(2**step, width / 3).moved(step * length / 4)
        assert -1e-9 <= span.start < span.end <= max(length, SHORTEST) + 1e-9


def test_pixels_and_seconds():
    span = Timespan(10.0, 500.0, 2.0, 7.0)
    assert span.pixel(2.0) == 0
    assert span.pixel(7.0) == 500
    assert span.seconds(250) == 4.5
    assert Timespan.whole(10.0, 500.0).seconds(-40) == 0
    assert Timespan.whole(10.0, 500.0).seconds(900) == 10


def test_it_turns_the_page_when_the_playhead_leaves():
    span = Timespan(60.0, 500.0, 10.0, 20.0)
    assert span.following(15.0) is span
    turned = span.following(20.5)
    assert turned.start < 20.5 < turned.end
    assert turned.end - turned.start == pytest.approx(10.0)


@pytest.mark.parametrize("seconds", [0.1, 1, 7, 29, 125, 600, 3600])
@pytest.mark.parametrize("width", [200, 1280, 1900])
def test_labels_of_the_ruler_are_apart_and_in_the_sound(seconds, width):
    span = Timespan.whole(seconds, width)
    ticks = span.ticks()
    pixels = [span.pixel(second) for second, _ in ticks]
    assert ticks
    assert all(b - a >= APART * 0.999 for a, b in pairwise(pixels))
    assert len({text for _, text in ticks}) == len(ticks)


def test_labels():
    assert [text for _, text in Timespan(200.0, 600.0, 59.0, 67.0).ticks()] == [
        "0:59", "1:00", "1:01", "1:02", "1:03", "1:04", "1:05", "1:06", "1:07",
    ]  # fmt: skip
    assert "0:00.5" in {text for _, text in Timespan.whole(2.0, 600.0).ticks()}


def test_a_sound_of_no_length():
    span = Timespan.whole(0.0, 300.0)
    assert span.seconds(150) == 0
    assert span.ticks()
