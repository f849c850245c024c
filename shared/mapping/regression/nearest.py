"""k-nearest neighbours with inverse-distance weights (Shepard 1968)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.mapping.regression.regressor import Regressor
from shared.mapping.regression.training import RegressorName, Training


@dataclass(frozen=True, eq=False)
class NearestRegressor(Regressor):
    """The mean of the nearest pairs' latents, weighted by distance^-power; at a pair, its own latent.

    inputs (n, d) float64, targets (n, latent) float32: the pairs. neighbours: how many take part, all where there are fewer.
    With neighbours = 1 the picture jumps from pair to pair; only with all of them is the mapping continuous.
    """

    inputs: Float64[np.ndarray, "n d"]
    targets: Float32[np.ndarray, "n latent"]
    neighbours: int = 3
    power: float = 2.0

    @property
    def name(self) -> RegressorName:
        """`nearest`."""
        return "nearest"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, outputs."""
        return self.inputs.shape[1], self.targets.shape[1]

    @property
    def arrays(self) -> dict[str, NDArray[np.float32] | NDArray[np.float64]]:
        """The pairs."""
        return {"inputs": self.inputs, "targets": self.targets}

    def predict(self, x: Float64[np.ndarray, "d"], /) -> Float32[np.ndarray, "latent"]:
        """The weighted mean."""
        squares = np.add.reduce(np.square(self.inputs - x), axis=1)
        chosen = np.argsort(squares, kind="stable")[: self.neighbours]
        nearest = squares[chosen]
        # Relative to the nearest, so that no power of a small distance overflows.
        weights = (nearest == 0).astype(np.float64) if nearest[0] == 0 else (nearest[0] / nearest) ** (self.power / 2)
        total = np.add.reduce(weights[:, None] * self.targets[chosen], axis=0)
        return np.asarray(total / np.add.reduce(weights), np.float32)

    @classmethod
    def fit(
        cls, inputs: Float64[np.ndarray, "n d"], targets: Float32[np.ndarray, "n latent"], training: Training
    ) -> "NearestRegressor":
        """Keep the pairs."""
        return cls(inputs.copy(), targets.copy(), training.neighbours, training.power)
