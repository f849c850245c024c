"""Between the thread that receives and the loop that acts: nothing is lost that must be done, nothing old piles up."""

import threading

from live.osc.messages import Change, OscEvent


class Inbox:
    """Events in the order of their arrival. One thread puts, another takes; neither ever waits for the other's work.

    Of several changes of one control with nothing else between them only the latest is kept: a fader sends hundreds.
    Requests and questions are all kept, and changes never move across them: `smoothing 0.9`, `save`, `smoothing 0.1` saves
    0.9.
    """

    MOST = 1000  # requests and questions that wait: the loop takes them 30 times a second or more

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: list[OscEvent] = []
        self._latest: dict[str, Change] = {}  # since the last request or question
        self._waiting = 0

    def put(self, event: OscEvent) -> bool:
        """Keep an event for `take`; False, and it is not kept, where too many requests and questions wait already."""
        with self._lock:
            if isinstance(event, Change):
                self._latest.pop(event.name, None)
                self._latest[event.name] = event
                return True
            if self._waiting == self.MOST:
                return False
            self._waiting += 1
            self._ordered += [*self._latest.values(), event]
            self._latest.clear()
            return True

    def take(self) -> list[OscEvent]:
        """All events since the last time."""
        with self._lock:
            events = [*self._ordered, *self._latest.values()]
            self._ordered.clear()
            self._latest.clear()
            self._waiting = 0
        return events
