"""Regression: from standardised descriptors to a latent vector, learned from pairs."""

from shared.mapping.regression.fitting import fit
from shared.mapping.regression.mlp import MLPRegressor
from shared.mapping.regression.regressor import Regressor
from shared.mapping.regression.training import REGRESSORS, Activation, RegressorName, Training

__all__ = ["REGRESSORS", "Activation", "MLPRegressor", "Regressor", "RegressorName", "Training", "fit"]
