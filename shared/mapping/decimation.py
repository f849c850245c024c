"""From analysis frames (44100 / 512 a second) to control ticks (30 a second), in integers, without drift."""

from fractions import Fraction
from math import gcd

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from shared.errors import SettingError
from shared.stage import HOP, SAMPLE_RATE, Stage, State

FASTEST, SLOWEST = 240, 1  # ticks a second


class Decimator(Stage[NDArray[np.float64], NDArray[np.float64]]):
    """(m, d) frames in, (k, d) ticks out: tick i is the mean of the frames whose centre lies in [i/fps, (i+1)/fps) s.

    An interval without a frame (rates above 86) repeats the last value. A tick is emitted with the last frame that
    belongs to it, never later. fps is a fraction: 30, 25, Fraction(30000, 1001), ...
    """

    def __init__(self, fps: Fraction | int = 30) -> None:
        self.fps = checked_rate(Fraction(fps))
        step = gcd(HOP * self.fps.numerator, SAMPLE_RATE * self.fps.denominator)
        # The last frame of a tick lies before the tick's end by this much at least: the two grids meet in multiples of `step`.
        self.latency = -(step // self.fps.numerator)
        self._hop, self._interval = HOP * self.fps.numerator, SAMPLE_RATE * self.fps.denominator  # in the same unit
        self._frames = self._ticks = self._count = 0
        self._sum: NDArray[np.float64] | None = None
        self._last: NDArray[np.float64] | None = None

    def process(self, block: Float64[np.ndarray, "m d"], /) -> Float64[np.ndarray, "k d"]:
        """Average the frames of every tick that is complete."""
        out = []
        for row in block:
            self._sum = row.copy() if self._sum is None else self._sum + row
            self._count += 1
            self._frames += 1
            while (self._ticks + 1) * self._interval <= self._frames * self._hop:
                if self._sum is not None:
                    self._last = self._sum / self._count
                    self._sum, self._count = None, 0
                assert self._last is not None  # the first frame belongs to the first tick
                out.append(self._last)
                self._ticks += 1
        return np.array(out) if out else np.empty((0, *block.shape[1:]))

    def reset(self) -> None:
        """Start before the first frame."""
        self._frames = self._ticks = self._count = 0
        self._sum = self._last = None

    def begin_at(self, frames: int, last: Float64[np.ndarray, "d"]) -> None:
        """Continue as if `frames` frames had passed and the last tick had been `last` (d,)."""
        self.reset()
        self._frames, self._ticks = frames, ticks_within(frames * HOP, self.fps)
        self._last = last.copy()

    def state(self) -> State:
        """Counters, the sum so far and the last tick (absent before the first)."""
        arrays = {"sum": self._sum, "last": self._last}
        counters = np.array([self._frames, self._ticks, self._count], np.int64)
        return {"counters": counters} | {name: array.copy() for name, array in arrays.items() if array is not None}

    def restore(self, state: State, /) -> None:
        """Continue counting from there."""
        self._frames, self._ticks, self._count = (int(n) for n in state["counters"])
        self._sum = state["sum"].copy() if "sum" in state else None
        self._last = state["last"].copy() if "last" in state else None


def checked_rate(fps: Fraction) -> Fraction:
    """`fps`, if it is in the allowed range. Raises SettingError."""
    if not SLOWEST <= fps <= FASTEST:
        raise SettingError(f"fps {fps} given; allowed are {SLOWEST} to {FASTEST}, also as a fraction like 30000/1001")
    return fps


def tick_end(tick: int, fps: Fraction) -> int:
    """The sample at which a tick's interval ends, rounded down: the last at which a change acts on it."""
    return (tick + 1) * SAMPLE_RATE * fps.denominator // fps.numerator


def ticks_within(samples: int, fps: Fraction, rate: int = SAMPLE_RATE) -> int:
    """The number of whole ticks in `samples` at `rate`: floor(samples fps / rate), in integers."""
    return samples * fps.numerator // (rate * fps.denominator)
