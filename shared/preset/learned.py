"""The result of training: scaler, preprocessing and regressor, which belong together, in one file."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.errors import PresetError, SettingError
from shared.mapping.preprocessing import Preprocessing
from shared.mapping.regression import Regressor, Training, fit
from shared.mapping.regression.regressor import OnEpoch
from shared.mapping.regression.training import Norm
from shared.mapping.sampling import farthest_point_sampling
from shared.mapping.scaling import Standardizer
from shared.preset import mapping_file, tensorfile
from shared.preset.pairs import LatentSpace, Pairs


@dataclass(frozen=True, eq=False)
class LearnedMapping:
    """From raw descriptors to a latent vector: standardise, (smooth and decimate,) preprocess, predict."""

    scaler: Standardizer
    regressor: Regressor
    space: LatentSpace
    seed: int = 0
    pairs_digest: str = ""
    reach: float = math.inf
    """The largest distance from the nearest pair in the corpus, in deviations: a sound beyond it is unlike every pair."""
    preprocessing: Preprocessing | None = None
    """None: the standardised descriptors themselves."""
    norm: Norm = "keep"
    classes: int = 0
    """How many of the regressor's last outputs are the weights of a conditional generator's classes."""

    def __post_init__(self) -> None:
        inputs, preprocessing = len(self.scaler.mean), self.preprocessing
        fits = preprocessing is None or preprocessing.matrix.shape[1] == inputs
        taken = inputs if preprocessing is None else len(preprocessing.matrix)
        if not fits or self.regressor.sizes[0] != taken:
            raise PresetError(
                f"the mapping takes {self.regressor.sizes[0]} descriptors, its scaler gives {taken}; train again"
            )
        if not 0 <= self.classes < self.regressor.sizes[-1]:
            raise PresetError(
                f"the mapping has {self.regressor.sizes[-1]} outputs, {self.classes} of them classes; train again"
            )

    @property
    def latent_size(self) -> int:
        """Numbers in a latent vector."""
        return self.regressor.sizes[-1] - self.classes

    def predict(self, tick: Float64[np.ndarray, "d"]) -> Float32[np.ndarray, "outputs"]:
        """The latent vector, followed by the weights of the classes, for smoothed standardised descriptors."""
        x = tick if self.preprocessing is None else self.preprocessing.process(tick[None])[0]
        output: NDArray[np.float32] = self._on_sphere(self.regressor.predict(x)[None])[0]
        return output

    def parted(
        self, output: Float32[np.ndarray, "outputs"]
    ) -> tuple[Float32[np.ndarray, "latent"], Float32[np.ndarray, "classes"] | None]:
        """Latent vector and class weights of an output: weights are not negative and sum to 1; None without classes."""
        if not self.classes:
            return output, None
        return output[: -self.classes], class_weights(output[-self.classes :])

    def losses(self, pairs: Pairs) -> Float64[np.ndarray, "n"]:
        """Mean squared error at each pair, in latent and class."""
        predicted = np.array([self.predict(row) for row in pairs.descriptors], np.float64)
        return np.asarray(np.square(predicted - self._on_sphere(pairs.targets)).mean(axis=1))

    @classmethod
    def learn(
        cls,
        scaler: Standardizer,
        pairs: Pairs,
        training: Training,
        reach: float = math.inf,
        on_epoch: OnEpoch | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> "LearnedMapping":
        """Fit a regressor to the pairs.

        Raises PresetError if there are none, SettingError if the settings do not suit them.
        """
        if not len(pairs):
            raise PresetError("no pairs to learn from; pair at least one image with a moment of sound")
        if training.norm == "sphere" and pairs.space == "w":
            raise SettingError("norm = sphere given; it is for pairs in z, and these are in w: use norm = keep")
        chosen = pairs.at(learned_pairs(pairs, training.pairs))
        x = chosen.descriptors if preprocessing is None else preprocessing.process(chosen.descriptors)
        regressor = fit(x, on_sphere(chosen.targets, training.norm, chosen.classes.shape[1]), training, on_epoch)
        return cls(
            scaler,
            regressor,
            pairs.space,
            training.seed,
            pairs.digest,
            reach,
            preprocessing,
            training.norm,
            chosen.classes.shape[1],
        )

    def _on_sphere(self, outputs: Float32[np.ndarray, "n outputs"]) -> Float32[np.ndarray, "n outputs"]:
        return on_sphere(outputs, self.norm, self.classes)

    @property
    def arrays(self) -> dict[str, NDArray[np.float32] | NDArray[np.float64]]:
        """All learned arrays, by their names in the file."""
        arrays: dict[str, NDArray[np.float32] | NDArray[np.float64]] = {
            "scaler.mean": self.scaler.mean,
            "scaler.deviation": self.scaler.deviation,
        }
        if self.preprocessing is not None:
            arrays |= {
                "preprocessing.centre": self.preprocessing.centre,
                "preprocessing.matrix": self.preprocessing.matrix,
            }
        return arrays | self.regressor.arrays

    def save(self, path: Path) -> None:
        """Write mapping.safetensors."""
        tensorfile.write(path, "mapping", self.arrays, self.facts)

    @property
    def facts(self) -> dict[str, object]:
        """The facts beside the arrays."""
        facts = mapping_file.regressor_facts(self.regressor) | {
            "space": self.space,
            "seed": self.seed,
            "pairs": self.pairs_digest,
            "reach": self.reach if math.isfinite(self.reach) else None,
        }
        if self.preprocessing is not None:
            facts["preprocessing"] = self.preprocessing.name
        if self.norm != "keep":
            facts["norm"] = self.norm
        return facts | ({"classes": self.classes} if self.classes else {})

    @classmethod
    def load(cls, path: Path) -> "LearnedMapping":
        """Read mapping.safetensors. Raises PresetError if it is missing, damaged or does not fit together."""
        arrays, facts = tensorfile.read(
            path, "mapping", mapping_file.Facts, mapping_file.required, mapping_file.OPTIONAL
        )
        if not (arrays["scaler.deviation"] >= 0).all():
            raise PresetError(f"{path}: 'scaler.deviation' must be non-negative numbers; train again")
        try:
            return cls(
                Standardizer(
                    *(arrays[f"scaler.{name}"].astype(np.float64, copy=False) for name in ("mean", "deviation"))
                ),
                mapping_file.regressor(facts, arrays),
                facts.space,
                facts.seed,
                facts.pairs,
                math.inf if facts.reach is None else facts.reach,
                mapping_file.preprocessing(facts, arrays),
                facts.norm,
                facts.classes,
            )
        except PresetError as error:
            raise PresetError(f"{path}: {error}") from error


def learned_pairs(pairs: Pairs, count: int) -> list[int]:
    """The numbers, in order, of the `count` pairs most distant in sound (Gonzalez 1985); 0: of all."""
    if not 0 < count < len(pairs):
        return list(range(len(pairs)))
    chosen: list[int] = sorted(farthest_point_sampling(pairs.descriptors, count).tolist())
    return chosen


def on_sphere(outputs: Float32[np.ndarray, "n outputs"], norm: Norm, classes: int) -> Float32[np.ndarray, "n outputs"]:
    """With norm `sphere`, the latents of rows of latent and class at the length sqrt(size) of random z; 0 stays 0."""
    if norm == "keep":
        return outputs
    size = outputs.shape[1] - classes
    latents = outputs[:, :size].astype(np.float64)
    length = np.sqrt(np.add.reduce(np.square(latents), axis=1, keepdims=True))
    scaled = latents * (size**0.5 / np.where(length == 0, 1.0, length))
    return np.hstack([scaled.astype(np.float32), outputs[:, size:]])


def class_weights(raw: Float32[np.ndarray, "classes"]) -> Float32[np.ndarray, "classes"]:
    """Predicted weights of classes made into a mixture: none below 0, their sum 1; all equal where none is above 0."""
    positive = np.maximum(raw, np.float32(0))
    total = np.add.reduce(positive)
    return positive / total if total > 0 else np.full_like(raw, 1 / len(raw))
