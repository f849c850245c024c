"""Maps sample counts to the monotonic clock: which sample is at the microphone, or at the ear, when."""

from collections import deque

import numpy as np

from shared.stage import SAMPLE_RATE

STAMPS = 256  # newest time stamps: 3 s of blocks
FITTED_EVERY = 32  # stamps
TRUSTED_SPAN_S = 1.0  # of stamps, from which on they determine the rate, too
LARGEST_DRIFT = 1e-3  # relative, of a sound card's clock; quartz keeps within 1e-4
STRAY_S, STRAYS = 0.004, 6  # stamps further off are ignored, until so many in a row agree that time has jumped
MAX_STRAYS = 64  # ignored in a row, even if they do not agree: an erratic system is followed all the same


class SampleClock:
    """A line from time (s, monotonic) to 44.1 kHz samples: from `start`, then fitted to observed time stamps.

    A single stamp of a sound card may be off by milliseconds; a line through the last three seconds is not. Without stamps
    the line continues at its rate, which is the clock of a source without a sound card.
    """

    def __init__(self) -> None:
        # sample, its time, samples per second; replaced as a whole, since other threads read it
        self._line = (0.0, 0.0, float(SAMPLE_RATE))
        self._stamps: deque[tuple[float, float]] = deque(maxlen=STAMPS)  # sample, time
        self._strays: deque[tuple[float, float]] = deque(maxlen=STRAYS)
        self._unfitted = self._strayed = 0

    def start(self, sample: float, time: float, speed: float = 1.0) -> None:
        """Restart from this sample at this time, at `speed` times 44.1 kHz."""
        self._line = (sample, time, speed * SAMPLE_RATE)
        self._stamps.clear()
        self._strays.clear()
        self._unfitted = self._strayed = 0

    def sample_at(self, time: float) -> float:
        """The sample at this time (s)."""
        origin, origin_time, rate = self._line
        return origin + rate * (time - origin_time)

    def time_of(self, sample: float) -> float:
        """The time (s) of this sample."""
        origin, origin_time, rate = self._line
        return origin_time + (sample - origin) / rate

    def observe(self, sample: float, time: float) -> float:
        """Add a stamp: this sample was at the converter at this time (s).

        Returns the jump in seconds if this stamp shows that time has jumped (sound was lost or repeated), else 0.
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
        if not agree and self._strayed < MAX_STRAYS:
            return 0.0
        self._strayed = 0
        self._stamps.clear()
        self._stamps.extend(self._strays)
        self._strays.clear()
        self._fit()
        return min(offs, key=abs)

    def _fit(self) -> None:
        """Least squares over the stamps; the rate stays nominal while they span too little time."""
        samples, times = np.array(self._stamps).T
        self._unfitted = 0
        sample, time, rate = samples.mean(), times.mean(), float(SAMPLE_RATE)
        if times[-1] - times[0] >= TRUSTED_SPAN_S:
            from_mean = times - time
            slope = from_mean @ (samples - sample) / (from_mean @ from_mean)
            rate = float(np.clip(slope, SAMPLE_RATE * (1 - LARGEST_DRIFT), SAMPLE_RATE * (1 + LARGEST_DRIFT)))
        self._line = (float(sample), float(time), rate)
