"""Picture files: PNGs with a note of their origin, and contact sheets."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from shared.atomic import written_atomically

NOTE = "ponticello"  # key of the note among a PNG's texts
MOST_PIXELS = 2560  # a side of a contact sheet
LARGEST, SMALLEST, LABEL = 160, 32, 16  # pixels: a picture's side on it, and the label below


def write_png(path: Path, image: UInt8[np.ndarray, "h w 3"], note: str, largest: int) -> None:
    """Write an image, reduced to `largest` pixels on its longest side, with a note of its origin."""
    info = PngImagePlugin.PngInfo()
    info.add_text(NOTE, note)
    with written_atomically(path) as temporary:
        Image.fromarray(reduced(image, largest)).save(temporary, pnginfo=info)


def note_of(path: Path) -> str | None:
    """The note of a PNG that `write_png` wrote; None for any other file, and if the file is damaged or missing."""
    try:
        with Image.open(path) as image:
            image.load()  # detects truncated files; and the note may follow the pixels
            note = image.info.get(NOTE)
            return note if isinstance(note, str) else None
    except (OSError, SyntaxError):  # Pillow raises SyntaxError for a broken PNG
        return None


def read_png(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Read an image that `write_png` wrote."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def reduced(image: UInt8[np.ndarray, "h w 3"], side: int) -> NDArray[np.uint8]:
    """The image reduced to `side` pixels on its longest side; unchanged if it is no larger."""
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    size = (max(1, width * side // max(height, width)), max(1, height * side // max(height, width)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX, reducing_gap=None))


def thumbnail(image: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "side side 3"]:
    """The means of `side` x `side` areas of the image."""
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX))


def write_sheet(path: Path, pictures: list[tuple[str, Path, bool]]) -> None:
    """Write a roughly square contact sheet. pictures: label, PNG file, and whether it is framed."""
    columns = max(1, int(np.ceil(np.sqrt(len(pictures)))))
    side = int(np.clip(MOST_PIXELS // columns - 2, SMALLEST, LARGEST))
    rows = -(-len(pictures) // columns)
    width, height = side + 2, side + LABEL + 2
    sheet = Image.new("RGB", (columns * width, rows * height), (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for i, (label, file, framed) in enumerate(pictures):
        x, y = i % columns * width + 1, i // columns * height + 1
        with Image.open(file) as image:
            sheet.paste(image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS), (x, y))
        if framed:
            draw.rectangle((x - 1, y - 1, x + side, y + side), outline=(255, 200, 0), width=3)
        draw.text((x + side // 2, y + side + 2), label, (255, 200, 0) if framed else (200, 200, 200), font, anchor="mt")
    with written_atomically(path) as temporary:
        sheet.save(temporary)
