"""The queue between the thread that receives OSC and the loop that acts on it."""

import threading

from live.osc.endpoints import Endpoint
from live.osc.messages import Change, OscEvent


class Inbox:
    """Events in order of arrival. One thread puts, another takes; neither waits for the other's work.

    Of several changes of one control in a row only the latest is kept: a fader sends hundreds. Requests and queries are all
    kept, and changes never move past them: `smoothing 0.9`, `save`, `smoothing 0.1` saves 0.9.
    """

    MAX_PER_SENDER = 1000  # requests and queries in the queue: the loop takes them 30 times a second or more
    MAX = 4000  # of all senders

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: list[OscEvent] = []
        self._latest: dict[str, Change] = {}  # since the last request or query
        self._queued: dict[Endpoint, int] = {}  # requests and queries by sender

    def put(self, event: OscEvent) -> bool:
        """Queue an event for `take`. False, and the event is dropped, if too many are in the queue."""
        with self._lock:
            if isinstance(event, Change):
                self._latest.pop(event.name, None)
                self._latest[event.name] = event
                return True
            queued = self._queued.get(event.sender, 0)
            if queued == self.MAX_PER_SENDER or len(self._ordered) >= self.MAX:
                return False
            self._queued[event.sender] = queued + 1
            self._ordered += [*self._latest.values(), event]
            self._latest.clear()
            return True

    def take(self) -> list[OscEvent]:
        """All events since the last call."""
        with self._lock:
            events = [*self._ordered, *self._latest.values()]
            self._ordered.clear()
            self._latest.clear()
            self._queued.clear()
        return events
