"""The placement of pictures: every scaling and size, to the pixel."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from live.display.canvas import pack
from live.display.placement import place

SIDES = st.integers(1, 9000)
SIZES = st.tuples(SIDES, SIDES)


def check_middle(rectangle, area):
    """Centred, with an odd pixel on the right and at the bottom."""
    assert 0 <= area[0] - rectangle.width - 2 * rectangle.left <= 1
    assert 0 <= area[1] - rectangle.height - 2 * rectangle.top <= 1


def almost_fills(picture, area):
    """Whether less than two pixels and 2 % of a side would be cut off."""
    factor = max(Fraction(area[0], picture[0]), Fraction(area[1], picture[1]))
    lost = [side - length / factor for side, length in zip(picture, area, strict=True)]
    return all(cut < min(2, Fraction(side, 50)) for cut, side in zip(lost, picture, strict=True))


@given(SIZES, SIZES)
@example((1024, 1024), (1920, 1080))
@example((456, 256), (1920, 1080))
@example((1, 9000), (9000, 1))
@pytest.mark.parametrize("scaling", ["fit", "fill"])
def test_the_aspect_is_kept_to_the_nearest_pixel(scaling, picture, area):
    got = place(picture, area, scaling)
    is_cropped = scaling == "fill" or almost_fills(picture, area)
    factor = (max if is_cropped else min)(Fraction(area[0], picture[0]), Fraction(area[1], picture[1]))
    for pixels, side in zip((got.width, got.height), picture, strict=True):
        assert pixels == 1 or abs(pixels - side * factor) <= Fraction(1, 2)
    assert got.width == area[0] or got.height == area[1]
    check_middle(got, area)
    visible = got.within(area)
    assert (visible[2:] == area) if is_cropped else (visible == got)


@given(SIZES, SIZES)
def test_stretched_is_the_area_itself(picture, area):
    assert place(picture, area, "stretch") == (0, 0, *area)


@given(SIZES, SIZES)
def test_one_to_one_keeps_the_pixels(picture, area):
    got = place(picture, area, "1:1")
    assert got[2:] == picture
    check_middle(got, area)
    assert got.within(area)[2:] == (min(picture[0], area[0]), min(picture[1], area[1]))


@pytest.mark.parametrize(
    ("picture", "area", "scaling", "expected"),
    [
        ((1024, 1024), (1920, 1080), "fit", (420, 0, 1080, 1080)),
        ((1024, 1024), (1920, 1080), "fill", (0, -420, 1920, 1920)),
        ((456, 256), (1920, 1080), "fit", (-2, 0, 1924, 1080)),  # 16:9, rounded up: no lines above and below
        ((256, 456), (1080, 1920), "fit", (0, -2, 1080, 1924)),
        ((440, 256), (1920, 1080), "fit", (32, 0, 1856, 1080)),
        ((128, 128), (1081, 1920), "fit", (0, 419, 1081, 1081)),
        ((1920, 1080), (1024, 768), "fit", (0, 96, 1024, 576)),
        ((512, 512), (100, 101), "1:1", (-206, -206, 512, 512)),
    ],
)
def test_known_places(picture, area, scaling, expected):
    assert place(picture, area, scaling) == expected


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))), st.booleans())
def test_pixels_are_packed_into_words(image, turned):
    image = image.transpose(1, 0, 2) if turned else image  # not contiguous
    words = np.zeros(image.shape[:2], np.uint32)
    pack(image, words)
    assert np.array_equal(words[..., None].view(np.uint8)[..., :3], image)
