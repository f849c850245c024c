"""The head-up display: images to lay over the picture, drawn only when there is something new to be seen."""

import math

from live.display.hud_page import HudPage, Overlay
from live.display.hud_state import HudState
from live.display.placement import Size

SHORTEST_INTERVAL_S = 0.1
"""Between two looks: what changes faster cannot be read."""
ERROR_SECONDS = 10.0
ERROR_LINES = 3  # at most, the newest


class Hud:
    """Keeps the newest state, and its images.

    Times are in seconds of any clock that never goes back.
    """

    def __init__(self) -> None:
        self._state = HudState()
        self._errors: dict[str, float] = {}  # until when each is shown, the newest last
        self._page: HudPage | None = None
        self._overlays: tuple[Overlay, ...] = ()
        self._shown: tuple[HudState, tuple[str, ...]] | None = None
        self._drawn_at = -math.inf

    def inform(self, state: HudState, now: float) -> None:
        """Take in what is to be shown from now on."""
        old, new = self._state.errors, state.errors
        known = next(n for n in range(min(len(old), len(new)), -1, -1) if old[len(old) - n :] == new[:n])
        for line in new[known:]:
            self._errors.pop(line, None)
            self._errors[line] = now + ERROR_SECONDS
        self._state = state

    def overlays(self, area: Size, scale: float, now: float) -> tuple[Overlay, ...]:
        """The images for an area of pixels; the very same tuple until there are new ones.

        `scale` is the number of pixels to a point: 2 on most HiDPI screens.
        """
        if self._page is None or not self._page.fits(area, scale, self._state.names):
            self._page = HudPage(area, scale, self._state.names)
            self._shown = None
        elif now - self._drawn_at < SHORTEST_INTERVAL_S:
            return self._overlays
        self._errors = {line: until for line, until in self._errors.items() if until > now}
        content = (self._state, tuple(self._errors)[-ERROR_LINES:])
        if content != self._shown:
            self._overlays = self._page.draw(*content)
            self._shown, self._drawn_at = content, now
        return self._overlays
