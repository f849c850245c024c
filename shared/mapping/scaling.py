"""Standardising: every descriptor to mean 0 and standard deviation 1 over a corpus."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from shared.stage import Memoryless


@dataclass(frozen=True, eq=False)
class Standardizer(Memoryless[NDArray[np.float64], NDArray[np.float64]]):
    """(m, d) raw descriptors in, (m, d) standardised out: (x - mean) / deviation.

    mean, deviation (d,): in the descriptors' own units; a deviation of zero counts as 1.
    """

    mean: Float64[np.ndarray, "d"]
    deviation: Float64[np.ndarray, "d"]

    @classmethod
    def fit(cls, frames: Float64[np.ndarray, "m d"]) -> "Standardizer":
        """Mean and population standard deviation of a corpus of at least one frame."""
        return cls(frames.mean(axis=0), frames.std(axis=0))

    def process(self, block: Float64[np.ndarray, "m d"], /) -> Float64[np.ndarray, "m d"]:
        """Every row standardised."""
        return np.asarray((block - self.mean) / self._divisor)

    def undone(self, block: Float64[np.ndarray, "m d"]) -> Float64[np.ndarray, "m d"]:
        """The inverse: raw descriptors of standardised rows."""
        return np.asarray(block * self._divisor + self.mean)

    def rescaled(self, block: Float64[np.ndarray, "m d"], other: "Standardizer") -> Float64[np.ndarray, "m d"]:
        """Rows that `other` standardised, standardised by this one; the same bits if both are equal."""
        return block if self.equals(other) else self.process(other.undone(block))

    def equals(self, other: "Standardizer") -> bool:
        """Whether both have the same numbers, bit for bit."""
        return np.array_equal(self.mean, other.mean) and np.array_equal(self.deviation, other.deviation)

    def subset(self, columns: Sequence[int]) -> "Standardizer":
        """A scaler of these descriptors alone."""
        chosen = list(columns)
        return Standardizer(self.mean[chosen], self.deviation[chosen])

    def for_columns(self, columns: Sequence[int], own: "Standardizer") -> "Standardizer":
        """The scaler of these columns of a frame: this one's, or `own` (for these columns) where it has no such column."""
        chosen, here = np.array(columns), np.array(columns) < len(self.mean)
        mean, deviation = own.mean.copy(), own.deviation.copy()
        mean[here], deviation[here] = self.mean[chosen[here]], self.deviation[chosen[here]]
        return Standardizer(mean, deviation)

    @cached_property
    def _divisor(self) -> Float64[np.ndarray, "d"]:
        return np.where(self.deviation == 0.0, 1.0, self.deviation)
