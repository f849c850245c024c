"""The head-up display without a window: its content, when it is redrawn, and robustness."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from live.display.base import OffscreenDisplay, compose
from live.display.hud import ERROR_LINES, ERROR_SECONDS, Hud
from live.display.hud_page import BARS_LEFT, FAINT, GROUPS, PANEL, RIGHT, SHAPE, HudPage
from live.display.hud_state import HudState
from live.display.hud_text import Typeface
from shared.audio.descriptors import DESCRIPTORS

pytestmark = pytest.mark.slow

AREA = (960, 540)
STATE = HudState(
    preset="glass",
    fps=29.97,
    latency_ms=92.0,
    level_db=-18.0,
    peak_db=-7.0,
    sounding=True,
    names=DESCRIPTORS,
    descriptors=tuple(np.linspace(-3, 3, 23)),
    distance=1.84,
    clock="live",
)


def panel(state, area=AREA, scale=1.0):
    return HudPage(area, scale, state.names).draw(state, ())[0].image


def bar_ends(image, colours):
    """The leftmost and the rightmost pixel of each bar."""
    columns = [np.flatnonzero((image[:, :, :3] == colour[:3]).all(-1).any(0)) for colour in colours]
    return [(found.min(), found.max() + 1) for found in columns]


def test_a_bar_is_as_long_as_its_descriptor():
    colour_of = dict(GROUPS)
    names = ("centroid", "mfcc1", "loudness")
    for values in ((3, -3, 0.75), (-1.5, 9, -math.inf)):
        state = replace(STATE, names=names, descriptors=values, sounding=False, level_db=-math.inf, peak_db=-math.inf)
        page = HudPage(AREA, 1.0, names)
        row = page.row_height
        left, right = BARS_LEFT * row, RIGHT * row
        middle, half = (left + right) / 2, (right - left) / 2
        ends = bar_ends(page.draw(state, ())[0].image, [SHAPE, colour_of["mfcc"], colour_of["loudness"]])
        for (first, last), value in zip(ends, values, strict=True):
            end = middle + half * min(max(value, -3), 3) / 3
            assert abs(first - min(middle, end)) <= 1
            assert abs(last - max(middle, end)) <= 1


@pytest.mark.parametrize("background", [0, 128, 255])
def test_it_can_be_read_over_any_picture(background):
    """The contrast of its fainter texts is at least that of good print, 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    shade = (PANEL[0] * PANEL[3] + background * (255 - PANEL[3])) / 255
    assert (luminance(FAINT[0]) + 0.05) / (luminance(shade) + 0.05) >= 4.5


def luminance(grey):
    """Of an sRGB grey, relative to white (IEC 61966-2-1)."""
    value = grey / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def test_it_leaves_the_square_picture_free_on_a_wide_screen():
    for area in (AREA, (1280, 720), (1920, 1080), (3840, 2160)):
        overlay = HudPage(area, 1.0, DESCRIPTORS).draw(STATE, ())[0]
        assert overlay.left + overlay.image.shape[1] <= (area[0] - area[1]) // 2
        assert overlay.top + overlay.image.shape[0] <= area[1]


@pytest.mark.parametrize("area", [(1, 1), (60, 2000), (300, 200), (640, 480), (5000, 300)])
@pytest.mark.parametrize("names", [(), DESCRIPTORS, ("a very long name of an input",) * 40])
def test_any_screen_and_any_content(area, names):
    state = HudState(
        preset="Verre brisé, été \N{CJK UNIFIED IDEOGRAPH-7EFF}" * 9,
        fps=-math.inf,
        level_db=math.nan,
        peak_db=math.inf,
        names=names,
        descriptors=(math.nan, math.inf, -math.inf, 1e300),
        recording_s=1e6,
        frozen=True,
        blackout=True,
    )
    overlays = HudPage(area, 1.0, names).draw(state, ("one\nline", "x" * 1000, ""))
    assert [overlay.image.shape[2] for overlay in overlays] == [4, 4]


