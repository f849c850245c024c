"""The shape of the pictures: from what was asked for (`window`, `auto`, 16:9) to the ratio that the pipeline draws."""

import time
from collections.abc import Callable
from fractions import Fraction

from live.display.base import Display
from live.show.actions.context import ActionCall, ShowContext
from live.show.preset_library import PresetLibrary
from shared.background import Then
from shared.controls import CONTROLS, Value, aspect_ratio

SETTLED_S = 0.5  # a window that is being resized gets its new shape when it has kept its size for so long
FAST_ENOUGH = 0.9  # of a tick, for a picture: sound and display need the rest
NARROWER = (Fraction(3, 2), Fraction(4, 3), Fraction(1))  # what `auto` tries below the window's own shape


def window_shape(display: Display) -> str:
    """The shape of the area that pictures are shown in, as a value of the control; `square` if there is none."""
    width, height = display.area
    if not (width and height):
        return "square"
    limit = Fraction(int(CONTROLS["shape"].high))
    ratio = min(max(Fraction(width, height), 1 / limit), limit).limit_denominator(9999)
    return str(CONTROLS["shape"].checked(f"{ratio.numerator}:{ratio.denominator}"))


def first_shape(
    wanted: Value, display: Display, seconds: Callable[[Fraction], float], fps: float
) -> tuple[Value, str, str]:
    """The shape to start with: what is kept as the control's value, the ratio that is drawn, and a line for the player.

    seconds: measures how long a picture of an aspect ratio takes. Only `auto` measures; the line is empty otherwise.
    """
    window = window_shape(display)
    if wanted != "auto":
        return wanted, window if wanted == "window" else str(wanted), ""
    aspect = aspect_ratio(window)
    narrower = [ratio if aspect >= 1 else 1 / ratio for ratio in NARROWER]
    trials = [aspect, *(ratio for ratio in narrower if max(ratio, 1 / ratio) < max(aspect, 1 / aspect))]
    measured = []
    for trial in trials:
        shape = str(CONTROLS["shape"].checked(f"{trial.numerator}:{trial.denominator}"))
        measured.append(f"{shape} {seconds(trial) * 1000:.0f} ms")
        if seconds(trial) <= FAST_ENOUGH / fps:
            break
    return shape, shape, f"shape auto: {shape} was chosen (a picture takes: {', '.join(measured)})"


class PictureShape:
    """Changes the shape during the show: prepares the generators in the background, then changes it on a tick.

    wanted: the value of the control; drawn: the ratio that is drawn now.
    """

    def __init__(
        self, context: ShowContext, library: PresetLibrary, display: Display, wanted: Value, drawn: str
    ) -> None:
        self._context, self._library, self._display = context, library, display
        self._wanted, self._drawn = wanted, drawn
        self._seen, self._seen_at = drawn, 0.0

    def change(self, wanted: Value) -> None:
        """Draw another shape: a ratio, `square`, or that of the window from now on."""
        self._wanted = wanted
        self._draw(str(wanted) if wanted not in ("window", "auto") else window_shape(self._display))

    def step(self, now: float) -> None:
        """Follow the window to another monitor or size; called a few times a second."""
        if self._wanted != "window" or not all(self._display.area):
            return
        shape = window_shape(self._display)
        if shape != self._seen:
            self._seen, self._seen_at = shape, now
        elif shape != self._drawn and now - self._seen_at >= SETTLED_S:
            self._draw(shape)

    def _draw(self, shape: str) -> None:
        self._drawn = shape
        aspect = aspect_ratio(shape)

        def prepare() -> Then:
            self._library.prepare(aspect)
            return lambda: self._context.engine.change("shape", shape, time.monotonic())

        self._context.run(self._context.lanes.loading, ActionCall(), prepare, "shape")
