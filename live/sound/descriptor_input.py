"""Descriptors from another program as the input (`--input osc`)."""

import math
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from live.sound.clock import SampleClock
from live.sound.source import LONGEST_GAP_S, QUIETEST_DB, Clock, FrameBlock, Source
from shared.audio.descriptors import DESCRIPTORS
from shared.errors import SettingError
from shared.stage import HOP, SAMPLE_RATE

LOUDNESS = DESCRIPTORS.index("loudness")


class OscFrames(Source):
    """One analysis frame per 512 samples of the clock: the latest one received, however often messages arrive.

    Until the first message the frames are silence, which the loudness gate blocks.
    """

    gives = "frames"

    def __init__(self, now: Clock = time.monotonic) -> None:
        super().__init__("descriptors by OSC", now)
        self._clock = SampleClock()
        self._frame: NDArray[np.float64] = np.zeros(len(DESCRIPTORS))
        self._frame[LOUDNESS] = QUIETEST_DB

    def start(self) -> None:
        """Start the clock."""
        self._clock.start(0, self._now())

    def close(self) -> None:
        """Do nothing."""

    def hold(self, descriptors: Sequence[float]) -> None:
        """Use these 23 descriptors, in the usual order and units, from now on. A value that is not finite keeps the old one.

        Raises SettingError for a count other than 23.
        """
        if len(descriptors) != len(DESCRIPTORS):
            raise SettingError(
                f"{len(descriptors)} descriptors given; allowed are {len(DESCRIPTORS)}: {', '.join(DESCRIPTORS)}"
            )
        given = np.array(descriptors, np.float64)
        finite = np.isfinite(given)
        self.counters.nonfinite += int(np.count_nonzero(~finite))
        self._frame = np.where(finite, given, self._frame)  # replaced as a whole: `read` may run
        self.level_db = float(self._frame[LOUDNESS])

    def read(self, timeout: float = 0.0) -> list[FrameBlock]:
        """One frame for each hop since the last call."""
        due = self._clock.time_of(self.position + HOP)
        time.sleep(max(0.0, min(due - self._now(), timeout)))
        now = self._now()
        hops = math.floor(self._clock.sample_at(now) - self.position) // HOP
        longest = round(LONGEST_GAP_S * SAMPLE_RATE) // HOP
        if hops > longest:  # the machine has slept
            self._clock.start(self.position + longest * HOP, now)
            hops = longest
        if hops <= 0:
            return []
        block = FrameBlock(self.position, np.tile(self._frame, (hops, 1)))
        self.position += hops * HOP
        return [block]

    def sample_at(self, time: float) -> float:
        """The sample at this time."""
        return self._clock.sample_at(time)

    def time_of(self, sample: float) -> float:
        """The time of this sample."""
        return self._clock.time_of(sample)
