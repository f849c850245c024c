"""The corpus: analysed sounds on a 2-D map, a point for each sounding frame."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from jaxtyping import Float64, Int64

from shared.errors import PresetError, SettingError
from shared.mapping.scaling import Standardizer
from shared.preset import tensorfile
from shared.preset.pairs import SoundFrame
from shared.preset.tensorfile import floats, integers

CORPUS = "corpus.safetensors"


class CorpusSound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sound of the corpus: its file (relative to the preset, or absolute) and the part that was analysed."""

    file: str
    sha256: str
    channel: Annotated[int, msgspec.Meta(ge=1)] | None
    """From 1; None: the average of all."""
    frames: Annotated[int, msgspec.Meta(ge=0)]
    """Analysis frames, silent ones included."""

    @property
    def name(self) -> str:
        """Name of the file without its suffix."""
        return Path(self.file).stem


class MapFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the map was made."""

    descriptors: tuple[str, ...]
    """Names of the descriptors' columns."""
    inputs: tuple[str, ...]
    """The preset's inputs among them, from which the map and the scaler are computed."""
    sounds: tuple[CorpusSound, ...]
    components: int
    """Number of principal components behind the map."""
    kept_variance: float
    """Their share of the variance."""
    seed: int


@dataclass(frozen=True, eq=False)
class Corpus:
    """The m sounding frames of all sounds, and for each of all n frames the sounding frame that stands for it.

    descriptors (m, 23): raw. positions (m, 2): on the map, x right and y up, within 0..1.
    sound (m,), frame (m,): number of the sound, and of the frame in it. stands_for (n,): for every frame of the first
    sound, then of the second, ..., the row of a sounding frame: itself, the last before it, or the first of its sound.
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
        """Scaler of the preset's inputs."""
        columns = [self.facts.descriptors.index(name) for name in self.facts.inputs]
        return Standardizer.fit(self.descriptors).subset(columns)

    @cached_property
    def standardised(self) -> Float64[np.ndarray, "m inputs"]:
        """The preset's inputs of every sounding frame, standardised."""
        columns = [self.facts.descriptors.index(name) for name in self.facts.inputs]
        return self.scaler.process(self.descriptors[:, columns])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the map: inputs, frames and positions."""
        sha = hashlib.sha256(",".join(self.facts.inputs).encode())
        for array in (self.descriptors, self.positions):
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()

    def nearest(self, x: float, y: float) -> int:
        """Row of the sounding frame nearest to a position on the map."""
        return int(np.square(self.positions - (x, y)).sum(axis=1).argmin())

    def most_like(self, frame: Float64[np.ndarray, "inputs"]) -> int:
        """Row of the sounding frame nearest to a standardised frame, over all inputs."""
        return int(np.square(self.standardised - frame).sum(axis=1).argmin())

    def frames_of(self, sound: int) -> Int64[np.ndarray, "k"]:
        """`stands_for` of the frames of a sound."""
        first = sum(entry.frames for entry in self.facts.sounds[:sound])
        return self.stands_for[first : first + self.facts.sounds[sound].frames]

    def source(self, row: int) -> SoundFrame:
        """The sound file's frame that a row comes from."""
        return SoundFrame(self.facts.sounds[self.sound[row]].sha256, int(self.frame[row]))

    def row_of(self, source: SoundFrame) -> int | None:
        """The row that stands for a frame of a sound file; None if the corpus does not contain it."""
        for number, sound in enumerate(self.facts.sounds):
            if sound.sha256 == source.sha256 and 0 <= source.frame < sound.frames:
                return int(self.frames_of(number)[source.frame])
        return None

    def sound_named(self, name: str | None) -> int:
        """Number (from 0) of a sound, given by name, by number from 1, or as None for the only one.

        Raises SettingError unless exactly one sound matches.
        """
        sounds = self.facts.sounds
        wanted = [i for i, sound in enumerate(sounds) if name in (None, sound.name, Path(sound.file).name, sound.file)]
        if not wanted and name is not None and name.isdecimal() and 1 <= int(name) <= len(sounds):
            wanted = [int(name) - 1]
        if len(wanted) != 1:
            many = f"{len(wanted)} sounds are '{name}'" if wanted else f"no sound '{name}'"
            known = ", ".join(f"{i} {sound.name}" for i, sound in enumerate(sounds, 1))
            raise SettingError(
                f"{'which sound?' if name is None else f'{many};'} the corpus has {known}; give a name or a number"
            )
        return wanted[0]

    def with_files(self, files: Sequence[str]) -> "Corpus":
        """The same corpus with other files for its sounds, in their order."""
        sounds = [
            msgspec.structs.replace(sound, file=file) for sound, file in zip(self.facts.sounds, files, strict=True)
        ]
        return replace(self, facts=msgspec.structs.replace(self.facts, sounds=tuple(sounds)))

    def save(self, path: Path) -> None:
        """Write corpus.safetensors."""
        arrays = {name: getattr(self, name) for name in SHAPES}
        tensorfile.write(path, "corpus", arrays, msgspec.to_builtins(self.facts))

    @classmethod
    def load(cls, path: Path) -> "Corpus":
        """Read corpus.safetensors. Raises PresetError if it is missing, damaged or does not fit together."""
        arrays, facts = tensorfile.read(path, "corpus", MapFacts, SHAPES)
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
            and np.isfinite(arrays["positions"]).all()
        )
        if not fits:
            raise PresetError(f"{path}: its parts do not fit together; restore it or analyse the sounds again")
        numbers = {name: arrays[name].astype(np.int64, copy=False) for name in ("sound", "frame", "stands_for")}
        places = {name: arrays[name].astype(np.float64, copy=False) for name in ("descriptors", "positions")}
        return cls(**places, **numbers, facts=facts)


SHAPES = {
    "descriptors": floats(None, None),
    "positions": floats(None, 2),
    "sound": integers(None),
    "frame": integers(None),
    "stands_for": integers(None),
}
