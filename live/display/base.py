"""Displays for pictures: the protocol, and its offscreen implementation. `live.display.windowed` has the one with a window."""

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

REPEAT_SECONDS = 10.0  # before the same line is reported again


@runtime_checkable
class Display(Protocol):
    """Shows the newest picture until there is a newer one.

    Only `screenshot` raises. Other errors are reported by `errors`, and the last picture stays.
    """

    def show(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Show this image, of any size, from the next `draw` on. Do not write to it afterwards."""

    @property
    def area(self) -> Size:
        """Width and height in pixels of the area that pictures are shown in; 0 by 0 if there is none at present."""

    def inform(self, state: HudState) -> None:
        """Update the content of the head-up display."""

    def draw(self) -> None:
        """Draw what is new; do nothing if nothing is."""

    @property
    def swap_s(self) -> float:
        """Seconds that the newest swap of the window's buffers took; 0 without a window."""

    def events(self) -> list[DisplayEvent]:
        """Events since the last call, in order."""

    def errors(self) -> list[str]:
        """Errors since the last call, one line each."""

    def screenshot(self) -> UInt8[np.ndarray, "height width 3"]:
        """The screen, head-up display included. Raises Failure if it cannot be read."""

    def close(self) -> None:
        """Close the display; can be called twice."""


class OffscreenDisplay:
    """A display without a window: keeps the newest picture, and composes a screenshot on request."""

    def __init__(self, size: Size = (960, 540), scaling: Scaling = "fit", hud: bool = False) -> None:
        self.picture: UInt8[np.ndarray, "height width 3"] | None = None
        self.hud_visible = hud
        self._size = size
        self._scaling = scaling
        self._hud = Hud()
        self._errors = ErrorLines()
        self.swap_s = 0.0

    def show(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Keep the image."""
        if problem := unfit(image):
            self._errors.add(problem)
        else:
            self.picture = image

    @property
    def area(self) -> Size:
        """0 by 0: pictures keep the network's own shape."""
        return 0, 0

    def inform(self, state: HudState) -> None:
        """Keep the state."""
        self._hud.inform(state, time.monotonic())

    def draw(self) -> None:
        """Do nothing: there is no screen."""

    def events(self) -> list[DisplayEvent]:
        """No events: there are no keys."""
        return []

    def errors(self) -> list[str]:
        """Errors since the last call, one line each."""
        return self._errors.take()

    def screenshot(self) -> UInt8[np.ndarray, "height width 3"]:
        """The picture and the head-up display on a screen of this size."""
        overlays = self._hud.overlays(self._size, 1.0, time.monotonic()) if self.hud_visible else ()
        return compose(self.picture, self._size, self._scaling, overlays)

    def close(self) -> None:
        """Do nothing."""


class ErrorLines:
    """Collects lines; a line that repeats is kept only once in some seconds."""

    def __init__(self) -> None:
        self._new: list[str] = []
        self._reported: dict[str, float] = {}  # time of the last report by line, the oldest first

    def add(self, line: str) -> None:
        """Add a line."""
        now = time.monotonic()
        while self._reported and now - next(iter(self._reported.values())) >= REPEAT_SECONDS:
            del self._reported[next(iter(self._reported))]
        if line not in self._reported:
            self._reported[line] = now
            self._new.append(line)

    def take(self) -> list[str]:
        """The lines since the last call."""
        taken, self._new = self._new, []
        return taken


def unfit(image: UInt8[np.ndarray, "height width 3"]) -> str:
    """Why an image cannot be shown; empty if it can."""
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size:
        return ""
    return f"a picture of {image.dtype} {image.shape} cannot be shown; pictures are uint8 (height, width, 3)"


def compose(
    picture: UInt8[np.ndarray, "height width 3"] | None, area: Size, scaling: Scaling, overlays: tuple[Overlay, ...]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """A picture in an area of pixels with overlays, drawn without OpenGL."""
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
