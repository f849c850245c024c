"""Linear regression: least squares, and ridge (Hoerl & Kennard 1970)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.mapping.regression.regressor import Regressor
from shared.mapping.regression.training import RegressorName, Training


@dataclass(frozen=True, eq=False)
class LinearRegressor(Regressor):
    """weight x + bias. weight (latent, d), bias (latent,): float64."""

    weight: Float64[np.ndarray, "latent d"]
    bias: Float64[np.ndarray, "latent"]
    kind: Literal["linear", "ridge"] = "linear"

    @property
    def name(self) -> RegressorName:
        """How it was fitted."""
        return self.kind

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, outputs."""
        return self.weight.shape[1], self.weight.shape[0]

    @property
    def arrays(self) -> dict[str, NDArray[np.float32] | NDArray[np.float64]]:
        """Weight and bias."""
        return {"weight": self.weight, "bias": self.bias}

    def predict(self, x: Float64[np.ndarray, "d"], /) -> Float32[np.ndarray, "latent"]:
        """One product."""
        return np.asarray(np.add.reduce(self.weight * x, axis=1) + self.bias, np.float32)

    @classmethod
    def fit(
        cls, inputs: Float64[np.ndarray, "n d"], targets: Float32[np.ndarray, "n latent"], training: Training
    ) -> "LinearRegressor":
        """Least squares; with fewer pairs than inputs, the solution with the smallest norm. `ridge`: with `alpha` |weight|^2 added."""
        from sklearn.linear_model import LinearRegression, Ridge

        kind: Literal["linear", "ridge"] = "ridge" if training.regressor == "ridge" else "linear"
        model = Ridge(alpha=training.alpha) if kind == "ridge" else LinearRegression()
        model.fit(inputs, targets.astype(np.float64))
        weight = np.ascontiguousarray(model.coef_, np.float64)
        return cls(weight, np.broadcast_to(model.intercept_, len(weight)).astype(np.float64), kind)
