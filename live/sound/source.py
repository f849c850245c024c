"""What a show hears: a source hands on sound in blocks, and never anything but sound."""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float32, Float64

Clock = Callable[[], float]
"""Seconds that only ever grow: `time.monotonic`, or what a test puts in its place."""

QUIETEST_DB = -160.0
LONGEST_GAP_S = (
    10.0  # a gap is filled with so much silence at most: after a sleep of the machine, time goes on from there
)


@dataclass(frozen=True, eq=False)
class Block:
    """Sound at 44.1 kHz: float32 (n,), finite; `position` counts the samples that went before."""

    position: int
    samples: Float32[np.ndarray, "n"]


@dataclass(frozen=True, eq=False)
class FrameBlock:
    """Analysis frames made elsewhere: float64 (m, 23), finite; frame i stands for sample `position` + 512 i."""

    position: int
    frames: Float64[np.ndarray, "m 23"]


@dataclass
class SoundCounters:
    """What went wrong so far. None of it stops the show."""

    overflows: int = 0
    """Blocks before which the sound system says that it lost sound."""
    xruns: int = 0
    """Blocks of silence that the loudspeakers got because ours were late."""
    gaps: int = 0
    """Times that sound was missing and silence was put in its place, so that sample counts stay true."""
    gap_samples: int = 0
    """How much that was, at 44.1 kHz; the time without a device is part of it."""
    nonfinite: int = 0
    """Samples that were NaN, infinite or absurdly loud; they became 0."""
    reopened: int = 0
    """Times that a device came back."""


class Source(ABC):
    """A stream of sound that never ends and never fails once it has started.

    It goes on in silence where there is nothing to hear (a device that is gone, a file at its end or paused), in the time
    of the clock: ticks keep coming, controls keep acting, and the loudness gate holds the last frame that sounded. What
    happened is told by `counters` and `errors`. One thread reads; all else may be called from any thread.
    """

    gives: ClassVar[Literal["samples", "frames"]] = "samples"
    """What `read` returns: Blocks for "samples", FrameBlocks for "frames"."""

    def __init__(self, label: str, now: Clock) -> None:
        self.label = label
        self.position = 0
        """44.1 kHz samples handed on so far."""
        self.counters = SoundCounters()
        self.level_db = QUIETEST_DB
        """Peak of the newest sound handed on, in dB relative to full scale."""
        self._now = now
        self._notices: deque[str] = deque(maxlen=100)

    @abstractmethod
    def start(self) -> None:
        """Begin; from here on time passes. UserError or Failure where it cannot."""

    @abstractmethod
    def close(self) -> None:
        """End it and free the device. It may be called twice."""

    @abstractmethod
    def read(self, timeout: float = 0.0) -> list[Block] | list[FrameBlock]:
        """All that has come since the last call, waiting up to `timeout` seconds for something to come. Never raises."""

    @abstractmethod
    def sample_at(self, time: float) -> float:
        """The sample that is at the microphone (or the ear, for a file) at a time of the clock."""

    @abstractmethod
    def time_of(self, sample: float) -> float:
        """The time of the clock at which a sample was, or will be, at the microphone (or the ear, for a file)."""

    @property
    def delay_samples(self) -> int:
        """44.1 kHz samples from the microphone to the earliest `read` that can give them, at most; 0 for what has none."""
        return 0

    @property
    def ended(self) -> bool:
        """Whether all there was has been read: only a file's end is one."""
        return False

    def errors(self) -> list[str]:
        """What has happened since the last call, a line each."""
        told = []
        while self._notices:
            told.append(self._notices.popleft())
        return told

    def tell(self, line: str) -> None:
        """A line for `errors`."""
        self._notices.append(line)

    def _block(self, samples: Float32[np.ndarray, "n"]) -> Block:
        """The next samples as a block: they are counted and their level is taken."""
        block = Block(self.position, samples)
        self.position += len(samples)
        if len(samples):
            peak = float(np.abs(samples).max())
            self.level_db = max(QUIETEST_DB, 20 * math.log10(peak)) if peak > 0 else QUIETEST_DB
        return block