def test_texts_are_in_letters_that_the_font_has():
    face = Typeface(20)
    assert face.length("Verre brisé") == face.length("Verre brise")
    assert face.length("\N{CJK UNIFIED IDEOGRAPH-7EFF}") == face.length("?")
    assert face.length(face.shortened("a long line of text", 60)) <= 60
    assert face.shortened("short", 600) == "short"


def test_it_is_redrawn_at_most_ten_times_a_second():
    hud = Hud()
    hud.inform(STATE, 0.0)
    first = hud.overlays(AREA, 1.0, 0.0)
    hud.inform(replace(STATE, fps=10.0), 0.01)
    assert hud.overlays(AREA, 1.0, 0.05) is first
    second = hud.overlays(AREA, 1.0, 0.11)
    assert not np.array_equal(second[0].image, first[0].image)
    assert hud.overlays(AREA, 1.0, 5.0) is second  # nothing new
    assert hud.overlays((961, 540), 1.0, 5.0) is not second  # another size, at once


def test_an_error_is_shown_for_some_seconds():
    hud = Hud()
    hud.inform(replace(STATE, errors=("the card is gone",)), 0.0)
    assert len(hud.overlays(AREA, 1.0, 0.0)) == 2
    hud.inform(replace(STATE, errors=()), 1.0)
    assert len(hud.overlays(AREA, 1.0, ERROR_SECONDS - 0.1)) == 2
    assert len(hud.overlays(AREA, 1.0, ERROR_SECONDS + 0.1)) == 1
    hud.inform(replace(STATE, errors=("the card is gone",)), 20.0)
    assert len(hud.overlays(AREA, 1.0, 20.0)) == 2  # once more
    hud.inform(replace(STATE, errors=("the card is gone", "the card is gone")), 40.0)
    assert len(hud.overlays(AREA, 1.0, 40.0)) == 2  # and again, in a list that grows
    hud.inform(replace(STATE, errors=("the card is gone",) * 2), 60.0)
    assert len(hud.overlays(AREA, 1.0, 60.0)) == 1


def test_the_newest_errors_are_shown():
    hud, few = Hud(), Hud()
    hud.inform(replace(STATE, errors=tuple(f"error {i}" for i in range(9))), 0.0)
    few.inform(replace(STATE, errors=tuple(f"error {i}" for i in range(9 - ERROR_LINES, 9))), 0.0)
    strips = [which.overlays(AREA, 1.0, 0.0)[1].image for which in (hud, few)]
    assert np.array_equal(*strips)


def test_a_screen_of_twice_the_pixels_has_letters_of_twice_the_size():
    small, large = panel(STATE), panel(STATE, (1920, 1080), 2.0)
    assert abs(large.shape[1] - 2 * small.shape[1]) <= 1


def test_offscreen_shows_what_a_screen_would():
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (100, 100, 3), np.uint8)
    display = OffscreenDisplay((400, 300), "1:1")
    assert not display.screenshot().any()
    display.show(picture)
    display.draw()
    shot = display.screenshot()
    assert np.array_equal(shot[100:200, 150:250], picture)
    assert shot.sum() == picture.sum()  # black around
    assert display.events() == display.errors() == []
    display.hud_visible = True
    display.inform(STATE)
    assert (display.screenshot() != shot).any()
    display.close()


def test_offscreen_scales_like_pillow():
    picture = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    whole = Image.fromarray(picture).resize((300, 300), Image.Resampling.BICUBIC)
    assert np.array_equal(compose(picture, (400, 300), "fit", ())[:, 50:350], np.asarray(whole))
    middle = compose(picture, (300, 200), "fill", ())
    assert np.abs(middle.astype(int) - np.asarray(whole)[50:250]).max() <= 1


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_a_wrong_array_is_reported_and_the_last_picture_stays(image):
    display = OffscreenDisplay((4, 4))
    picture = np.full((4, 4, 3), 7, np.uint8)
    display.show(picture)
    for _ in range(3):
        display.show(image)
    assert len(display.errors()) == 1  # a repeated error is reported once
    assert np.array_equal(display.screenshot(), picture)
