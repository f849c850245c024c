"""Pictures made directly from the sound, without a generator (Moore 2025, section 7): what a decoder learned, in one file."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from shared.controls import CONTROLS
from shared.errors import ModelError, PresetError, SettingError
from shared.image.decoder_architecture import SIDES, DecoderArchitecture
from shared.mapping.regression.linear import LinearRegressor
from shared.mapping.scaling import Standardizer
from shared.preset import tensorfile
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.preset.tensorfile import Expected, floats

PictureSource = Literal["generator", "direct"]
"""What draws a preset's pictures: its generator, as in the paper, or a decoder in direct.safetensors."""
LARGEST = 1e30  # of a standardised descriptor; far above any sound's
HALF_ABOVE = 1 << 18  # weights: a larger decoder is stored in float16


class DirectTraining(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the decoder is trained: the table [direct] of preset.toml."""

    size: int = 128
    """Shorter side of its pictures, in pixels."""
    shape: str = "square"
    """Their shape: `square`, or a ratio such as 16:9."""
    between: int = 600
    """Pictures of the generator to learn besides those of the pairs; 0: the pairs alone."""
    steps: int = 1500
    learning_rate: float = 0.002
    seed: int = 0

    def __post_init__(self) -> None:
        if self.shape in ("window", "auto"):
            raise SettingError(f"shape = {self.shape} given; allowed: square, or a ratio such as 16:9")
        CONTROLS["shape"].checked(self.shape)
        for name, allowed, good in (
            ("size", f"{SIDES[0]} to 512, even", SIDES[0] <= self.size <= 512 and self.size % 2 == 0),
            ("between", "0 (the pairs alone) to 100000", 0 <= self.between <= 100_000),
            ("steps", "1 to 1000000", 1 <= self.steps <= 1_000_000),
            ("learning_rate", "above 0, to 1", 0 < self.learning_rate <= 1),
            ("seed", "0 to 2^63 - 1", 0 <= self.seed < 2**63),
        ):
            if not good:
                raise SettingError(f"{name} = {getattr(self, name)} given; allowed: {allowed}")


def stored(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32] | NDArray[np.float16]]:
    """The weights as the file has them: in float16 for a large decoder, if all of them fit; else in float32."""
    large = sum(array.size for array in weights.values()) > HALF_ABOVE
    if large and all(np.abs(array).max() < np.finfo(np.float16).max for array in weights.values()):
        return {name: array.astype(np.float16) for name, array in weights.items()}
    return dict(weights)


@dataclass(frozen=True, eq=False)
class DirectPictures:
    """A trained decoder and the moments of sound that it was trained for.

    descriptors (n, d): the standardised moments of its pairs, with their names. weights: by the names in `architecture.shapes`.
    pairs_digest: that of the pairs of pairs.safetensors in the scale of `scaler`; "" if their pictures were image files.
    """

    scaler: Standardizer
    names: tuple[str, ...]
    descriptors: Float64[np.ndarray, "n d"]
    architecture: DecoderArchitecture
    weights: Mapping[str, NDArray[np.float32] | NDArray[np.float16]]
    pairs_digest: str = ""
    reach: float = math.inf
    seed: int = 0

    @cached_property
    def mapping(self) -> LearnedMapping:
        """The mapping of such a preset gives the descriptors themselves: they are the decoder's w."""
        inputs = self.architecture.inputs
        same = LinearRegressor(np.eye(inputs), np.zeros(inputs), "linear")
        return LearnedMapping(self.scaler, same, "w", self.seed, "", self.reach)

    @cached_property
    def pairs(self) -> Pairs:
        """The pairs as the decoder has them: the latent vector of a picture is its moment of sound."""
        nowhere = np.full((len(self.names), 2), np.nan)
        latents = self.descriptors.astype(np.float32)
        return Pairs(self.names, self.descriptors, latents, nowhere, "w", self.scaler)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything in it."""
        sha = hashlib.sha256(json.dumps(self._facts).encode())
        for name, array in sorted(self._arrays.items()):
            sha.update(f"{name} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()

    def save(self, path: Path) -> None:
        """Write direct.safetensors."""
        tensorfile.write(path, "direct pictures", self._arrays, self._facts)

    @property
    def _arrays(self) -> tensorfile.Arrays:
        scaler = {"scaler.mean": self.scaler.mean, "scaler.deviation": self.scaler.deviation}
        weights = {f"decoder.{name}": array for name, array in self.weights.items()}
        return {**scaler, "descriptors": self.descriptors, **weights}

    @property
    def _facts(self) -> dict[str, object]:
        return {
            "architecture": msgspec.to_builtins(self.architecture),
            "names": list(self.names),
            "pairs": self.pairs_digest,
            "reach": self.reach if math.isfinite(self.reach) else None,
            "seed": self.seed,
        }

    @classmethod
    def load(cls, path: Path) -> "DirectPictures":
        """Read direct.safetensors. Raises PresetError if it is missing, damaged or does not fit together."""
        try:
            arrays, facts = tensorfile.read(path, "direct pictures", _Facts, _required)
        except ModelError as error:
            raise PresetError(f"{path}: {error}") from error
        if not (arrays["scaler.deviation"] >= 0).all():
            raise PresetError(f"{path}: 'scaler.deviation' must be non-negative numbers; train it again")
        if not (np.abs(arrays["descriptors"]) < LARGEST).all():
            raise PresetError(f"{path}: 'descriptors' must be numbers below {LARGEST:g}; train it again")
        doubles = {name: arrays[name].astype(np.float64) for name in ("scaler.mean", "scaler.deviation", "descriptors")}
        return cls(
            Standardizer(doubles["scaler.mean"], doubles["scaler.deviation"]),
            facts.names,
            doubles["descriptors"],
            facts.architecture,
            {name.removeprefix("decoder."): array for name, array in arrays.items() if name.startswith("decoder.")},
            facts.pairs,
            math.inf if facts.reach is None else facts.reach,
            facts.seed,
        )


class _Facts(msgspec.Struct):
    """The facts in the file."""

    architecture: DecoderArchitecture
    names: tuple[str, ...]
    pairs: str = ""
    reach: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.names:
            raise ModelError("it names no pairs; train it again")


def _required(facts: _Facts) -> dict[str, Expected]:
    inputs = facts.architecture.inputs
    weights = {f"decoder.{name}": floats(*shape) for name, shape in facts.architecture.shapes.items()}
    scaler: dict[str, Expected] = {"scaler.mean": floats(inputs), "scaler.deviation": floats(inputs)}
    return scaler | {"descriptors": floats(len(facts.names), inputs)} | weights
