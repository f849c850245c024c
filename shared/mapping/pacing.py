"""Followers of the latent vector that the sound itself paces, or that keep to a speed limit."""

from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.mapping.recursive import Recursive

Block = NDArray[Any]


class PacedFollower(Recursive):
    """Approaches its target as far as the sound has moved: a sound that stands still holds the picture.

    (k, 1 + size) in: the sound's movement since the last tick, in deviations, then the target; (k, size) out. The rest of
    the way shrinks by exp(-movement / pace - interval / settle). pace: deviations over which it shrinks to 1/e, 0 is
    off. settle_s: seconds in which it shrinks to 1/e under a sound that does not move. Both may change between blocks.
    rate: items per second.
    """

    def __init__(self, rate: float, pace: float = 0.0, settle_s: float = 2.0) -> None:
        super().__init__()
        self.pace, self.settle_s = pace, settle_s
        self._interval = 1 / rate

    def process(self, block: Block, /) -> Block:
        """Follow the targets."""
        out = np.empty_like(block[:, 1:])
        for i, row in enumerate(block):
            movement, target = float(row[0]), row[1:]
            if self._last is None or self.pace <= 0:
                self._last = target.copy()
            else:
                share = 1 - exp(-movement / self.pace - self._interval / self.settle_s)
                self._last = self._last + row.dtype.type(share) * (target - self._last)
            out[i] = self._last
        return out


class SpeedLimit(Recursive):
    """(k, size) in and out: moves straight to the input, at most so far per item.

    limit: distance per second, 0 is off. It may change between blocks. rate: items per second.
    """

    def __init__(self, rate: float, limit: float = 0.0) -> None:
        super().__init__()
        self.limit = limit
        self._interval = 1 / rate

    def process(self, block: Block, /) -> Block:
        """Follow within the limit."""
        out = np.empty_like(block)
        for i, row in enumerate(block):
            self._last = row.copy() if self._last is None else self._moved(self._last, row)
            out[i] = self._last
        return out

    def _moved(self, start: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
        way = target - start
        distance = float(np.sqrt(np.sum(np.square(way, dtype=np.float64))))
        longest = self.limit * self._interval
        if self.limit <= 0 or distance <= longest:
            return target.copy()
        return np.asarray(start + way.dtype.type(longest / distance) * way)
