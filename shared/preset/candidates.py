"""Candidates: images from which the artist chooses those to pair."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Float32, UInt8

from shared.errors import PresetError, SettingError
from shared.preset import tensorfile
from shared.preset.pairs import LatentSpace
from shared.preset.tensorfile import floats, integers

THUMBNAIL = 16  # pixels a side: enough to compare pictures
NAMES_SHOWN = 8  # in an error


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a candidate's picture depends on, besides its latent vector."""

    generator: str
    """SHA-256 of its file."""
    truncation: float
    rotate: float
    translate: tuple[float, float]


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The images to make: `count` seeds from `first` on, in z or w.

    class_: for a conditional generator, a class from 0, or `all`: seed s is of class s modulo their number.
    """

    first: int = 0
    count: int = 500
    space: LatentSpace = "z"
    class_: int | Literal["all"] | None = None


@dataclass(frozen=True, eq=False)
class Candidates:
    """n images: latents (n, latent), their seeds, thumbnails (n, 16, 16, 3), the artist's choice.

    They are the images of the last draw, and earlier ones that were chosen or paired.
    classes (n, c): weights of the classes of a conditional generator, for latents in z; otherwise c = 0.
    """

    seeds: tuple[int, ...]
    latents: Float32[np.ndarray, "n latent"]
    thumbnails: UInt8[np.ndarray, "n 16 16 3"]
    origin: Origin
    draw: Draw
    kept: frozenset[int] = frozenset()
    """Seeds of the chosen ones."""
    classes: Float32[np.ndarray, "_ c"] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def __post_init__(self) -> None:
        if not self.classes.size:
            object.__setattr__(self, "classes", np.empty((len(self.seeds), 0), np.float32))

    @property
    def space(self) -> LatentSpace:
        """Latent space of the latents."""
        return self.draw.space

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def names(self) -> tuple[str, ...]:
        """`seed17`, ..."""
        return tuple(map(name_of, self.seeds))

    @property
    def chosen(self) -> list[int]:
        """Numbers (from 0) of the chosen candidates, or of all if none is chosen."""
        return [i for i, seed in enumerate(self.seeds) if seed in self.kept or not self.kept]

    def has(self, name: str) -> bool:
        """Whether there is a candidate of this name or seed."""
        return name in self.names or name in map(str, self.seeds)

    def number(self, name: str) -> int:
        """Number (from 0) of the candidate `seed17`, or `17`. Raises SettingError if there is none."""
        if not self.has(name):
            raise SettingError(f"no image '{name}'; there are: {shortened(self.names)}")
        return self.names.index(name) if name in self.names else self.seeds.index(int(name))

    def save(self, path: Path) -> None:
        """Write candidates.safetensors."""
        facts = {
            "seeds": list(self.seeds),
            "kept": sorted(self.kept),
            "draw": msgspec.to_builtins(self.draw),
            "origin": msgspec.to_builtins(self.origin),
        }
        arrays: tensorfile.Arrays = {"latents": self.latents, "thumbnails": self.thumbnails}
        if self.classes.shape[1]:
            arrays["classes"] = self.classes
        tensorfile.write(path, "candidates", arrays, facts)

    @classmethod
    def load(cls, path: Path) -> "Candidates":
        """Read candidates.safetensors. Raises PresetError if it is missing, damaged or does not fit together."""
        shapes = {"latents": floats(None, None), "thumbnails": integers(None, THUMBNAIL, THUMBNAIL, 3)}
        arrays, facts = tensorfile.read(path, "candidates", _Facts, shapes, {"classes": floats(None, None)})
        lengths = {len(set(facts.seeds)), len(facts.seeds), *map(len, arrays.values())}
        if len(lengths) != 1 or not set(facts.kept) <= set(facts.seeds):
            raise PresetError(f"{path}: its parts do not fit together; restore it or make the candidates again")
        return cls(
            facts.seeds,
            arrays["latents"].astype(np.float32, copy=False),
            arrays["thumbnails"].astype(np.uint8, copy=False),
            facts.origin,
            facts.draw,
            frozenset(facts.kept),
            arrays.get("classes", np.empty((len(facts.seeds), 0))).astype(np.float32, copy=False),
        )


class _Facts(msgspec.Struct):
    """The facts in the file."""

    seeds: tuple[int, ...]
    kept: tuple[int, ...]
    draw: Draw
    origin: Origin


def name_of(seed: int) -> str:
    """The name of a candidate."""
    return f"seed{seed}"


def shortened(names: Iterable[str]) -> str:
    """Names for an error message: the first ones, and the number of the others."""
    listed = list(names)
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return (", ".join(listed[:NAMES_SHOWN]) or "none") + more
