"""The lines of log.jsonl: what the show was, every change with its sample, how it ended."""

import base64
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Float32

from shared.controls import ControlChange
from shared.errors import PresetError
from shared.mapping.scaling import Standardizer
from shared.pipeline.exchanges import Exchange, Steer, UseMapping, UseScaler
from shared.preset import Preset
from shared.preset.pairs import LatentSpace
from shared.recording.snapshots import Snapshots

VERSION = 1
Gives = Literal["samples", "frames"]
Fact = str | float | bool | None


class Head(msgspec.Struct, tag="recording", tag_field="line"):
    """The first line."""

    version: int
    started: str
    """Date and time."""
    fps: str
    gives: Gives
    sample: int
    """The show's, at which the recording begins."""
    preset: str
    """The name of the folder, in `presets/`, of the preset that played."""
    settings: dict[str, Fact]
    """How the show was played: for a reader with eyes."""


class ControlLine(msgspec.Struct, tag="control", tag_field="line"):
    """A control got a value."""

    at: int
    """How many samples of the show had been taken in when it was asked for."""
    sample: int
    """On which it acts."""
    name: str
    value: bool | float | str | tuple[float, float]


class PresetLine(msgspec.Struct, tag="preset", tag_field="line"):
    """A preset was called; the name of its folder in `presets/`."""

    at: int
    sample: int
    preset: str


class LearnedLine(msgspec.Struct, tag="learned", tag_field="line"):
    """A mapping was trained; the name of its folder in `learned/`."""

    at: int
    sample: int
    mapping: str


class SteerLine(msgspec.Struct, tag="latent", tag_field="line"):
    """A latent took the place of the sound's, float32 in base64; null: the sound has the picture back."""

    at: int
    sample: int
    latent: str | None
    space: LatentSpace


class ScalerLine(msgspec.Struct, tag="scaler", tag_field="line"):
    """The sound is standardised by its source's own scaler from here on; without numbers: by the presets' own."""

    at: int
    sample: int
    mean: list[float] | None
    deviation: list[float] | None


class End(msgspec.Struct, tag="end", tag_field="line"):
    """The last line, unless the power failed."""

    sample: int
    """The show's, at which the recording ends; the zeros that complete its last frame are recorded after it."""


ChangeLine = ControlLine | PresetLine | LearnedLine | SteerLine | ScalerLine
Line = Head | ChangeLine | End


def describe(at: int, sample: int, what: ControlChange | Exchange, snapshots: Snapshots) -> ChangeLine:
    """The line for a change; what it needs besides is kept in the recording first."""
    match what:
        case ControlChange(name=name, value=value):
            return ControlLine(at, sample, name, value)
        case Preset():
            return PresetLine(at, sample, snapshots.preset(what))
        case UseMapping():
            return LearnedLine(at, sample, snapshots.learned(what))
        case Steer(latent, space):
            return SteerLine(at, sample, None if latent is None else pack(latent), space)
        case UseScaler(scaler):
            if scaler is None:
                return ScalerLine(at, sample, None, None)
            return ScalerLine(at, sample, scaler.mean.tolist(), scaler.deviation.tolist())


def understand(
    line: ChangeLine, preset: Callable[[str], Preset], learned: Callable[[str], UseMapping]
) -> ControlChange | Exchange:
    """What a line tells of. preset, learned: give what is kept under a name."""
    match line:
        case ControlLine(_, sample, name, value):
            return ControlChange(sample, name, value)
        case PresetLine(_, _, name):
            return preset(name)
        case LearnedLine(_, _, name):
            return learned(name)
        case SteerLine(_, _, latent, space):
            return Steer(None if latent is None else unpack(latent), space)
        case ScalerLine(_, _, mean, deviation):
            if mean is None or deviation is None:
                return UseScaler(None)
            return UseScaler(Standardizer(np.array(mean), np.array(deviation)))


def pack(latent: Float32[np.ndarray, "latent"]) -> str:
    """Its bytes as text."""
    return base64.b64encode(latent.astype("<f4").tobytes()).decode()


def unpack(text: str) -> Float32[np.ndarray, "latent"]:
    """The latent again; PresetError where the text is damaged."""
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    except ValueError as error:
        raise PresetError(f"the recording's log holds a damaged latent vector ({error})") from None
