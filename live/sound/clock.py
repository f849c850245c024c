"""Which sample is at the ear, or at the microphone, when: the bridge between sample counts and the monotonic clock."""

from collections import deque

import numpy as np

from shared.stage import SAMPLE_RATE

STAMPS = 256  # the newest, 3 s of blocks
FITTED_EVERY = 32  # stamps
TRUSTED_SPAN_S = 1.0  # of stamps, from which on they tell the rate too
LARGEST_DRIFT = 1e-3  # of a sound card's clock; quartz keeps within 1e-4
STRAY_S, STRAYS = 0.004, 6  # stamps that are so far off are left out, until so many in a row agree that time has jumped
MOST_STRAYS = 64  # in a row are left out even where they do not agree: a system that stumbles is followed all the same


class SampleClock:
    """A line from time (s, monotonic) to 44.1 kHz samples: through `start`, and then through what is observed.

    One stamp of a sound card is off by milliseconds now and then; a line through the last three seconds is not. Without
    stamps the line goes on at the rate it has, which is the clock of a source that has no sound card.
    """

    def __init__(self) -> None:
        # a sample, its time, samples a second; replaced as a whole, as other threads read it
        self._line = (0.0, 0.0, float(SAMPLE_RATE))
        self._stamps: deque[tuple[float, float]] = deque(maxlen=STAMPS)  # sample, time
        self._strays: deque[tuple[float, float]] = deque(maxlen=STRAYS)
        self._unfitted = self._strayed = 0

    def start(self, sample: float, time: float, speed: float = 1.0) -> None:
        """Anew, from this sample at this time, at `speed` times 44.1 kHz."""
        self._line = (sample, time, speed * SAMPLE_RATE)
        self._stamps.clear()
        self._strays.clear()
        self._unfitted = self._strayed = 0

    def sample_at(self, time: float) -> float:
        """The sample at this time (s)."""
        origin, its_time, rate = self._line
        return origin + rate * (time - its_time)

    def time_of(self, sample: float) -> float:
        """The time (s) of this sample."""
        origin, its_time, rate = self._line
        return its_time + (sample - origin) / rate

    def observe(self, sample: float, time: float) -> float:
        """A stamp: this sample was at the converter at this time (s).

        Where it is the one that shows that time has jumped (sound was lost, or came twice), the jump in s; else 0.
        """
        off = time - self.time_of(sample)
        if not self._stamps or abs(off) <= STRAY_S:
            self._strays.clear()
            self._strayed = 0
            self._stamps.append((sample, time))
            self._unfitted += 1
            if self._unfitted >= min(FITTED_EVERY, len(self._stamps) // 2):
                self._fit()
            return 0.0
        self._strays.append((sample, time))
        self._strayed += 1
        offs = [t - self.time_of(s) for s, t in self._strays]
        agree = len(offs) == STRAYS and max(offs) - min(offs) <= STRAY_S
        if not agree and self._strayed < MOST_STRAYS:
            return 0.0
        self._strayed = 0
        self._stamps.clear()
        self._stamps.extend(self._strays)
        self._strays.clear()
        self._fit()
        return min(offs, key=abs)

    def _fit(self) -> None:
        """Least squares over the stamps; the rate stays nominal while they span too little to tell."""
        samples, times = np.array(self._stamps).T
        self._unfitted = 0
        sample, time, rate = samples.mean(), times.mean(), float(SAMPLE_RATE)
        if times[-1] - times[0] >= TRUSTED_SPAN_S:
            from_mean = times - time
            slope = from_mean @ (samples - sample) / (from_mean @ from_mean)
            rate = float(np.clip(slope, SAMPLE_RATE * (1 - LARGEST_DRIFT), SAMPLE_RATE * (1 + LARGEST_DRIFT)))
        self._line = (float(sample), float(time), rate)
