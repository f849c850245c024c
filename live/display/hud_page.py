"""The layout of the head-up display.

    preset, timing, state            ┐
    rate, delay, losses              │ a panel at the left, as wide as the black border
    level of the sound               │ beside a square picture on a wide screen
    a bar for each descriptor        │
    distance                         ┘
    instruction                        a line at its right, along the upper edge
    messages                           a strip at its right, along the lower edge

Lengths and places are in heights of a row of bars, from the top left corner of the panel.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image, ImageDraw

from live.display.hud_state import HudState
from live.display.hud_text import Colour, Typeface
from live.display.placement import Size

PANEL: Colour = (11, 12, 15, 212)  # dark enough for text to be readable over a white picture
TROUGH: Colour = (36, 38, 43, 224)
AXIS: Colour = (98, 101, 109, 240)
TEXT: Colour = (236, 236, 232, 255)
FAINT: Colour = (170, 173, 180, 255)
WARNING: Colour = (240, 186, 104, 255)
ALARM: Colour = (232, 92, 84, 255)
SOUNDING: Colour = (134, 196, 156, 255)
SHAPE: Colour = (116, 176, 190, 255)
GROUPS: tuple[tuple[str, Colour], ...] = (
    ("mfcc", (154, 148, 204, 255)),
    ("pitch", (150, 188, 126, 255)),
    ("confidence", (150, 188, 126, 255)),
    ("loudness", (212, 172, 108, 255)),
)
"""Colour of a descriptor's bar by the start of its name; all others describe the shape of the spectrum."""

SOFTEST_DB, LOUDEST_DB = -60.0, 0.0  # range of the level meter
DEVIATIONS = 3.0  # range of a bar, in standardised units
LEFT, MIDDLE, BARS_LEFT, RIGHT, WIDTH = 0.9, 7.3, 5.9, 13.5, 14.4  # margins and columns
TITLE, STATUS, FIRST, SECOND, METER, LEVEL, BARS = (
    1.9,
    3.2,
    4.8,
    6.0,
    6.8,
    8.3,
    9.5,
)  # baselines; tops of meter and bars
DISTANCE, BELOW = 1.1, 1.9  # from the last bar to the last baseline, and to the lower edge of the panel
BAR_HEIGHT, GROUP_GAP = 0.42, 0.35
ERROR_LINE, PROMPT_LINE = 1.3, 1.5


class Overlay(NamedTuple):
    """An image to draw over the picture, its top left corner at a pixel; alpha is straight, not premultiplied."""

    left: int
    top: int
    image: UInt8[np.ndarray, "height width 4"]


