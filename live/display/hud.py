"""The head-up display: overlays for the picture, drawn only when their content changes."""

import math
from collections.abc import Iterable

from live.display.hud_page import HudPage, Overlay
from live.display.hud_state import HudState
from live.display.placement import Size

SHORTEST_INTERVAL_S = 0.1
"""Between two updates: nobody can read faster changes."""
ERROR_SECONDS = 10.0
ERROR_LINES = 3  # the newest


class Hud:
    """Keeps the newest state and its overlays. Times are in seconds of any monotonic clock."""

    def __init__(self) -> None:
        self._state = HudState()
        self._lines: dict[str, float] = {}  # lines along the lower edge and until when they are shown, the newest last
        self._page: HudPage | None = None
        self._overlays: tuple[Overlay, ...] = ()
        self._shown: tuple[HudState, tuple[str, ...]] | None = None
        self._drawn_at = -math.inf

    def inform(self, state: HudState, now: float) -> None:
        """Show this state from now on."""
        old, new = self._state.errors, state.errors
        known = next(n for n in range(min(len(old), len(new)), -1, -1) if old[len(old) - n :] == new[:n])
        self.show_lines(new[known:], now)
        self._state = state

    def show_lines(self, lines: Iterable[str], now: float) -> None:
        """Show lines along the lower edge for some seconds."""
        for line in lines:
            self._lines.pop(line, None)
            self._lines[line] = now + ERROR_SECONDS

    def overlays(self, area: Size, scale: float, now: float) -> tuple[Overlay, ...]:
        """The overlays for an area in pixels; the same tuple object until they change.

        scale: pixels per point, 2 on most HiDPI screens.
        """
        if self._page is None or not self._page.fits(area, scale, self._state.names):
            self._page = HudPage(area, scale, self._state.names)
            self._shown = None
        elif now - self._drawn_at < SHORTEST_INTERVAL_S:
            return self._overlays
        self._lines = {line: until for line, until in self._lines.items() if until > now}
        content = (self._state, tuple(self._lines)[-ERROR_LINES:])
        if content != self._shown:
            self._overlays = self._page.draw(*content)
            self._shown, self._drawn_at = content, now
        return self._overlays
