"""Fit the regressor that the settings name."""

import numpy as np
from jaxtyping import Float32, Float64

from shared.mapping.regression.kernels import KernelRegressor
from shared.mapping.regression.linear import LinearRegressor
from shared.mapping.regression.mlp import MLPRegressor
from shared.mapping.regression.nearest import NearestRegressor
from shared.mapping.regression.regressor import OnEpoch, Regressor
from shared.mapping.regression.training import Training


def fit(
    inputs: Float64[np.ndarray, "n d"],
    targets: Float32[np.ndarray, "n latent"],
    training: Training,
    on_epoch: OnEpoch | None = None,
) -> Regressor:
    """A regressor fitted to n pairs, one at least. The same pairs, settings and libraries give the same bits.

    on_epoch: called before the step of every epoch of an MLP, up to `training.epochs_of(n)` times in all.
    """
    match training.regressor:
        case "mlp":
            return MLPRegressor.fit(inputs, targets, training, on_epoch)
        case "nearest":
            return NearestRegressor.fit(inputs, targets, training)
        case "rbf":
            return KernelRegressor.fit_rbf(inputs, targets, training)
        case "gaussian_process":
            return KernelRegressor.fit_gaussian_process(inputs, targets, training)
        case "ridge" | "linear":
            return LinearRegressor.fit(inputs, targets, training)
