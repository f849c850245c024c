"""Limits on what one second may bring, so that no sender can keep the show from its pictures."""

import time
from collections.abc import Callable

MAX_SENDERS = 100


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


class RateLimits:
    """A token bucket for each sender, so that one cannot use up the limit of another."""

    def __init__(self, per_second: float, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._now = per_second, now
        self._limits: dict[object, RateLimit] = {}  # the longest silent sender first

    def allow(self, sender: object) -> bool:
        """Whether one more event of this sender is within the limit; counts it if so."""
        limit = self._limits.pop(sender, None) or RateLimit(self._per_second, self._now)
        self._limits[sender] = limit
        if len(self._limits) > MAX_SENDERS:
            del self._limits[next(iter(self._limits))]
        return limit.allow()
