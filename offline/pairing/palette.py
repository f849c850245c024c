"""The colours of sounds and images on the map, on a dark ground.

Colour maps get steadily lighter, so they work without hue. The 24 colours of images and sounds were chosen to be distinct:
each has the largest distance in OKLab (Ottosson 2020) from those before it, for normal vision and for simulated
deuteranopia and protanopia (Machado, Oliveira and Fernandes 2009).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64, UInt8

RGB = tuple[int, int, int]

GROUND: RGB = (15, 17, 20)
"""The map's background."""
MUTED: RGB = (58, 62, 70)
"""Points that are filtered out, and points without a colour."""
GAP: RGB = (244, 112, 92)
"""Points that are far from every image."""
COVERED: RGB = (66, 76, 90)
"""Points near an image, when gaps are shown."""

DISTINCT: tuple[RGB, ...] = (
    (109, 175, 226),
    (252, 227, 47),
    (196, 60, 11),
    (128, 82, 203),
    (81, 255, 242),
    (224, 149, 52),
    (95, 129, 137),
    (126, 207, 165),
    (139, 129, 254),
    (76, 169, 139),
    (187, 244, 165),
    (84, 215, 245),
    (229, 193, 74),
    (214, 105, 24),
    (173, 111, 197),
    (174, 97, 94),
    (239, 122, 185),
    (121, 100, 164),
    (232, 121, 109),
    (164, 219, 206),
    (119, 224, 132),
    (205, 171, 118),
    (195, 180, 206),
    (153, 98, 219),
)


def colour_map(stops: Sequence[RGB]) -> UInt8[np.ndarray, "256 3"]:
    """256 colours, interpolated between these at equal distances."""
    given = np.array(stops, np.float64)
    place = np.linspace(0, len(given) - 1, 256)
    channels = [np.interp(place, np.arange(len(given)), given[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)


TIME = colour_map([(78, 74, 170), (58, 118, 172), (60, 158, 150), (132, 192, 104), (240, 222, 96)])
"""Early to late."""
VALUE = colour_map([(52, 66, 132), (80, 104, 170), (146, 136, 160), (218, 166, 110), (255, 226, 160)])
"""A little to much: loudness and all other descriptors."""


def ranked(values: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """The rank of each value, 0 the smallest and 1 the largest, which spreads colours evenly."""
    order = np.argsort(values, kind="stable")
    ranks = np.empty(len(values))
    ranks[order] = np.arange(len(values)) / max(1, len(values) - 1)
    return ranks


def along(scale: UInt8[np.ndarray, "256 3"], values: Float64[np.ndarray, "n"]) -> UInt8[np.ndarray, "n 3"]:
    """The colours of values from 0 to 1 on a colour map."""
    return scale[np.clip(values * 255 + 0.5, 0, 255).astype(np.int64)]


def distinct(number: int) -> RGB:
    """The colour of an image or sound by its number, from 0. The colours repeat after 24."""
    return DISTINCT[number % len(DISTINCT)]


def by_number(numbers: Int64[np.ndarray, "n"]) -> UInt8[np.ndarray, "n 3"]:
    """The colours of many images or sounds by their numbers; a muted one for numbers below 0."""
    table = np.array([*DISTINCT, MUTED], np.uint8)
    return table[np.where(numbers < 0, len(DISTINCT), numbers % len(DISTINCT))]
