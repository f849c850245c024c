"""Cuts squares out of pictures of any shape, and resizes them."""

import re
from dataclasses import dataclass

from PIL import Image

from shared.errors import UserError

FORMS = "centre, grid, grid:ROWS or x,y,w,h in pixels"
MOST_ROWS = 16

Box = tuple[int, int, int, int]
"""Left, upper, right and lower edge in pixels."""


@dataclass(frozen=True)
class Crop:
    """The squares of a picture to use: the centre one, those of a grid, or the centre one of a rectangle."""

    rows: int = 0
    """Of the grid, along the shorter side; 0 for none."""
    rectangle: tuple[int, int, int, int] | None = None
    """Left edge, upper edge, width and height in pixels."""

    @classmethod
    def parse(cls, text: str) -> "Crop":
        """The crop of `--crop`. Raises UserError."""
        if text in ("centre", "center"):
            return cls()
        if found := re.fullmatch(r"grid(?::(\d{1,4}))?", text):
            rows = int(found[1] or 1)
            if 1 <= rows <= MOST_ROWS:
                return cls(rows=rows)
        if found := re.fullmatch(r"(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})", text):
            x, y, width, height = (int(number) for number in found.groups())
            if width and height:
                return cls(rectangle=(x, y, width, height))
        raise UserError(f"--crop {text} given; allowed are {FORMS}, with 1 to {MOST_ROWS} rows")

    def boxes(self, width: int, height: int) -> list[Box]:
        """The squares in a picture of this size. Raises UserError if the rectangle does not lie within it."""
        if self.rectangle:
            x, y, w, h = self.rectangle
            if x + w > width or y + h > height:
                raise UserError(f"--crop {x},{y},{w},{h} reaches beyond its {width} x {height} pixels")
            left, upper, right, lower = centre_square(w, h)
            return [(x + left, y + upper, x + right, y + lower)]
        if not self.rows:
            return [centre_square(width, height)]
        side = max(1, min(width, height) // self.rows)
        return [
            (left, upper, left + side, upper + side) for upper in _starts(height, side) for left in _starts(width, side)
        ]


def centre_square(width: int, height: int) -> Box:
    """The largest square in the centre of a picture; an odd pixel is left over on the right or below."""
    side = min(width, height)
    left, upper = (width - side) // 2, (height - side) // 2
    return left, upper, left + side, upper + side


def resized(image: Image.Image, box: Box, size: int) -> Image.Image:
    """The square `box` of an 8-bit image at `size` x `size` pixels, by Lanczos. No pixel outside the box counts."""
    return image.crop(box).resize((size, size), Image.Resampling.LANCZOS)


def _starts(length: int, side: int) -> list[int]:
    """Start positions of squares that cover `length` pixels from edge to edge, evenly spaced; they may overlap."""
    count = -(-length // side)
    if length - side * (length // side) < max(1, length // 100) and length >= side:
        count = length // side  # a rest of a few pixels is no reason for one more
    return [round(i * (length - side) / max(1, count - 1)) if count > 1 else (length - side) // 2 for i in range(count)]