class HudPage:
    """Draws states for one screen size and one set of descriptors. What never changes is drawn once.

    scale: pixels per point.
    """

    def __init__(self, area: Size, scale: float, names: tuple[str, ...]) -> None:
        self._made_for = (area, scale, names)
        self._area = area
        self._bars = _arrange(names)
        self._end_of_bars = self._bars[-1][0] + 1 if self._bars else BARS
        height = self._end_of_bars + BELOW
        comfortable = (6 + area[1] / scale / 67.5) * scale
        self._row = max(min(comfortable, area[1] / (height + 1), area[0] / (WIDTH + 1)), 6.0)
        self._margin = round(0.5 * self._row)
        self._title = Typeface(1.3 * self._row)
        self._font = Typeface(0.92 * self._row)
        self._small = Typeface(0.84 * self._row)
        self._empty = self._empty_panel(height, names)

    @property
    def row_height(self) -> float:
        """Height of a row of bars in pixels: the unit of all lengths and places."""
        return self._row

    def fits(self, area: Size, scale: float, names: tuple[str, ...]) -> bool:
        """Whether it was made for this area, scale and set of names."""
        return self._made_for == (area, scale, names)

    def draw(self, state: HudState, errors: tuple[str, ...]) -> tuple[Overlay, ...]:
        """The panel, the instruction for the player and the strip of messages, if there are any."""
        image = self._empty.copy()
        draw = ImageDraw.Draw(image)
        self._draw_heading(draw, state)
        self._draw_numbers(draw, state)
        self._draw_meter(draw, state)
        self._draw_bars(draw, state)
        panel = Overlay(self._margin, self._margin, np.asarray(image))
        prompt = (self._prompt(state.prompt),) if state.prompt else ()
        return (panel, *prompt, self._error_strip(errors)) if errors else (panel, *prompt)

    def _draw_heading(self, draw: ImageDraw.ImageDraw, state: HudState) -> None:
        end = RIGHT
        if math.isfinite(state.recording_s):
            minutes, seconds = divmod(int(state.recording_s), 60)
            end = self._lamp(draw, TITLE, f"{minutes}:{seconds:02}", ALARM, ALARM)
        name = self._title.shortened(state.preset, (end - 0.4 - LEFT) * self._row)
        self._write(draw, LEFT, TITLE, name, TEXT, self._title)
        self._write(draw, LEFT, STATUS, state.clock, FAINT)
        held = ", ".join(word for word, on in (("frozen", state.frozen), ("black", state.blackout)) if on)
        self._write(draw, RIGHT - self._font.length(held) / self._row, STATUS, held, WARNING)

    def _draw_numbers(self, draw: ImageDraw.ImageDraw, state: HudState) -> None:
        for x, y, number, unit, alarming in (
            (LEFT, FIRST, _number(state.fps, 1), "fps", False),
            (MIDDLE, FIRST, _number(state.latency_ms), "ms", False),
            (LEFT, SECOND, str(state.dropped), "dropped", False),
            (MIDDLE, SECOND, str(state.dropouts), "dropouts", state.dropouts > 0),
            (LEFT, LEVEL, _number(state.level_db), "dB", False),
            (LEFT, self._end_of_bars + DISTANCE, _number(state.distance, 2), "from the nearest pair", False),
        ):
            self._write(draw, x, y, number, WARNING if alarming else TEXT)
            self._write(draw, x + self._font.length(number) / self._row + 0.3, y, unit, FAINT)

    def _draw_meter(self, draw: ImageDraw.ImageDraw, state: HudState) -> None:
        level, peak = (
            LEFT + (RIGHT - LEFT) * _share(value, SOFTEST_DB, LOUDEST_DB) for value in (state.level_db, state.peak_db)
        )
        self._block(draw, LEFT, METER, level, SOUNDING if state.sounding else AXIS)
        if peak > LEFT:
            self._block(draw, peak - 0.15, METER, peak, ALARM if state.peak_db >= LOUDEST_DB else TEXT)
        word, lamp = ("sounding", SOUNDING) if state.sounding else ("silent", AXIS)
        self._lamp(draw, LEVEL, word, FAINT, lamp)

    def _draw_bars(self, draw: ImageDraw.ImageDraw, state: HudState) -> None:
        axis = (BARS_LEFT + RIGHT) / 2
        for (top, colour), value in zip(self._bars, state.descriptors, strict=False):
            if not math.isnan(value):
                end = BARS_LEFT + (RIGHT - BARS_LEFT) * _share(value, -DEVIATIONS, DEVIATIONS)
                self._block(draw, min(axis, end), top, max(axis, end), colour)

    def _empty_panel(self, height: float, names: tuple[str, ...]) -> Image.Image:
        image = self._panel(WIDTH * self._row, height * self._row)
        draw = ImageDraw.Draw(image)
        self._block(draw, LEFT, METER, RIGHT, TROUGH)
        for (top, _), name in zip(self._bars, names, strict=True):
            label = self._small.shortened(name, (BARS_LEFT - LEFT - 0.3) * self._row)
            self._write(draw, LEFT, top + BAR_HEIGHT + 0.08, label, FAINT, self._small)
            self._block(draw, BARS_LEFT, top, RIGHT, TROUGH)
        if names:
            x = round((BARS_LEFT + RIGHT) / 2 * self._row)
            draw.line((x, BARS * self._row, x, self._end_of_bars * self._row), AXIS)
        return image

    def _prompt(self, line: str) -> Overlay:
        left = self._empty.width + 2 * self._margin
        shown = self._title.shortened(line, self._area[0] - left - self._margin - 2 * LEFT * self._row)
        image = self._panel(self._title.length(shown) + 2 * LEFT * self._row, 1.9 * PROMPT_LINE * self._row)
        self._write(ImageDraw.Draw(image), LEFT, 1.25 * PROMPT_LINE, shown, TEXT, self._title)
        return Overlay(left, self._margin, np.asarray(image))

    def _error_strip(self, errors: tuple[str, ...]) -> Overlay:
        left = self._empty.width + 2 * self._margin
        widest = self._area[0] - left - self._margin - 2 * LEFT * self._row
        lines = [self._font.shortened(line, widest) for line in errors]
        width = max(self._font.length(line) for line in lines) + 2 * LEFT * self._row
        image = self._panel(width, (ERROR_LINE * len(lines) + 0.8) * self._row)
        draw = ImageDraw.Draw(image)
        for i, line in enumerate(lines):
            self._write(draw, LEFT, ERROR_LINE * (i + 1) + 0.05, line, WARNING)
        return Overlay(left, self._area[1] - self._margin - image.height, np.asarray(image))

    def _panel(self, width: float, height: float) -> Image.Image:
        shape = _rounded(round(width), round(height), 0.5 * self._row)
        panel = np.empty((*shape.shape, 4), np.uint8)
        panel[:] = PANEL
        panel[..., 3] = np.round(PANEL[3] * shape)
        return Image.fromarray(panel)

    def _write(
        self, draw: ImageDraw.ImageDraw, x: float, y: float, text: str, colour: Colour, font: Typeface | None = None
    ) -> None:
        (font or self._font).write(draw, x * self._row, y * self._row, text, colour)

    def _lamp(self, draw: ImageDraw.ImageDraw, y: float, word: str, colour: Colour, lamp: Colour) -> float:
        """A word at the right of the panel, with a dot before it; returns where it starts."""
        x = RIGHT - self._font.length(word) / self._row
        self._write(draw, x, y, word, colour)
        diameter = max(round(0.5 * self._row), 3)
        mask = Image.fromarray(np.round(255 * _rounded(diameter, diameter, diameter / 2)).astype(np.uint8))
        draw.bitmap((round((x - 0.8) * self._row), round((y - 0.35) * self._row - diameter / 2)), mask, lamp)
        return x - 0.8

    def _block(self, draw: ImageDraw.ImageDraw, left: float, top: float, right: float, colour: Colour) -> None:
        first, last = round(left * self._row), round(right * self._row) - 1
        if last >= first:
            y = round(top * self._row)
            draw.rectangle((first, y, last, y + max(round(BAR_HEIGHT * self._row), 1) - 1), colour)


