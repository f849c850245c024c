"""Reconnects to a lost device in the background, while the show goes on."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, runtime_checkable

from live.sound.source import Clock

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0  # before an attempt; doubled by each failure
STEADY_S = 10.0  # a device that was connected so long gets the first pause again


@runtime_checkable
class Link(Protocol):
    """An open device."""

    over: bool
    """Whether it has failed."""

    def close(self) -> None:
        """Close it in any state."""


L = TypeVar("L", bound=Link)


def in_background(job: Callable[[], None]) -> None:
    """Run a job in a daemon thread of its own."""
    threading.Thread(target=job, name="reopen sound", daemon=True).start()


class Reconnector(Generic[L]):
    """Keeps a link to a device as far as possible. `poll` never waits.

    connect: opens the device, or raises a PonticelloError.
    """

    def __init__(
        self, connect: Callable[[], L], now: Clock, spawn: Callable[[Callable[[], None]], None] = in_background
    ) -> None:
        self._connect, self._now, self._spawn = connect, now, spawn
        self._pause = FIRST_PAUSE_S
        self._since = 0.0  # start of the link, or its end
        self._next = 0.0
        self._busy = self._closed = False
        self._lock = threading.Lock()
        self._found: L | None = None
        self.link: L | None = None

    def open(self) -> L:
        """Open the device for the first time, while the caller waits. Raises what `connect` raises."""
        self.link = self._connect()
        self._since = self._now()
        return self.link

    @property
    def away_s(self) -> float:
        """Seconds without a link."""
        return self._now() - self._since

    def lose(self) -> None:
        """The link has failed: close it and start to reconnect."""
        link, now = self.link, self._now()
        if link is None:  # another thread closed it
            return
        self.link = None
        if now - self._since > STEADY_S:
            self._pause = FIRST_PAUSE_S
        self._since, self._next = now, now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
        self._spawn(link.close)

    def poll(self) -> L | None:
        """A link that was just re-established, once; starts the next attempt when it is due."""
        if self.link is not None or self._closed:
            return None
        if self._found is not None:
            self.link, self._found = self._found, None
            self._since = self._now()
            return self.link
        if not self._busy and self._now() >= self._next:
            self._busy = True
            self._spawn(self._try)
        return None

    def _try(self) -> None:
        try:
            found: L | None = self._connect()
        except Exception:  # not connected yet, or lost again while opening
            self._next = self._now() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
        else:
            with self._lock:
                if not self._closed:
                    self._found, found = found, None
            if found is not None:
                found.close()
        finally:
            self._busy = False

    def close(self) -> None:
        """Close the link and stop reconnecting."""
        with self._lock:
            self._closed = True
        for link in (self.link, self._found):
            if link is not None:
                link.close()
        self.link = self._found = None
