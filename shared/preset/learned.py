"""The result of training: a scaler and a regressor that belong together, in one file."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from shared.errors import PresetError
from shared.mapping.regression import Activation, MLPRegressor, Training
from shared.mapping.scaling import Standardizer
from shared.preset import tensorfile
from shared.preset.pairs import LatentSpace, Pairs
from shared.preset.tensorfile import Expected, floats


@dataclass(frozen=True, eq=False)
class LearnedMapping:
    """From raw descriptors to a latent vector: standardise, (smooth and decimate,) predict."""

    scaler: Standardizer
    regressor: MLPRegressor
    space: LatentSpace
    seed: int = 0
    pairs_digest: str = ""
    reach: float = math.inf
    """The largest distance from the nearest pair in the corpus, in deviations: a sound beyond it is unlike every pair."""

    def __post_init__(self) -> None:
        if self.regressor.sizes[0] != len(self.scaler.mean):
            raise PresetError(
                f"the mapping takes {self.regressor.sizes[0]} descriptors, its scaler {len(self.scaler.mean)}; train again"
            )

    @classmethod
    def learn(
        cls,
        scaler: Standardizer,
        pairs: Pairs,
        training: Training,
        reach: float = math.inf,
        on_epoch: Callable[[int, float], None] | None = None,
    ) -> "LearnedMapping":
        """Fit a regressor to the pairs; PresetError where there are none."""
        if not len(pairs):
            raise PresetError("no pairs to learn from; pair at least one image with a moment of sound")
        regressor = MLPRegressor.fit(pairs.descriptors, pairs.latents, training, on_epoch)
        return cls(scaler, regressor, pairs.space, training.seed, pairs.digest, reach)

    def save(self, path: Path) -> None:
        """Write mapping.safetensors."""
        arrays = {"scaler.mean": self.scaler.mean, "scaler.deviation": self.scaler.deviation}
        for j, (weight, bias) in enumerate(zip(self.regressor.weights, self.regressor.biases, strict=True)):
            arrays |= {f"layer{j}.weight": weight, f"layer{j}.bias": bias}
        facts = {
            "sizes": list(self.regressor.sizes),
            "activation": self.regressor.activation,
            "space": self.space,
            "seed": self.seed,
            "pairs": self.pairs_digest,
            "reach": self.reach if math.isfinite(self.reach) else None,
        }
        tensorfile.write(path, "mapping", arrays, facts)

    @classmethod
    def load(cls, path: Path) -> "LearnedMapping":
        """Read mapping.safetensors; PresetError where it is missing, damaged or does not fit together."""
        arrays, facts = tensorfile.read(path, "mapping", _Facts, _shapes)
        if not (arrays["scaler.deviation"] >= 0).all():
            raise PresetError(f"{path}: 'scaler.deviation' must be non-negative numbers; train again")
        layers = range(len(facts.sizes) - 1)
        regressor = MLPRegressor(
            tuple(arrays[f"layer{j}.weight"].astype(np.float32, copy=False) for j in layers),
            tuple(arrays[f"layer{j}.bias"].astype(np.float32, copy=False) for j in layers),
            facts.activation,
        )
        return cls(
            Standardizer(*(arrays[f"scaler.{name}"].astype(np.float64, copy=False) for name in ("mean", "deviation"))),
            regressor,
            facts.space,
            facts.seed,
            facts.pairs,
            math.inf if facts.reach is None else facts.reach,
        )


class _Facts(msgspec.Struct):
    """The facts in the file."""

    sizes: Annotated[list[Annotated[int, msgspec.Meta(ge=1)]], msgspec.Meta(min_length=2, max_length=16)]
    activation: Activation
    space: LatentSpace
    seed: int = 0
    pairs: str = ""
    reach: float | None = None


def _shapes(facts: _Facts) -> dict[str, Expected]:
    """The arrays of a mapping with these layer sizes."""
    shapes = {"scaler.mean": floats(facts.sizes[0]), "scaler.deviation": floats(facts.sizes[0])}
    for j, (inputs, outputs) in enumerate(pairwise(facts.sizes)):
        shapes |= {f"layer{j}.weight": floats(outputs, inputs), f"layer{j}.bias": floats(outputs)}
    return shapes
