"""The parts of a show that its actions work with."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from live.osc.endpoints import Endpoint
from live.osc.port import OscPort
from live.show.engine import Engine
from live.show.notices import Notices
from live.show.private_paths import without_paths
from live.show.timing import Timing
from live.sound.source import Source
from shared.background import Background, Then

CLOSING_S = 5.0


@dataclass(frozen=True)
class ActionCall:
    """A call of an action. A key has no address and no sender."""

    argument: str | float | bool | None = None
    address: str = ""
    sender: Endpoint | None = None


class Lanes:
    """Three background threads, so that a long training delays neither a preset change nor a recording."""

    def __init__(self) -> None:
        self.loading, self.learning, self.writing = (Background(name) for name in ("loading", "learning", "writing"))

    def start(self) -> None:
        """Start the threads."""
        for lane in self._all:
            lane.start()

    def close(self) -> None:
        """Finish what is to be saved, for at most five seconds; presets that still wait are not loaded any more."""
        end = time.monotonic() + CLOSING_S
        for lane in self._all:
            lane.stop(finish=lane is not self.loading)
        for lane in self._all:
            lane.close(max(0.0, end - time.monotonic()))

    def done(self) -> list[Then]:
        """What the main thread has to do now for the jobs that are done."""
        return [then for lane in self._all for then in lane.done()]

    @property
    def _all(self) -> tuple[Background, ...]:
        return self.loading, self.learning, self.writing


@dataclass(frozen=True)
class ShowContext:
    """What actions read, change and report to."""

    source: Source
    engine: Engine
    timing: Timing
    port: OscPort
    notices: Notices
    lanes: Lanes
    folders: tuple[Path, ...] = ()
    """Of presets, generators, the sound file, the hall file and recordings: they stay on this computer."""

    def refuse(self, call: ActionCall, reason: str) -> None:
        """Report that a call failed: to its sender and to the player, up to 20 times a second."""
        if call.sender is None:
            self.notices.tell(reason, call.address)
        elif self.port.error(
            call.address, reason, call.sender, without_paths(reason, self.folders, str(call.argument))
        ):
            self.notices.tell(reason, call.address, sent=True)

    def run(
        self, lane: Background, call: ActionCall, work: Callable[[], Then], kind: str = "", every_s: float = 0
    ) -> None:
        """Run a job in the background; report it if it fails. kind, every_s: as in `Background.do`, for each sender."""
        lane.do(work, partial(self.refuse, call), kind, call.sender, every_s)
