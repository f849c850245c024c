"""The corpus: sounds as the artist sees them, each moment that sounds a place on a 2-D map."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Float64, Int64

from shared.errors import PresetError, SettingError
from shared.mapping.scaling import Standardizer
from shared.preset import tensorfile


class CorpusSound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sound of the corpus: its file (relative to the preset, or absolute) and what of it was analysed."""

    file: str
    sha256: str
    channel: int | None
    """From 1; None: the average of all."""
    frames: int
    """Analysis frames, the silent ones too."""

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return Path(self.file).stem


class MapFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the map was made."""

    descriptors: tuple[str, ...]
    """Names of the columns."""
    inputs: tuple[str, ...]
    """Those of them that the preset listens to: the map and the standardising are of these."""
    sounds: tuple[CorpusSound, ...]
    components: int
    """Principal components that the map was made of."""
    kept_variance: float
    """Their share of the variance."""
    seed: int


@dataclass(frozen=True, eq=False)
class Corpus:
    """m frames that sound, of all sounds, and which of them each of the n frames of the sounds stands for.

    descriptors (m, 23): raw. positions (m, 2): places on the map, x right and y up, within 0..1.
    sound (m,), frame (m,): where each comes from. stands_for (n,): for every frame, sounding or silent, of the first
    sound, then the second, ..., the row of the sounding one: itself, the last before it, or the first of its sound.
    """

    descriptors: Float64[np.ndarray, "m d"]
    positions: Float64[np.ndarray, "m 2"]
    sound: Int64[np.ndarray, "m"]
    frame: Int64[np.ndarray, "m"]
    stands_for: Int64[np.ndarray, "n"]
    facts: MapFacts

    def __len__(self) -> int:
        return len(self.descriptors)

    @cached_property
    def scaler(self) -> Standardizer:
        """Of the preset's inputs."""
        columns = [self.facts.descriptors.index(name) for name in self.facts.inputs]
        return Standardizer.fit(self.descriptors).subset(columns)

    @cached_property
    def standardised(self) -> Float64[np.ndarray, "m inputs"]:
        """The preset's inputs of every sounding frame, standardised."""
        columns = [self.facts.descriptors.index(name) for name in self.facts.inputs]
        return self.scaler.process(self.descriptors[:, columns])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the map: its inputs, frames and places."""
        sha = hashlib.sha256(",".join(self.facts.inputs).encode())
        for array in (self.descriptors, self.positions):
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()

    def nearest(self, x: float, y: float) -> int:
        """The row of the sounding frame that lies nearest to a place on the map."""
        return int(np.square(self.positions - (x, y)).sum(axis=1).argmin())

    def most_like(self, frame: Float64[np.ndarray, "inputs"]) -> int:
        """The row of the sounding frame that is nearest to a standardised one in all of its inputs."""
        return int(np.square(self.standardised - frame).sum(axis=1).argmin())

    def frames_of(self, sound: int) -> Int64[np.ndarray, "k"]:
        """The rows that the frames of a sound stand for."""
        first = sum(entry.frames for entry in self.facts.sounds[:sound])
        return self.stands_for[first : first + self.facts.sounds[sound].frames]

    def sound_named(self, name: str | None) -> int:
        """The number of a sound by its name or its number from 1; None: the only one. SettingError where that is not one sound."""
        sounds = self.facts.sounds
        wanted = [i for i, sound in enumerate(sounds) if name in (None, sound.name, Path(sound.file).name, sound.file)]
        if not wanted and name is not None and name.isdecimal() and 1 <= int(name) <= len(sounds):
            wanted = [int(name) - 1]
        if len(wanted) != 1:
            many = f"{len(wanted)} sounds are '{name}'" if wanted else f"no sound '{name}'"
            known = ", ".join(f"{i} {sound.name}" for i, sound in enumerate(sounds, 1))
            raise SettingError(
                f"{'no sound named' if name is None else many}; the corpus has: {known}; its number will do"
            )
        return wanted[0]

    def save(self, path: Path) -> None:
        """Write corpus.safetensors."""
        arrays = {name: getattr(self, name) for name in SHAPES}
        tensorfile.write(path, "corpus", arrays, msgspec.to_builtins(self.facts))

    @classmethod
    def load(cls, path: Path) -> "Corpus":
        """Read corpus.safetensors; PresetError where it is missing, damaged or does not fit together."""
        arrays, said = tensorfile.read(path, "corpus", SHAPES)
        try:
            facts = msgspec.convert(said, MapFacts)
        except msgspec.ValidationError as error:
            raise PresetError(f"{path}: {error}; analyse the sounds again") from error
        rows = len(arrays["descriptors"])
        frames = sum(sound.frames for sound in facts.sounds)
        fits = (
            0 < rows <= frames
            and arrays["descriptors"].shape[1] == len(facts.descriptors)
            and set(facts.inputs) <= set(facts.descriptors)
            and {len(arrays[name]) for name in ("positions", "sound", "frame")} == {rows}
            and len(arrays["stands_for"]) == frames
            and all(arrays[name].min() >= 0 for name in ("sound", "frame", "stands_for"))
            and arrays["stands_for"].max() < rows
            and arrays["sound"].max() < len(facts.sounds)
            and all(np.isfinite(arrays[name]).all() for name in ("descriptors", "positions"))
        )
        if not fits:
            raise PresetError(f"{path}: its parts do not fit together; restore it or analyse the sounds again")
        numbers = {name: arrays[name].astype(np.int64) for name in ("sound", "frame", "stands_for")}
        places = {name: arrays[name].astype(np.float64) for name in ("descriptors", "positions")}
        return cls(**places, **numbers, facts=facts)


SHAPES: dict[str, tuple[int | None, ...]] = {
    "descriptors": (None, None),
    "positions": (None, 2),
    "sound": (None,),
    "frame": (None,),
    "stands_for": (None,),
}
