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
from shared.preset.pairs import LatentSpace, Pairs, checked_space


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
        arrays, facts = tensorfile.read(path, "mapping", {"scaler.mean": (None,), "scaler.deviation": (None,)})
        try:
            checked = msgspec.convert(facts, _Facts)
        except msgspec.ValidationError as error:
            raise PresetError(f"{path}: {error}; train again") from error
        sizes = checked.sizes
        if arrays["scaler.deviation"].shape != (sizes[0],) or not (arrays["scaler.deviation"] >= 0).all():
            raise PresetError(f"{path}: 'scaler.deviation' must be {sizes[0]} non-negative numbers; train again")
        for j, (inputs, outputs) in enumerate(pairwise(sizes)):
            for name, shape in ((f"layer{j}.weight", (outputs, inputs)), (f"layer{j}.bias", (outputs,))):
                if name not in arrays or arrays[name].shape != shape:
                    given = arrays[name].shape if name in arrays else "missing"
                    raise PresetError(f"{path}: '{name}' is {given}, must have shape {shape}; train again")
        bad = [name for name, array in arrays.items() if not np.isfinite(array).all()]
        if bad:
            raise PresetError(f"{path}: '{bad[0]}' holds NaN or infinity; train again")
        layers = range(len(sizes) - 1)
        regressor = MLPRegressor(
            tuple(arrays[f"layer{j}.weight"].astype(np.float32) for j in layers),
            tuple(arrays[f"layer{j}.bias"].astype(np.float32) for j in layers),
            checked.activation,
        )
        scaler = Standardizer(arrays["scaler.mean"].astype(np.float64), arrays["scaler.deviation"].astype(np.float64))
        return cls(
            scaler,
            regressor,
            checked_space(checked.space, path),
            checked.seed,
            checked.pairs,
            math.inf if checked.reach is None else checked.reach,
        )


class _Facts(msgspec.Struct):
    """The facts in the file."""

    sizes: Annotated[list[int], msgspec.Meta(min_length=2)]
    activation: Activation
    space: str
    seed: int = 0
    pairs: str = ""
    reach: float | None = None
