"""Pairs of a moment of sound and an image. The artist makes them, and the mapping is trained on them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Float32, Float64

from shared.errors import PresetError
from shared.mapping.scaling import Standardizer
from shared.preset import tensorfile
from shared.preset.tensorfile import floats

LatentSpace = Literal["z", "w"]  # as in Karras et al.: what goes into the mapping network, or what comes out


class SoundFrame(msgspec.Struct, frozen=True, array_like=True):
    """An analysis frame of a sound file: the file's SHA-256 and the frame's number from its beginning."""

    sha256: str
    frame: int


@dataclass(frozen=True, eq=False)
class Pairs:
    """n pairs; names, rows and positions belong together.

    descriptors (n, d) float64: standardised. latents (n, latent) float32, in `space`.
    positions (n, 2) float64: places on the 2-D map; NaN for pairs made while playing.
    scaler: the scaler of the descriptors; None: that of the mapping, or else of the corpus. map: digest of the corpus on
    whose map they were placed, or "".
    classes (n, c) float32: for each pair the weight of each class of a conditional generator, such as one-hot rows; c = 0
    for any other generator and for pairs in w.
    sources (n): the frame that each pair was made with, None where unknown (pairs made while playing, older files);
    missing sources count as None. inputs: names of the descriptors, () in older files.
    """

    names: tuple[str, ...]
    descriptors: Float64[np.ndarray, "n d"]
    latents: Float32[np.ndarray, "n latent"]
    positions: Float64[np.ndarray, "n 2"]
    space: LatentSpace = "z"
    scaler: Standardizer | None = None
    map: str = ""
    sources: tuple[SoundFrame | None, ...] = ()
    inputs: tuple[str, ...] = ()
    classes: Float32[np.ndarray, "_ c"] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def __post_init__(self) -> None:
        if not self.classes.shape[1] and len(self.classes) != len(self.names):
            object.__setattr__(self, "classes", np.empty((len(self.names), 0), np.float32))
        if len(self.sources) < len(self.names):  # pairs were added by other means than a sound on the map
            missing = len(self.names) - len(self.sources)
            object.__setattr__(self, "sources", (*self.sources, *(None for _ in range(missing))))
        arrays = {
            "descriptor rows": self.descriptors,
            "latents": self.latents,
            "positions": self.positions,
            "classes": self.classes,
        }
        if any(len(array) != len(self.names) for array in arrays.values()):
            counts = ", ".join(f"{len(array)} {name}" for name, array in arrays.items())
            raise PresetError(f"pairs disagree: {len(self.names)} names, {counts}")
        if not all(np.isfinite(array).all() for array in (self.descriptors, self.latents, self.classes)):
            raise PresetError("pairs hold NaN or infinity; make them again")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def targets(self) -> Float32[np.ndarray, "n outputs"]:
        """What a mapping learns: the latents, followed by the classes."""
        return np.hstack([self.latents, self.classes]) if self.classes.shape[1] else self.latents

    @property
    def digest(self) -> str:
        """SHA-256 of everything that determines a mapping: descriptors, latents, their space and classes."""
        sha = hashlib.sha256(self.space.encode())
        for array in (self.descriptors, self.latents, *([self.classes] if self.classes.shape[1] else [])):
            sha.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()

    @cached_property
    def latent_deviation(self) -> float:
        """Root mean square distance of the latents from their mean; 1 where they are all the same."""
        distances = np.square(self.latents.astype(np.float64) - self.latents.mean(axis=0)).sum(axis=1)
        return float(np.sqrt(distances.mean())) or 1.0

    def nearest(self, frame: Float64[np.ndarray, "d"]) -> tuple[int, float]:
        """The pair nearest to a standardised frame, and its Euclidean distance in deviations."""
        distances = np.sqrt(np.square(self.descriptors - frame).sum(axis=1))
        number = int(distances.argmin())
        return number, float(distances[number])

    def standardised_by(self, scaler: Standardizer) -> "Pairs":
        """The same moments of sound, standardised by the scaler of another corpus."""
        old = self.scaler or scaler
        if old.equals(scaler):
            return self if self.scaler else replace(self, scaler=scaler)
        return replace(self, descriptors=scaler.rescaled(self.descriptors, old), scaler=scaler)

    def at(self, numbers: Sequence[int]) -> "Pairs":
        """Only the pairs with these numbers."""
        chosen = list(numbers)
        return replace(
            self,
            names=tuple(self.names[i] for i in chosen),
            descriptors=self.descriptors[chosen],
            latents=self.latents[chosen],
            positions=self.positions[chosen],
            sources=tuple(self.sources[i] for i in chosen),
            classes=self.classes[chosen],
        )

    def save(self, path: Path) -> None:
        """Write pairs.safetensors."""
        arrays = {"descriptors": self.descriptors, "latents": self.latents, "positions": self.positions}
        if self.scaler is not None:
            arrays |= {"scaler.mean": self.scaler.mean, "scaler.deviation": self.scaler.deviation}
        if self.classes.shape[1]:
            arrays["classes"] = self.classes
        facts = {
            "names": list(self.names),
            "space": self.space,
            "map": self.map,
            "sources": msgspec.to_builtins(self.sources),
            "inputs": list(self.inputs),
        }
        tensorfile.write(path, "pairs", arrays, facts)

    @classmethod
    def load(cls, path: Path) -> "Pairs":
        """Read pairs.safetensors; PresetError where it is missing, damaged or does not fit together."""
        shapes = {"descriptors": floats(None, None), "latents": floats(None, None), "positions": floats(None, 2)}
        optional = {"scaler.mean": floats(None), "scaler.deviation": floats(None), "classes": floats(None, None)}
        arrays, facts = tensorfile.read(path, "pairs", _Facts, shapes, optional)
        classes = arrays.get("classes", np.empty((len(facts.names), 0)))
        count, width = arrays["descriptors"].shape
        lengths = {
            len(facts.names),
            count,
            *(len(array) for array in (arrays["latents"], arrays["positions"], classes)),
        }
        if len(lengths) != 1 or len(facts.sources) > count or len(facts.inputs) not in (0, width):
            raise PresetError(f"{path}: its parts do not fit together; restore it or pair again")
        if np.isinf(arrays["positions"]).any():
            raise PresetError(f"{path} holds positions that are not finite; restore it or pair again")
        scaler = None
        if "scaler.mean" in arrays:
            mean, deviation = arrays["scaler.mean"], arrays.get("scaler.deviation", np.empty(0))
            if not mean.shape == deviation.shape == (width,) or (deviation < 0).any():
                raise PresetError(f"{path}: its scaler must be {width} means and deviations; restore it or pair again")
            scaler = Standardizer(mean.astype(np.float64), deviation.astype(np.float64))
        return cls(
            facts.names,
            arrays["descriptors"].astype(np.float64, copy=False),
            arrays["latents"].astype(np.float32, copy=False),
            arrays["positions"].astype(np.float64, copy=False),
            facts.space,
            scaler,
            facts.map,
            facts.sources,
            facts.inputs,
            classes.astype(np.float32, copy=False),
        )


class _Facts(msgspec.Struct):
    """The facts in the file."""

    names: tuple[str, ...]
    space: LatentSpace
    map: str = ""
    sources: tuple[SoundFrame | None, ...] = ()
    inputs: tuple[str, ...] = ()
