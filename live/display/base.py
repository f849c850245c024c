"""Where the pictures go: a form with few blanks, filled in by a window (`live/display/windowed.py`) and by no window at all."""

import time
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from live.display.hud import Hud
from live.display.hud_page import Overlay
from live.display.hud_state import HudState
from live.display.keys import DisplayEvent
from live.display.placement import Scaling, Size, place

REPEAT_SECONDS = 10.0  # before the same error is told again


@runtime_checkable
class Display(Protocol):
    """Shows the newest picture until there is a newer one.

    Nothing but `screenshot` raises into the show: what goes wrong is told by `errors`, and the last picture stays.
    """

    def show(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Have a picture of any size drawn from the next `draw` on. It must not be written to afterwards."""

    def inform(self, state: HudState) -> None:
        """What the head-up display is to show."""

    def draw(self) -> None:
        """Bring the newest to the screen; nothing happens where there is nothing new."""

    @property
    def swap_s(self) -> float:
        """Seconds that the newest swap of the window's buffers took; 0 without a window."""

    def events(self) -> list[DisplayEvent]:
        """What the player has asked for since the last call, the first thing first."""

    def errors(self) -> list[str]:
        """What has gone wrong since the last call, a line each."""

    def screenshot(self) -> UInt8[np.ndarray, "height width 3"]:
        """What is on the screen, the head-up display included; Failure where that cannot be read."""

    def close(self) -> None:
        """The end; may be called twice."""


class OffscreenDisplay:
    """The same show without a window: keeps the newest picture, and composes what a screen would show when asked to."""

    def __init__(self, size: Size = (960, 540), scaling: Scaling = "fit", hud: bool = False) -> None:
        self.picture: UInt8[np.ndarray, "height width 3"] | None = None
        self.hud_visible = hud
        self._size = size
        self._scaling = scaling
        self._hud = Hud()
        self._errors = ErrorLines()
        self.swap_s = 0.0

    def show(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Keep the picture."""
        if problem := unfit(image):
            self._errors.add(problem)
        else:
            self.picture = image

    def inform(self, state: HudState) -> None:
        """Keep the state."""
        self._hud.inform(state, time.monotonic())

    def draw(self) -> None:
        """There is nothing to draw to."""

    def events(self) -> list[DisplayEvent]:
        """There is nobody to ask for anything."""
        return []

    def errors(self) -> list[str]:
        """What has gone wrong since the last call, a line each."""
        return self._errors.take()

    def screenshot(self) -> UInt8[np.ndarray, "height width 3"]:
        """What a screen of this size would show."""
        overlays = self._hud.overlays(self._size, 1.0, time.monotonic()) if self.hud_visible else ()
        return compose(self.picture, self._size, self._scaling, overlays)

    def close(self) -> None:
        """There is nothing to close."""


class ErrorLines:
    """Errors since they were last taken; the same line comes again only after some seconds."""

    def __init__(self) -> None:
        self._new: list[str] = []
        self._told: dict[str, float] = {}  # when

    def add(self, line: str) -> None:
        """Something went wrong."""
        now = time.monotonic()
        self._told = {line: told for line, told in self._told.items() if now - told < REPEAT_SECONDS}
        if line not in self._told:
            self._told[line] = now
            self._new.append(line)

    def take(self) -> list[str]:
        """What went wrong since the last call."""
        taken, self._new = self._new, []
        return taken


def unfit(image: UInt8[np.ndarray, "height width 3"]) -> str:
    """Why this cannot be shown; empty where it can."""
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size:
        return ""
    return f"a picture of {image.dtype} {image.shape} cannot be shown; pictures are uint8 (height, width, 3)"


def compose(
    picture: UInt8[np.ndarray, "height width 3"] | None, area: Size, scaling: Scaling, overlays: tuple[Overlay, ...]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """A picture in an area of pixels, and what lies over it, without OpenGL."""
    screen = Image.new("RGB", area)
    if picture is not None:
        height, width, _ = picture.shape
        drawn = place((width, height), area, scaling)
        visible = drawn.within(area)
        across, down = width / drawn.width, height / drawn.height
        left, top = (visible.left - drawn.left) * across, (visible.top - drawn.top) * down
        box = (left, top, min(left + visible.width * across, width), min(top + visible.height * down, height))
        part = Image.fromarray(picture).resize((visible.width, visible.height), Image.Resampling.BICUBIC, box)
        screen.paste(part, (visible.left, visible.top))
    for overlay in overlays:
        image = Image.fromarray(overlay.image)
        screen.paste(image.convert("RGB"), (overlay.left, overlay.top), image.getchannel("A"))
    return np.asarray(screen)
