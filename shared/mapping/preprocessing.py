"""Transforms of standardised descriptors before a regressor learns or predicts from them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from shared.mapping.regression.training import PreprocessingName
from shared.stage import Memoryless

KEPT_VARIANCE = 0.99  # by `whitened`, as by the map of the corpus


@dataclass(frozen=True, eq=False)
class Preprocessing(Memoryless[NDArray[np.float64], NDArray[np.float64]]):
    """(k, d) standardised descriptors in, (k, e) out: matrix (x - centre).

    centre (d,), matrix (e, d). Smoothing and decimation are linear, so that it makes no difference whether this acts
    before them or, as here, after them; weights and offsets stay in standardised units.

    name: `robust`: the median becomes 0 and the range between the quartiles that of a normal distribution of deviation 1,
    so that rare extremes do not set the scale. `whitened`: the principal components that keep 99 % of the variance, each
    with deviation 1. (`standard` changes nothing and has no object of this class.)
    """

    name: PreprocessingName
    centre: Float64[np.ndarray, "d"]
    matrix: Float64[np.ndarray, "e d"]

    def process(self, block: Float64[np.ndarray, "k d"], /) -> Float64[np.ndarray, "k e"]:
        """Transform, one row at a time."""
        out = np.empty((len(block), len(self.matrix)))
        for i, row in enumerate(block):
            out[i] = np.add.reduce(self.matrix * (row - self.centre), axis=1)
        return out

    @classmethod
    def fit(cls, name: PreprocessingName, corpus: Float64[np.ndarray, "m d"]) -> "Preprocessing | None":
        """Fit to the standardised frames of a corpus; None for `standard`."""
        if name == "standard":
            return None
        if name == "robust":
            from sklearn.preprocessing import RobustScaler

            scaler = RobustScaler(unit_variance=True).fit(corpus)
            return cls(name, scaler.center_.copy(), np.diag(1 / scaler.scale_))
        from sklearn.decomposition import PCA

        pca = PCA(svd_solver="covariance_eigh").fit(corpus)
        total = np.cumsum(pca.explained_variance_ratio_)
        kept = min(1 + int(np.searchsorted(total, KEPT_VARIANCE)), int((pca.explained_variance_ > 0).sum()))
        components = pca.components_[:kept] / np.sqrt(pca.explained_variance_[:kept, None])
        return cls(name, pca.mean_.copy(), np.ascontiguousarray(components))
