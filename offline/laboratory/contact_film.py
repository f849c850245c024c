"""A film of many variants side by side: each in a cell with its number and name, on one clock."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

LABEL = 20  # pixels below a cell
GAP = 4
INK, PAPER = (225, 225, 225), (14, 14, 14)
WIDER = 1.5  # columns over rows
LONGEST_LABEL = 30  # characters
LETTERS = (12, 11, 10, 9)  # sizes of a label, the largest first that fits its cell


@dataclass(frozen=True)
class Layout:
    """Cells of `side` pixels in rows of `columns`; labels[i] belongs to cell i."""

    labels: tuple[str, ...]
    side: int = 160

    @property
    def columns(self) -> int:
        """Cells in a row."""
        return min(len(self.labels), ceil(sqrt(len(self.labels) * WIDER)))

    @property
    def rows(self) -> int:
        """Rows of cells."""
        return ceil(len(self.labels) / self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the film in pixels, both even."""
        width, height = self.columns * (self.side + GAP), self.rows * (self.side + LABEL + GAP)
        return width + width % 2, height + height % 2

    def place(self, cell: int) -> tuple[int, int]:
        """Upper left corner of a cell: x, y."""
        row, column = divmod(cell, self.columns)
        return column * (self.side + GAP) + GAP // 2, row * (self.side + LABEL + GAP) + GAP // 2

    @property
    def places(self) -> list[tuple[int, int, int, int]]:
        """Of each cell: left, upper edge, width and height in pixels, with its label."""
        return [(*self.place(cell), self.side, self.side + LABEL) for cell in range(len(self.labels))]

    def sheet(self) -> UInt8[np.ndarray, "h w 3"]:
        """The film without pictures: names of the cells."""
        image = Image.new("RGB", self.size, PAPER)
        draw, fonts = ImageDraw.Draw(image), [ImageFont.load_default(size) for size in LETTERS]
        for cell, label in enumerate(self.labels):
            x, y = self.place(cell)
            text = label[:LONGEST_LABEL]
            font = next((font for font in fonts if draw.textlength(text, font) <= self.side - 6), fonts[-1])
            draw.text((x + 2, y + self.side + 3), text, INK, font)
        return np.asarray(image).copy()

    def paste(self, sheet: UInt8[np.ndarray, "h w 3"], cell: int, picture: UInt8[np.ndarray, "rows columns 3"]) -> None:
        """Put a picture into its cell, reduced or enlarged."""
        x, y = self.place(cell)
        fitted = Image.fromarray(picture).resize((self.side, self.side), Image.Resampling.BOX)
        sheet[y : y + self.side, x : x + self.side] = np.asarray(fitted)


def shown_tick(number: int, film_fps: Fraction, fps: Fraction) -> int:
    """The tick of a variant at `fps` that is shown in picture `number` of a film."""
    return int(number * fps / film_fps)
