"""The scores of a run: generated against real images, with the scores of other real images for comparison."""

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from torch import Tensor

from offline.training.score.distances import frechet_distance, precision_recall
from offline.training.score.features import gabor_features
from offline.training.score.sliced import sliced_wasserstein

SCORED = 200  # images of each kind, at most
FEWEST = 8
TOGETHER = 25  # images

Pictures = UInt8[Tensor, "n c s s"]
Features = Float32[np.ndarray, "n d"]


@dataclass(frozen=True)
class Scores:
    """Scores of `images` generated images against as many real ones.

    gabor_frechet       squared Fréchet distance of Gabor-scattering features; falls with the number of images
    sliced_wasserstein  of patches at three scales
    precision           share of generated images that look like real ones
    recall              share of real images that could be generated; near 0 if all generated ones are alike
    diversity           mean distance of two generated images over that of two real ones, in features
    """

    gabor_frechet: float
    sliced_wasserstein: float
    precision: float
    recall: float
    diversity: float
    images: int

    def as_dict(self) -> dict[str, float]:
        """The values by name."""
        return asdict(self)


class Scorer:
    """Scores sets of images against a fixed set of real ones. `others`: as many different real images, for the floor."""

    def __init__(self, reals: Pictures, others: Pictures) -> None:
        self._reals = reals
        self._features = features(reals)
        self.floor = self(others)
        """The scores of the other real images: no generator is expected to be better."""

    @property
    def count(self) -> int:
        """Number of real images, and of images that a set should have."""
        return len(self._reals)

    def __call__(self, images: Pictures) -> Scores:
        """The scores of a set of images."""
        given = features(images)
        near = precision_recall(self._features, given)
        return Scores(
            frechet_distance(self._features, given),
            sliced_wasserstein(self._reals, images),
            near.precision,
            near.recall,
            mean_distance(given) / max(mean_distance(self._features), 1e-12),
            len(images),
        )


def features(images: Pictures) -> Features:
    """Gabor features of many images, some at a time."""
    parts = [gabor_features(images[i : i + TOGETHER]).numpy() for i in range(0, len(images), TOGETHER)]
    return np.concatenate(parts)


def mean_distance(given: Features) -> float:
    """Root mean squared distance of two rows."""
    return float(np.sqrt(2 * given.astype(np.float64).var(axis=0, ddof=1).sum()))
