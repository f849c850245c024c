"""map.png: the sounds on their 2-D map, with coordinates, times, and the paired images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image, ImageDraw, ImageFont

from offline.options import counted
from shared.atomic import written_atomically
from shared.mapping.sampling import farthest_point_sampling
from shared.preset.corpus import Corpus
from shared.stage import HOP, SAMPLE_RATE
from shared.times import format_time

MAP = "map.png"
SIDE, MARGIN, LEGEND, LINE = 1000, 60, 240, 24  # pixels: the map, its margin, the legend and a line of it
IMAGE = 48  # pixels: a side of a paired image
LABELS = 16  # frames whose time is written
NAME_LENGTH = 26  # letters of a sound's name in the legend
GREY, DARK = (140, 140, 140), (34, 34, 34)
COLOURS = np.array(  # of sounds, in turn: distinct for colour-blind eyes, too (Okabe and Ito 2008), on black
    [(86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (204, 121, 167), (213, 94, 0), (0, 114, 178), (200, 200, 200)]
)  # fmt: skip
DIMMEST = 0.35  # brightness of the quietest frame

Placed = tuple[str, tuple[float, float], UInt8[np.ndarray, "h w 3"] | None]
"""An image's name, its place on the map (x, y) and its picture."""


def write_map(path: Path, corpus: Corpus, images: Sequence[Placed] = ()) -> None:
    """Draw each frame in the colour of its sound, brighter if it is louder, and the images at their positions.

    The edges have the coordinates for `ponticello pair place`; a few frames are labelled with their time.
    """
    size = (SIDE + 2 * MARGIN + LEGEND, SIDE + 2 * MARGIN)
    sheet = Image.new("RGB", size)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    _draw_grid(draw, font)
    sheet = Image.fromarray(_with_frames(np.array(sheet), corpus))
    draw = ImageDraw.Draw(sheet)
    _draw_legend(draw, font, corpus)
    for row in farthest_point_sampling(corpus.positions, LABELS).tolist():
        x, y = _pixel(*corpus.positions[row])
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), outline="white")
        second = format_time(corpus.frame[row] * HOP / SAMPLE_RATE)
        draw.text(
            (x + 6, y), second, _colour(int(corpus.sound[row])), font, anchor="lm", stroke_width=2, stroke_fill="black"
        )
    for name, place, picture in images:
        x, y = _pixel(*place)
        if picture is not None:
            sheet.paste(Image.fromarray(picture).resize((IMAGE, IMAGE)), (x - IMAGE // 2, y - IMAGE // 2))
        draw.rectangle((x - IMAGE // 2, y - IMAGE // 2, x + IMAGE // 2, y + IMAGE // 2), outline="white")
        draw.text((x, y + IMAGE // 2 + 2), name, "white", font, anchor="mt", stroke_width=2, stroke_fill="black")
    with written_atomically(path) as temporary:
        sheet.save(temporary)


def _draw_grid(draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
    for tenth in range(11):
        x, y = _pixel(tenth / 10, tenth / 10)
        draw.line((x, MARGIN, x, MARGIN + SIDE), DARK)
        draw.line((MARGIN, y, MARGIN + SIDE, y), DARK)
        draw.text((x, MARGIN + SIDE + 12), f"{tenth / 10:g}", GREY, font, anchor="mt")
        draw.text((MARGIN - 12, y), f"{tenth / 10:g}", GREY, font, anchor="rm")
    draw.text((MARGIN + SIDE // 2, MARGIN + SIDE + 34), "X", GREY, font, anchor="mt")
    draw.text((MARGIN - 44, MARGIN + SIDE // 2), "Y", GREY, font, anchor="mm")


def _with_frames(pixels: UInt8[np.ndarray, "h w 3"], corpus: Corpus) -> UInt8[np.ndarray, "h w 3"]:
    """Draw two by two pixels for each frame, the loud ones over the quiet ones."""
    loudness = corpus.descriptors[:, corpus.facts.descriptors.index("loudness")]
    order = np.argsort(loudness, kind="stable")
    brightness = DIMMEST + (1 - DIMMEST) * np.arange(len(order)) / max(1, len(order) - 1)
    colours = (COLOURS[corpus.sound[order] % len(COLOURS)] * brightness[:, None]).astype(np.uint8)
    x, y = _pixels(corpus, order)
    for dx, dy in ((0, 0), (-1, 0), (0, -1), (-1, -1)):
        pixels[y + dy, x + dx] = colours
    return pixels


def _pixels(corpus: Corpus, rows: Int64[np.ndarray, "m"]) -> tuple[Int64[np.ndarray, "m"], Int64[np.ndarray, "m"]]:
    places = np.rint(corpus.positions[rows] * SIDE).astype(np.int64)
    return MARGIN + places[:, 0], MARGIN + SIDE - places[:, 1]


def _draw_legend(draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, corpus: Corpus) -> None:
    """Write a line for each sound, as many as fit: its colour, name and length."""
    x, fitting = SIDE + 2 * MARGIN, SIDE // LINE - 1
    sounds = corpus.facts.sounds
    for number, sound in enumerate(sounds[:fitting]):
        y = MARGIN + number * LINE
        draw.rectangle((x, y, x + 12, y + 12), _colour(number))
        draw.text((x + 20, y + 6), sound.name[:NAME_LENGTH], "white", font, anchor="lm")
        length = format_time(sound.frames * HOP / SAMPLE_RATE)
        draw.text((x + LEGEND - 10, y + 6), length, GREY, font, anchor="rm", stroke_width=2, stroke_fill="black")
    if len(sounds) > fitting:
        more = f"and {counted(len(sounds) - fitting, 'more sound')}"
        draw.text((x + 20, MARGIN + fitting * LINE + 6), more, GREY, font, anchor="lm")


def _colour(sound: int) -> tuple[int, int, int]:
    red, green, blue = COLOURS[sound % len(COLOURS)].tolist()
    return red, green, blue


def _pixel(x: float, y: float) -> tuple[int, int]:
    return round(MARGIN + SIDE * float(x)), round(MARGIN + SIDE * (1 - float(y)))
