"""Lines for the player, from any thread: collected here, shown by the main thread."""

from collections import deque
from dataclasses import dataclass

from live.display.base import ErrorLines
from live.rate_limit import RateLimit
from shared.errors import printable

MAX_WAITING = 200
LINES_PER_S = 20
REFUSALS_PER_S = 5  # of OSC messages, which are also reported to their senders


@dataclass(frozen=True)
class Notice:
    """A line for the player."""

    text: str
    address: str = ""
    """The OSC address that caused it, if one did."""
    wrong: bool = True
    """Whether something is wrong; False for confirmations."""
    sent: bool = False
    """Whether it was sent by OSC already, to the sender that caused it."""

    @property
    def line(self) -> str:
        """The text as it is shown."""
        return f"{self.address}: {self.text}" if self.address else self.text


class Notices:
    """Any thread tells, the main thread takes. A line is repeated after some seconds only.

    At most 20 lines a second are shown, and 5 refusals of OSC messages: a flood hides nothing else.
    """

    def __init__(self) -> None:
        self._new: deque[Notice] = deque(maxlen=MAX_WAITING)
        self._filter = ErrorLines()
        self._lines, self._refusals = RateLimit(LINES_PER_S), RateLimit(REFUSALS_PER_S)

    def tell(self, text: str, address: str = "", wrong: bool = True, sent: bool = False) -> None:
        """Have a line shown; line breaks become spaces, control characters are escaped."""
        self._new.append(Notice(printable(" ".join(text.split())), printable(address), wrong, sent))

    def take(self) -> list[Notice]:
        """The lines to show now."""
        taken = []
        while self._new:
            notice = self._new.popleft()
            self._filter.add(notice.line)
            limit = self._refusals if notice.sent else self._lines
            if self._filter.take() and limit.allow():
                taken.append(notice)
        return taken
