"""Players of sounds by grains: on a sound card, or silently by the clock."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from shared.sound_card.client import Device, SoundProcess
from shared.sound_card.grains import FASTEST, HOP, SLOWEST
from shared.sound_card.process import GRAIN_REPORT, RATE

KEPT = 64  # reports kept; those of blocks in the sound card's buffers are ahead of the clock


class Playhead(NamedTuple):
    """A position in samples at 44.1 kHz, and whether it plays or is scrubbed."""

    position: float
    is_moving: bool


@runtime_checkable
class GrainPlayer(Protocol):
    """Plays, scrubs or stops one sound at a time."""

    underflows: int
    over: bool

    def load(self, file: Path, samples: int) -> None:
        """Use a file of so many float32 samples at 44.1 kHz; what sounded stops."""

    def play(self, position: float) -> None:
        """Play from a sample on."""

    def scrub(self, position: float) -> None:
        """Stay at a sample and hear it."""

    def stop(self) -> None:
        """Stop at once; the playhead stays."""

    def set_speed(self, speed: float) -> None:
        """1/8 to 1; other values are moved into this range."""

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        """Repeat samples first to end; None: play to the end."""

    def set_volume(self, volume: float) -> None:
        """0 to 1."""

    def playhead(self) -> Playhead:
        """What is heard now."""

    def close(self) -> None:
        """End it."""


class CardPlayer:
    """Grains made in the process that owns the sound card. Raises NoPortAudio or Failure if it cannot play.

    underflows   blocks before which the sound system had a gap
    over         whether the device has failed and plays nothing more
    """

    def __init__(self, device: Device, now: Callable[[], float] = time.monotonic) -> None:
        self._process = SoundProcess({"do": "grains", "device": asdict(device)})
        self.rate: int = self._process.answer["rate"]
        self.underflows, self.over = 0, False
        self._now = now
        self._number = 0
        self._asked = Playhead(0.0, False)  # until the first report of the newest command
        self._reports: deque[tuple[int, float, float, float, bool]] = deque(maxlen=KEPT)
        threading.Thread(target=self._receive, name="sound card", daemon=True).start()

    def _receive(self) -> None:
        while data := self._process.read(GRAIN_REPORT.size):
            number, position, heard, speed, moves, gap = GRAIN_REPORT.unpack(data)
            self._reports.append((number, position, heard, speed, moves))
            self.underflows += gap
        self._process.release()
        self.over = True

    def load(self, file: Path, samples: int) -> None:
        """Use a file of so many float32 samples at 44.1 kHz; what sounded stops."""
        self._asked = Playhead(0.0, False)
        self._send(load=str(file))

    def play(self, position: float) -> None:
        """Play from a sample on."""
        self._asked = Playhead(position, True)
        self._send(play=position)

    def scrub(self, position: float) -> None:
        """Stay at a sample and hear it."""
        self._asked = Playhead(position, True)
        self._send(scrub=position)

    def stop(self) -> None:
        """Stop at once; the playhead stays."""
        self._asked = Playhead(self.playhead().position, False)
        self._send(stop=True)

    def set_speed(self, speed: float) -> None:
        """1/8 to 1; other values are moved into this range."""
        self._asked = self.playhead()
        self._send(speed=min(max(speed, SLOWEST), FASTEST))

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        """Repeat samples first to end; None: play to the end."""
        self._asked = self.playhead()
        self._send(loop=loop)

    def set_volume(self, volume: float) -> None:
        """0 to 1."""
        self._asked = self.playhead()
        self._send(volume=min(max(volume, 0.0), 1.0))

    def playhead(self) -> Playhead:
        """What is heard now, computed from the reports since the newest command and the clock."""
        now = self._now()
        newest = None
        for report in reversed(tuple(self._reports)):  # a copy, because the other thread appends to them
            if report[0] < self._number:
                break
            newest = report
            if report[2] <= now:
                break
        if newest is None:
            return self._asked
        _, position, heard, speed, moves = newest
        ahead = min(max(now - heard, 0.0) * RATE, 2 * HOP) * speed  # a device that hangs must not move the playhead
        return Playhead(position + ahead, moves)

    def close(self) -> None:
        """End it."""
        self._process.end()

    def _send(self, **command: object) -> None:
        self._number += 1
        self._process.write(json.dumps({"number": self._number, **command}).encode() + b"\n")


class SilentPlayer:
    """The same without a sound card: the playhead moves by the clock, and nothing is heard."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.underflows, self.over = 0, False
        self._now = now
        self._samples = 0
        self._speed = 1.0
        self._loop: tuple[int, int] | None = None
        self._position, self._since = 0.0, now()
        self._mode = "stopped"

    def load(self, file: Path, samples: int) -> None:
        """Use a sound of so many samples at 44.1 kHz."""
        self._samples, self._position, self._mode = samples, 0.0, "stopped"

    def play(self, position: float) -> None:
        """Play from a sample on."""
        self._position, self._since, self._mode = position, self._now(), "playing"

    def scrub(self, position: float) -> None:
        """Stay at a sample."""
        self._position, self._mode = position, "scrubbing"

    def stop(self) -> None:
        """Stop at once; the playhead stays."""
        self._advance()
        self._mode = "stopped"

    def set_speed(self, speed: float) -> None:
        """1/8 to 1; other values are moved into this range."""
        self._advance()
        self._speed = min(max(speed, SLOWEST), FASTEST)

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        """Repeat samples first to end; None: play to the end."""
        self._advance()
        self._loop = loop

    def set_volume(self, volume: float) -> None:
        """Nothing is heard."""

    def playhead(self) -> Playhead:
        """The playhead's position now."""
        self._advance()
        return Playhead(self._position, self._mode != "stopped")

    def close(self) -> None:
        """Do nothing."""

    def _advance(self) -> None:
        now = self._now()
        if self._mode == "playing":
            self._position += (now - self._since) * RATE * self._speed
            end = self._samples if self._loop is None else min(self._loop[1], self._samples)
            if self._position >= end and self._loop is not None and self._loop[0] < end:
                self._position = self._loop[0] + (self._position - end) % (end - self._loop[0])
            elif self._position >= end:
                self._position, self._mode = float(max(0, end - 1)), "stopped"
        self._since = now
