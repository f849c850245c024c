"""map.png: the sounds on their 2-D map, and the images that are paired with them, for whoever places images by numbers."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from shared.atomic import written_atomically
from shared.preset.corpus import Corpus

MAP = "map.png"
SIDE, MARGIN = 1000, 60  # pixels
IMAGE = 48
QUIET, LOUD = np.array([40, 70, 160]), np.array([255, 200, 80])  # colours of frames
GREY = (120, 120, 120)


def write_map(
    path: Path,
    corpus: Corpus,
    images: list[tuple[str, tuple[float, float], UInt8[np.ndarray, "h w 3"] | None]] | None = None,
) -> None:
    """Draw each sounding frame, brighter where it is louder, tenths along the edges, and the images (name, place, picture)."""
    sheet = Image.new("RGB", (SIDE + 2 * MARGIN, SIDE + 2 * MARGIN))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for tenth in range(11):
        along, across = MARGIN + SIDE * tenth // 10, MARGIN + SIDE * (10 - tenth) // 10
        draw.line((along, MARGIN, along, MARGIN + SIDE), (30, 30, 30))
        draw.line((MARGIN, across, MARGIN + SIDE, across), (30, 30, 30))
        draw.text((along, MARGIN + SIDE + 12), f"{tenth / 10:g}", GREY, font, anchor="mt")
        draw.text((MARGIN - 12, across), f"{tenth / 10:g}", GREY, font, anchor="rm")
    loudness = corpus.descriptors[:, corpus.facts.descriptors.index("loudness")]
    order = np.argsort(loudness, kind="stable")  # the loud over the quiet
    rank = (np.arange(len(order)) / max(1, len(order) - 1))[:, None]
    colours = (QUIET + rank * (LOUD - QUIET)).astype(np.uint8)
    for number, colour in zip(order, colours, strict=True):
        x, y = _pixel(*corpus.positions[number])
        draw.rectangle((x - 1, y - 1, x, y), tuple(int(c) for c in colour))
    for name, place, picture in images or []:
        x, y = _pixel(*place)
        if picture is not None:
            sheet.paste(Image.fromarray(picture).resize((IMAGE, IMAGE)), (x - IMAGE // 2, y - IMAGE // 2))
            draw.rectangle((x - IMAGE // 2, y - IMAGE // 2, x + IMAGE // 2, y + IMAGE // 2), outline="white")
        draw.text((x, y + IMAGE // 2 + 2), name, "white", font, anchor="mt", stroke_width=1, stroke_fill="black")
    with written_atomically(path) as temporary:
        sheet.save(temporary)


def _pixel(x: float, y: float) -> tuple[int, int]:
    return round(MARGIN + SIDE * float(x)), round(MARGIN + SIDE * (1 - float(y)))
