"""Text of the head-up display, drawn with the font included in Pillow; no system font is needed."""

import re
import unicodedata
from bisect import bisect
from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from shared.errors import printable

Colour = tuple[int, int, int, int]
PIECES = re.compile(r"\d|\D+")  # digits are drawn one by one, other text in one piece


class _Piece(NamedTuple):
    mask: Image.Image
    left: int
    top: int
    """Position of the mask relative to the pen on the baseline."""
    advance: float


class Typeface:
    """The font at one size. Drawn pieces are cached, so that changing numbers cost next to nothing."""

    def __init__(self, pixels: float) -> None:
        self._font = ImageFont.load_default(pixels)
        self._piece = lru_cache(maxsize=256)(self._drawn)

    def length(self, text: str) -> float:
        """Width of a text in pixels."""
        return sum(self._piece(piece).advance for piece in PIECES.findall(_drawable(text)))

    def write(self, draw: ImageDraw.ImageDraw, x: float, base: float, text: str, colour: Colour) -> None:
        """Draw a text from `x` to the right, on the baseline."""
        for name in PIECES.findall(_drawable(text)):
            piece = self._piece(name)
            draw.bitmap((round(x) + piece.left, round(base) + piece.top), piece.mask, colour)
            x += piece.advance

    def shortened(self, text: str, width: float) -> str:
        """The text, cut at the end to fit a width in pixels."""
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
    """The text in the characters of the font, which are those of ASCII: no accents, `?` for other letters, control characters escaped."""
    letters = unicodedata.normalize("NFKD", printable(" ".join(text.split())))
    return "".join(c for c in letters if not unicodedata.combining(c)).encode("ascii", "replace").decode()
