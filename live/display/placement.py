"""Where a picture goes in an area of pixels: whole, filling it, stretched, or pixel by pixel. Integers throughout."""

from typing import Literal, NamedTuple

Scaling = Literal["fit", "fill", "stretch", "1:1"]
Size = tuple[int, int]
"""Width and height in pixels."""


class Rectangle(NamedTuple):
    """Pixels of an area, from its top left corner; it may reach beyond the area."""

    left: int
    top: int
    width: int
    height: int

    def within(self, area: Size) -> "Rectangle":
        """The part of it that lies in the area; width or height 0 where none does."""
        left, top = max(self.left, 0), max(self.top, 0)
        right, bottom = min(self.left + self.width, area[0]), min(self.top + self.height, area[1])
        return Rectangle(left, top, max(right - left, 0), max(bottom - top, 0))


def place(picture: Size, area: Size, scaling: Scaling) -> Rectangle:
    """Where a picture is drawn in an area, in its middle.

    fit: the whole picture, as large as it goes. fill: no empty border; what does not fit is cut off at both sides alike.
    stretch: exactly the area, at any aspect. 1:1: a pixel of the picture is a pixel of the area.
    All but `stretch` keep the picture's aspect to the nearest pixel.
    """
    width, height = picture
    if scaling == "stretch":
        width, height = area
    elif scaling != "1:1":
        wider = width * area[1] > area[0] * height  # the picture is wider than the area
        if wider == (scaling == "fit"):
            width, height = area[0], _share(area[0] * height, width)
        else:
            width, height = _share(area[1] * width, height), area[1]
    return Rectangle((area[0] - width) // 2, (area[1] - height) // 2, width, height)


def _share(dividend: int, divisor: int) -> int:
    """The quotient, rounded to the nearest, at least one pixel."""
    return max((2 * dividend + divisor) // (2 * divisor), 1)
