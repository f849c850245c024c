"""Distances of two sets of features: Fréchet, kernel, precision and recall."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Real = Float[np.ndarray, "n d"]
Fake = Float[np.ndarray, "m d"]
NEIGHBOURS = 3


class PrecisionRecall(NamedTuple):
    """precision: share of generated images that look real. recall: share of real images that could be generated."""

    precision: float
    recall: float


def frechet_distance(real: Real, fake: Fake) -> float:
    """Squared Fréchet distance of the Gaussians with both sets' means and covariances (Dowson and Landau 1982).

    It falls with the number of images in a set: compare only values of equal numbers.
    """
    difference = real.mean(axis=0) - fake.mean(axis=0)
    a, b = (np.cov(features.astype(np.float64), rowvar=False, ddof=1) for features in (real, fake))
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    mixed = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
    return float(difference @ difference + np.trace(a) + np.trace(b) - 2 * mixed)


def kernel_distance(real: Real, fake: Fake) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (a . b / d + 1)^3 (Binkowski et al. 2018)."""
    d = real.shape[1]
    within = []
    for features in (real, fake):
        kernel = (features @ features.T / d + 1) ** 3
        n = len(features)
        within.append((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
    between = ((real @ fake.T / d + 1) ** 3).mean()
    return float(within[0] + within[1] - 2 * between)


def precision_recall(real: Real, fake: Fake, k: int = NEIGHBOURS) -> PrecisionRecall:
    """Shares of each set within the reach of the other: the distance of its members to their k-th neighbours
    (Kynkäänniemi et al. 2019).
    """
    between = _distances(fake, real)
    return PrecisionRecall(
        float((between <= _reach(real, k)[None]).any(axis=1).mean()),
        float((_reach(fake, k)[None] >= between.T).any(axis=1).mean()),
    )


def _reach(features: Real, k: int) -> Float[np.ndarray, "n"]:
    return np.asarray(np.sort(_distances(features, features), axis=1)[:, k])  # the nearest is itself


def _distances(a: Real, b: Fake) -> Float[np.ndarray, "n m"]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))
