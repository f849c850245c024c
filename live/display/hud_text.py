"""Texts of the head-up display, drawn with the font that Pillow brings along: none of the system's is needed."""

import re
import unicodedata
from bisect import bisect
from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int, int]
PIECES = re.compile(r"\d|\D+")  # digits are drawn one by one, all else in one piece


class _Piece(NamedTuple):
    mask: Image.Image
    left: int
    top: int
    """Where the mask goes, from the pen on the base line."""
    advance: float


class Typeface:
    """The font at one size. What has been drawn once is kept, so that changing numbers cost next to nothing."""

    def __init__(self, pixels: float) -> None:
        self._font = ImageFont.load_default(pixels)
        self._piece = lru_cache(maxsize=256)(self._drawn)

    def length(self, text: str) -> float:
        """How wide a text is, in pixels."""
        return sum(self._piece(piece).advance for piece in PIECES.findall(_drawable(text)))

    def write(self, draw: ImageDraw.ImageDraw, x: float, base: float, text: str, colour: Colour) -> None:
        """Draw a text from `x` to the right, on the base line."""
        for name in PIECES.findall(_drawable(text)):
            piece = self._piece(name)
            draw.bitmap((round(x) + piece.left, round(base) + piece.top), piece.mask, colour)
            x += piece.advance

    def shortened(self, text: str, width: float) -> str:
        """The text, or as much of its beginning as fits into a width."""
        text = _drawable(text)
        if self._font.getlength(text) <= width:
            return text
        lengths = range(len(text))
        return text[: max(bisect(lengths, width, key=lambda n: self._font.getlength(text[:n] + "...")) - 1, 0)] + "..."

    def _drawn(self, text: str) -> _Piece:
        left, top, right, bottom = (int(edge) for edge in self._font.getbbox(text, anchor="ls"))
        mask = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
        ImageDraw.Draw(mask).text((-left, -top), text, 255, self._font, "ls")
        return _Piece(mask, left, top, self._font.getlength(text))


def _drawable(text: str) -> str:
    """The text in the letters that the font has, which are ASCII's: accents are left off, other letters come out as `?`."""
    letters = unicodedata.normalize("NFKD", " ".join(text.split()))
    return "".join(c for c in letters if not unicodedata.combining(c)).encode("ascii", "replace").decode()