def _arrange(names: tuple[str, ...]) -> list[tuple[float, Colour]]:
    """Top and colour of each bar, with a gap where the colour changes."""
    bars: list[tuple[float, Colour]] = []
    top = BARS
    for name in names:
        colour = next((colour for start, colour in GROUPS if name.startswith(start)), SHAPE)
        top += GROUP_GAP if bars and colour != bars[-1][1] else 0.0
        bars.append((top, colour))
        top += 1
    return bars


def _rounded(width: int, height: int, radius: float) -> Float64[np.ndarray, "height width"]:
    """The share of each pixel, 0 to 1, that a rectangle with rounded corners covers."""
    x = np.maximum(np.abs(np.arange(width) + 0.5 - width / 2) - (width / 2 - radius), 0)
    y = np.maximum(np.abs(np.arange(height) + 0.5 - height / 2) - (height / 2 - radius), 0)
    covered: Float64[np.ndarray, "height width"] = np.clip(radius + 0.5 - np.hypot(x, y[:, None]), 0, 1)
    return covered


def _share(value: float, low: float, high: float) -> float:
    """Position of a value between two others, 0 to 1; 0 for NaN."""
    return 0.0 if math.isnan(value) else min(max((value - low) / (high - low), 0.0), 1.0)


def _number(value: float, digits: int = 0) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
