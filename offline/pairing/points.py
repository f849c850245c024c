"""Points as anti-aliased discs, blended into an image: the map of sounds in the window and in map.png."""

import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit
from numpy.typing import NDArray

CHANNELS = 4  # blue, green, red and an unused one: Qt's RGB32 on a little-endian machine


def canvas(width: int, height: int, colour: tuple[int, int, int]) -> UInt8[np.ndarray, "h w 4"]:
    """An image of one colour (red, green, blue), 0..255."""
    image = np.empty((height, width, CHANNELS), np.uint8)
    image[...] = (*colour[::-1], 255)
    return image


def draw_points(
    image: UInt8[np.ndarray, "h w 4"],
    places: Float32[np.ndarray, "n 2"],
    colours: UInt8[np.ndarray, "n 3"],
    radius: float,
    opacity: float = 1.0,
) -> None:
    """Blend a disc for each point into the image, the last on top.

    places: pixels from the top left corner, x right and y down; points outside are ignored. colours: red, green, blue.
    radius: pixels, at least 0.5; the edge is anti-aliased over one pixel. opacity: 0..1.
    """
    _splat(image, places, colours, np.float32(max(radius, 0.5)), np.float32(opacity))


def rgb(image: UInt8[np.ndarray, "h w 4"]) -> NDArray[np.uint8]:
    """The image as red, green and blue, (h, w, 3)."""
    return np.ascontiguousarray(image[..., 2::-1])


@njit(cache=True, nogil=True)
def _splat(image, places, colours, radius, opacity):  # type: ignore[no-untyped-def]
    height, width = image.shape[:2]
    reach = radius + np.float32(0.5)
    for number in range(len(places)):
        x, y = places[number, 0], places[number, 1]
        if not (-reach < x < width + reach and -reach < y < height + reach):
            continue
        blue, green, red = colours[number, 2], colours[number, 1], colours[number, 0]
        top, bottom = max(0, int(np.floor(y - reach))), min(height, int(np.ceil(y + reach)))
        left, right = max(0, int(np.floor(x - reach))), min(width, int(np.ceil(x + reach)))
        for row in range(top, bottom):
            below = row + np.float32(0.5) - y
            for column in range(left, right):
                across = column + np.float32(0.5) - x
                cover = reach - np.sqrt(across * across + below * below)
                if cover <= 0:
                    continue
                alpha = min(cover, np.float32(1)) * opacity
                pixel = image[row, column]
                pixel[0] = np.uint8(pixel[0] + alpha * (blue - np.float32(pixel[0])) + np.float32(0.5))
                pixel[1] = np.uint8(pixel[1] + alpha * (green - np.float32(pixel[1])) + np.float32(0.5))
                pixel[2] = np.uint8(pixel[2] + alpha * (red - np.float32(pixel[2])) + np.float32(0.5))
