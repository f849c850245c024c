"""Pairs of a moment of sound and an image: what the artist makes and the mapping learns."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float32, Float64

from shared import tensorfile
from shared.errors import PresetError

LatentSpace = Literal["z", "w"]  # as in Karras et al.: what goes into the mapping network, or what comes out


@dataclass(frozen=True, eq=False)
class Pairs:
    """n pairs; names, rows and positions belong together.

    descriptors (n, d) float64: standardised. latents (n, latent) float32, in `space`.
    positions (n, 2) float64: places on the 2-D map; NaN for pairs made while playing.
    """

    names: tuple[str, ...]
    descriptors: Float64[np.ndarray, "n d"]
    latents: Float32[np.ndarray, "n latent"]
    positions: Float64[np.ndarray, "n 2"]
    space: LatentSpace = "z"

    def __post_init__(self) -> None:
        counts = {len(self.names), len(self.descriptors), len(self.latents), len(self.positions)}
        if len(counts) != 1:
            raise PresetError(
                f"pairs disagree: {len(self.names)} names, {len(self.descriptors)} descriptor rows, "
                f"{len(self.latents)} latents, {len(self.positions)} positions"
            )
        if not (np.isfinite(self.descriptors).all() and np.isfinite(self.latents).all()):
            raise PresetError("pairs hold numbers that are not finite; make them again")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def digest(self) -> str:
        """SHA-256 of what a mapping learns from: descriptors, latents and their space."""
        sha = hashlib.sha256(self.space.encode())
        for array in (self.descriptors, self.latents):
            sha.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()

    def nearest(self, frame: Float64[np.ndarray, "d"]) -> tuple[int, float]:
        """The pair nearest to a standardised frame, and its Euclidean distance in deviations."""
        distances = np.sqrt(np.square(self.descriptors - frame).sum(axis=1))
        number = int(distances.argmin())
        return number, float(distances[number])

    def save(self, path: Path) -> None:
        """Write pairs.safetensors."""
        arrays = {"descriptors": self.descriptors, "latents": self.latents, "positions": self.positions}
        tensorfile.write(path, "pairs", arrays, {"names": list(self.names), "space": self.space})

    @classmethod
    def load(cls, path: Path) -> "Pairs":
        """Read pairs.safetensors; PresetError where it is missing, damaged or does not fit together."""
        arrays, facts = tensorfile.read(
            path, "pairs", {"descriptors": (None, None), "latents": (None, None), "positions": (None, 2)}
        )
        names = facts.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise PresetError(f"{path} has no list of names; restore it or pair again")
        if not np.isfinite(arrays["descriptors"]).all() or not np.isfinite(arrays["latents"]).all():
            raise PresetError(f"{path} holds numbers that are not finite; restore it or pair again")
        return cls(
            tuple(names),
            arrays["descriptors"].astype(np.float64),
            arrays["latents"].astype(np.float32),
            arrays["positions"].astype(np.float64),
            checked_space(facts.get("space"), path),
        )


def checked_space(space: object, path: Path) -> LatentSpace:
    """`space` if it is one, else PresetError naming the file."""
    for known in get_args(LatentSpace):
        if space == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped
    raise PresetError(f"{path} says latent space {space!r}; allowed are: {', '.join(get_args(LatentSpace))}")
