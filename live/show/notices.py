"""What has to be told to the player, from whatever thread: gathered here, shown by the main one."""

from collections import deque
from dataclasses import dataclass

from live.display.base import ErrorLines

MOST = 200  # that wait


@dataclass(frozen=True)
class Notice:
    """A line for the player."""

    text: str
    address: str = ""
    """The OSC address that was at fault, where one was."""
    wrong: bool = True
    """Whether something is wrong; False for good news."""
    sent: bool = False
    """Whether it has been sent by OSC already, to whoever caused it."""

    @property
    def line(self) -> str:
        """As it is shown."""
        return f"{self.address}: {self.text}" if self.address else self.text


class Notices:
    """Any thread tells, the main one takes. The same line comes again only after some seconds."""

    def __init__(self) -> None:
        self._new: deque[Notice] = deque(maxlen=MOST)
        self._filter = ErrorLines()

    def tell(self, text: str, address: str = "", wrong: bool = True, sent: bool = False) -> None:
        """Have a line shown; line breaks become spaces."""
        self._new.append(Notice(" ".join(text.split()), address, wrong, sent))

    def take(self) -> list[Notice]:
        """What is to be shown now."""
        taken = []
        while self._new:
            notice = self._new.popleft()
            self._filter.add(notice.line)
            if self._filter.take():
                taken.append(notice)
        return taken
