"""Places a picture in an area of pixels: fitted, filling, stretched or 1:1. Integers throughout."""

from typing import Literal, NamedTuple

Scaling = Literal["fit", "fill", "stretch", "1:1"]
Size = tuple[int, int]
"""Width and height in pixels."""


class Rectangle(NamedTuple):
    """A rectangle in pixels, relative to the top left corner of an area; it may extend beyond the area."""

    left: int
    top: int
    width: int
    height: int

    def within(self, area: Size) -> "Rectangle":
        """The part inside the area; width or height is 0 if there is none."""
        left, top = max(self.left, 0), max(self.top, 0)
        right, bottom = min(self.left + self.width, area[0]), min(self.top + self.height, area[1])
        return Rectangle(left, top, max(right - left, 0), max(bottom - top, 0))


def place(picture: Size, area: Size, scaling: Scaling) -> Rectangle:
    """The rectangle of a picture, centred in an area.

    fit: the whole picture, as large as possible; one that has almost the area's shape fills it, since pictures of a shape
    are rounded up to whole pixels. fill: no empty border; the rest is cropped equally on both sides.
    stretch: exactly the area, whatever the aspect ratio. 1:1: one pixel of the picture per pixel of the area.
    All but `stretch` keep the aspect ratio to the nearest pixel.
    """
    width, height = picture
    if scaling == "stretch":
        width, height = area
    elif scaling != "1:1":
        wider = width * area[1] > area[0] * height  # the picture is wider than the area
        if wider != (scaling == "fill" or _almost_fills(picture, area)):
            width, height = area[0], _share(area[0] * height, width)
        else:
            width, height = _share(area[1] * width, height), area[1]
    return Rectangle((area[0] - width) // 2, (area[1] - height) // 2, width, height)


def _almost_fills(picture: Size, area: Size) -> bool:
    """Whether a picture that fills an area loses less than two of its pixels, and less than 2 % of its side."""
    for side, other, length, across in ((*picture, *area), (*picture[::-1], *area[::-1])):
        lost = side * across - other * length  # times `across`, in pixels of the picture along `side`
        if lost >= min(2 * across, side * across / 50) and lost > 0:
            return False
    return True


def _share(dividend: int, divisor: int) -> int:
    """The quotient, rounded, at least one pixel."""
    return max((2 * dividend + divisor) // (2 * divisor), 1)
