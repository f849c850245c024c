"""What all regressors have in common."""

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.mapping.regression.training import RegressorName
from shared.stage import Memoryless

OnEpoch = Callable[[int, float], None]
"""Called with the number of an epoch, from 0, and its loss; an exception from it ends the fit."""


class Regressor(Memoryless[NDArray[np.float64], NDArray[np.float32]]):
    """(k, d) preprocessed descriptors in, (k, latent) float32 out, row by row: equal rows give equal bits."""

    losses: tuple[float, ...] = ()
    """Mean squared error before every epoch of the fit and after the last; empty where there are no epochs."""

    @property
    @abstractmethod
    def name(self) -> RegressorName:
        """As in the preset's settings."""

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """Inputs, hidden layers, outputs."""

    @property
    @abstractmethod
    def arrays(self) -> dict[str, NDArray[np.float32] | NDArray[np.float64]]:
        """Everything it has learned, by name."""

    @abstractmethod
    def predict(self, x: Float64[np.ndarray, "d"], /) -> Float32[np.ndarray, "latent"]:
        """The output for one row."""

    def process(self, block: Float64[np.ndarray, "k d"], /) -> Float32[np.ndarray, "k latent"]:
        """Predict, one row at a time."""
        out = np.empty((len(block), self.sizes[-1]), np.float32)
        for i, row in enumerate(block):
            out[i] = self.predict(row)
        return out
