"""A window as a display: shows the newest picture and the head-up display, and recovers from every error."""

import math
import time
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from live.display import opengl
from live.display.base import ErrorLines, unfit
from live.display.canvas import WindowCanvas
from live.display.desktop_window import DesktopWindow
from live.display.hud import Hud
from live.display.hud_page import Overlay
from live.display.hud_state import HudState
from live.display.keys import DisplayEvent, summary
from live.display.monitors import MonitorInfo
from live.display.placement import Size
from live.display.settings import WindowSettings
from shared.errors import Failure, UserError

SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0  # between attempts to draw after an error
NO_OVERLAYS: tuple[Overlay, ...] = ()


class WindowDisplay:
    """A `Display` on a monitor. Call `show` from any thread, everything else from the main one.

    Raises UserError if there is no screen, no OpenGL 3.3 or no such monitor.
    """

    def __init__(self, settings: WindowSettings) -> None:
        self.hud_visible = settings.hud
        self._settings = settings
        self._hud = Hud()
        self._errors = ErrorLines()
        self._picture: UInt8[np.ndarray, "height width 3"] | None = None
        self._uploaded: UInt8[np.ndarray, "height width 3"] | None = None  # the one on the graphics card
        self._drawn: UInt8[np.ndarray, "height width 3"] | None = None  # the last one shown
        self._overlays = NO_OVERLAYS
        self._failures = 0
        self.swap_s = 0.0
        self._retry_at = -math.inf
        self._canvas: WindowCanvas | None = None
        self._window: DesktopWindow | None = None
        self._open()

    @property
    def window(self) -> DesktopWindow | None:
        """The window; None while it is being reopened."""
        return self._window

    @property
    def canvas(self) -> WindowCanvas | None:
        """What draws into the window; None while it is being reopened."""
        return self._canvas

    @property
    def fills(self) -> MonitorInfo | None:
        """The monitor that the picture fills; None in a window."""
        return self._window.fills if self._window else None

    def show(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Show this image, of any size, from the next `draw` on. Do not write to it afterwards."""
        if problem := unfit(image):
            self._errors.add(problem)
        else:
            self._picture = image

    @property
    def area(self) -> Size:
        """The window's drawing area in pixels; 0 by 0 while it is minimised or being reopened."""
        return self._window.area if self._window else (0, 0)

    def inform(self, state: HudState) -> None:
        """Update the content of the head-up display."""
        self._hud.inform(state, time.monotonic())

    def draw(self) -> None:
        """Draw what is new, at the monitor's next refresh; do nothing if nothing is.

        After an error, try again with increasing waits: first with everything new on the graphics card, then in a new
        window with a new context.
        """
        now = time.monotonic()
        if now < self._retry_at:
            return
        try:
            if self._failures:
                self._recover()
            self._present(now)
            self._failures = 0
        except Exception as error:  # drivers fail in many ways
            wait = min(SHORTEST_WAIT_S * 2**self._failures, LONGEST_WAIT_S)
            self._failures += 1
            self._retry_at = now + wait
            if self._failures > 1 and self._drawn is not None:  # the picture itself may be at fault
                self._picture = self._drawn
            self._errors.add(f"cannot draw: {error or type(error).__name__}; trying again")

    def events(self) -> list[DisplayEvent]:
        """Events since the last call. Those that concern the window alone are carried out here and not returned."""
        if self._window is None:
            return []
        try:
            pressed = self._window.poll()
        except Exception as error:  # as above
            self._errors.add(f"window: {error}")
            return []
        events = [event for event in pressed if event.action != "hud"]
        if (len(pressed) - len(events)) % 2:
            self._toggle_hud()
        return events

    def errors(self) -> list[str]:
        """Errors since the last call, one line each."""
        problems = self._window.take_problems() if self._window else []
        for line in [*problems, *opengl.complaints()]:
            self._errors.add(line)
        return self._errors.take()

    def screenshot(self) -> UInt8[np.ndarray, "height width 3"]:
        """The screen, head-up display included. Raises Failure if it cannot be read."""
        if self._window is None or self._canvas is None:
            raise Failure("no screenshot: the window is being reopened; try again in some seconds")
        area = self._window.area
        if 0 in area:
            raise Failure("no screenshot: the window is minimised; restore it")
        self._window.use()
        return self._canvas.read(area, self._settings.scaling, self._overlays)

    def close(self) -> None:
        """Close the window; can be called twice."""
        try:
            self._discard()
        except Exception as error:  # an error at the very end helps nobody
            self._errors.add(f"window: {error}")

    def _toggle_hud(self) -> None:
        self.hud_visible = not self.hud_visible
        if self.hud_visible:
            self._hud.show_lines(summary(self.fills is not None, self._settings.keys), time.monotonic())

    def _open(self) -> None:
        self._window = DesktopWindow(self._settings, self._repaint)
        try:
            self._canvas = WindowCanvas()
        except Exception as error:
            self._discard()
            raise UserError(f"no OpenGL 3.3: {error}; update the graphics driver{opengl.REMEDY}") from error

    def _discard(self) -> None:
        canvas, self._canvas = self._canvas, None
        window, self._window = self._window, None
        self._uploaded = None
        try:
            if canvas is not None:
                canvas.release()
        finally:
            if window is not None:
                window.close()

    def _recover(self) -> None:
        """Recreate what may be broken: first the canvas, then the window with its context."""
        window, canvas = self._window, self._canvas
        if self._failures == 1 and window is not None and canvas is not None:
            self._canvas = self._uploaded = None
            window.use()
            canvas.release()
            self._canvas = WindowCanvas()
        else:
            if window is not None:  # open the new one in its place
                self._settings = replace(
                    self._settings, monitor=str(window.monitor.number), fullscreen=window.fills is not None
                )
            self._discard()
            self._open()

    def _repaint(self) -> None:
        if not self._failures:  # recovering may close the window, which must not happen inside its callback
            self.draw()

    def _present(self, now: float) -> None:
        window, canvas, picture = self._window, self._canvas, self._picture
        if window is None or canvas is None:
            return
        window.use()
        if picture is not None and picture is not self._uploaded:
            if canvas.takes(picture):
                self._uploaded = None
                canvas.upload(picture)
                self._uploaded = picture
            else:
                self._picture = self._uploaded
                self._errors.add(f"a picture of {picture.shape} is too large for the graphics card; the last one stays")
        area = window.area
        if 0 in area:
            return
        overlays = self._hud.overlays(area, window.scale, now) if self.hud_visible else NO_OVERLAYS
        if self._uploaded is self._drawn and overlays is self._overlays and not window.damaged:
            return
        canvas.draw(area, self._settings.scaling, overlays)
        began = time.monotonic()
        window.swap()
        self.swap_s = time.monotonic() - began
        self._drawn, self._overlays = self._uploaded, overlays
