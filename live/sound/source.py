"""The input of a show: a source hands on sound in blocks."""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float32, Float64

Clock = Callable[[], float]
"""A monotonic clock in seconds: `time.monotonic`, or a replacement in tests."""

QUIETEST_DB = -160.0
LONGEST_GAP_S = 10.0  # of silence that fills a gap; when the machine was suspended longer, time continues from there


@dataclass(frozen=True, eq=False)
class Block:
    """Sound at 44.1 kHz: float32 (n,), finite. position: samples before it."""

    position: int
    samples: Float32[np.ndarray, "n"]


@dataclass(frozen=True, eq=False)
class FrameBlock:
    """Analysis frames computed elsewhere: float64 (m, 23), finite. Frame i stands for sample `position` + 512 i."""

    position: int
    frames: Float64[np.ndarray, "m 23"]


@dataclass
class SoundCounters:
    """Problems so far. None of them stops the show."""

    overflows: int = 0
    """Blocks before which the sound system lost sound."""
    xruns: int = 0
    """Blocks of silence that were played because ours were late."""
    gaps: int = 0
    """Times that missing sound was replaced by silence, so that sample counts stay correct."""
    gap_samples: int = 0
    """Samples of such silence at 44.1 kHz, including the time without a device."""
    nonfinite: int = 0
    """Samples that were NaN, infinite or absurdly loud and were set to 0."""
    reopened: int = 0
    """Times that a device was reconnected."""


class Source(ABC):
    """A stream of sound that never ends and never fails once it has started.

    Without sound (a disconnected device, a file that is paused or at its end) it continues with silence at the pace of the
    clock: ticks and controls go on, and the loudness gate holds the last frame that sounded. `counters` and `errors`
    report problems. One thread reads; everything else can be called from any thread.
    """

    gives: ClassVar[Literal["samples", "frames"]] = "samples"
    """What `read` returns: Blocks for "samples", FrameBlocks for "frames"."""

    def __init__(self, label: str, now: Clock) -> None:
        self.label = label
        self.file: Path | None = None
        """The sound file that plays."""
        self.position = 0
        """44.1 kHz samples handed on so far."""
        self.counters = SoundCounters()
        self.level_db = QUIETEST_DB
        """Peak of the newest block, in dB relative to full scale."""
        self._now = now
        self._notices: deque[str] = deque(maxlen=100)

    @abstractmethod
    def start(self) -> None:
        """Start; time passes from here on. Raises UserError or Failure."""

    @abstractmethod
    def close(self) -> None:
        """Stop and free the device. Can be called twice."""

    @abstractmethod
    def read(self, timeout: float = 0.0) -> list[Block] | list[FrameBlock]:
        """The blocks since the last call, waiting up to `timeout` seconds for one. Never raises."""

    @abstractmethod
    def sample_at(self, time: float) -> float:
        """The sample at the microphone (or the ear, for a file) at a time of the clock."""

    @abstractmethod
    def time_of(self, sample: float) -> float:
        """The time of the clock at which a sample is at the microphone (or the ear, for a file)."""

    @property
    def delay_samples(self) -> int:
        """44.1 kHz samples from the microphone to the earliest `read` that can return them, at most; 0 without a delay."""
        return 0

    @property
    def ended(self) -> bool:
        """Whether everything was read; only a file ends."""
        return False

    def errors(self) -> list[str]:
        """Messages since the last call, one line each."""
        lines = []
        while self._notices:
            lines.append(self._notices.popleft())
        return lines

    def tell(self, line: str) -> None:
        """Add a line to `errors`."""
        self._notices.append(line)

    def _block(self, samples: Float32[np.ndarray, "n"]) -> Block:
        """The next samples as a block; counts them and measures their level."""
        block = Block(self.position, samples)
        self.position += len(samples)
        if len(samples):
            peak = float(np.abs(samples).max())
            self.level_db = max(QUIETEST_DB, 20 * math.log10(peak)) if peak > 0 else QUIETEST_DB
        return block
