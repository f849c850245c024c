"""Limits on what one second may bring, so that no sender can keep the show from its pictures."""

import time
from collections.abc import Callable


class RateLimit:
    """A token bucket: `per_second` events a second on average, at most `per_second` of them at once.

    now: the clock in seconds, `time.monotonic` unless a test passes its own.
    """

    def __init__(self, per_second: float, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._now = per_second, now
        self._tokens, self._filled = per_second, now()

    def allow(self) -> bool:
        """Whether one more event is within the limit; counts it if so."""
        now = self._now()
        self._tokens = min(self._per_second, self._tokens + (now - self._filled) * self._per_second)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
