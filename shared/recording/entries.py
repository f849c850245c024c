"""The lines of log.jsonl: the show's settings, every change with its sample, the end."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Annotated, Literal

import msgspec
import numpy as np
from jaxtyping import Float32

from shared import controls
from shared.audio.descriptors import DESCRIPTORS, WIDE
from shared.controls import ControlChange, Value
from shared.errors import PresetError
from shared.mapping.scaling import Standardizer
from shared.pipeline.exchanges import Exchange, Steer, UseMapping, UseScaler
from shared.pipeline.schedule import belongs_to_preset
from shared.preset import Preset
from shared.preset.pairs import LatentSpace
from shared.recording.snapshots import Snapshots

VERSION = 1
FRACTION = re.compile(r"\d{1,18}(/0*[1-9]\d{0,17})?", re.ASCII)
InputKind = Literal["samples", "frames"]
"""What a sound input delivers, and a recording stores."""
Fact = str | float | bool | None


class Head(msgspec.Struct, tag="recording", tag_field="line"):
    """The first line."""

    version: Annotated[int, msgspec.Meta(ge=1)]
    started: str
    """Date and time."""
    fps: str
    gives: InputKind
    sample: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    """The sample of the show at which the recording begins."""
    preset: str
    """The name of the folder, in `presets/`, of the preset that played."""
    settings: dict[str, Fact]
    """The options of the show, for people to read; nothing depends on them."""


class ControlLine(msgspec.Struct, tag="control", tag_field="line"):
    """A control changed."""

    at: int
    """Samples that the pipeline had taken in when the change was requested."""
    sample: int
    """The sample from which it acts."""
    name: str
    value: bool | float | str | tuple[float, float]


class PresetLine(msgspec.Struct, tag="preset", tag_field="line"):
    """A preset was started; the name of its folder in `presets/`."""

    at: int
    sample: int
    preset: str


class LearnedLine(msgspec.Struct, tag="learned", tag_field="line"):
    """A mapping was trained; the name of its folder in `learned/`."""

    at: int
    sample: int
    mapping: str
    crossfades: bool = False


class SteerLine(msgspec.Struct, tag="latent", tag_field="line"):
    """A latent vector replaced the sound's, float32 in base64; null: back to the sound."""

    at: int
    sample: int
    latent: str | None
    space: LatentSpace
    label: str | None = None
    """The weights of the classes, likewise; null: those of the sound."""


class ScalerLine(msgspec.Struct, tag="scaler", tag_field="line"):
    """The sound is standardised by the scaler of its source from here on; null: by the scalers of the presets."""

    at: int
    sample: int
    mean: list[float] | None
    deviation: list[float] | None


class End(msgspec.Struct, tag="end", tag_field="line"):
    """The last line, unless the recording was interrupted."""

    sample: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    """The sample of the show at which the recording ends; the zeros that complete its last frame follow it."""


ChangeLine = ControlLine | PresetLine | LearnedLine | SteerLine | ScalerLine
Line = Head | ChangeLine | End


def encode_change(at: int, sample: int, change: ControlChange | Exchange, snapshots: Snapshots) -> ChangeLine:
    """The line for a change; a preset or mapping that it needs is stored in the recording first."""
    match change:
        case ControlChange(name=name, value=value):
            return ControlLine(at, sample, name, value)
        case Preset():
            return PresetLine(at, sample, snapshots.preset(change))
        case UseMapping(crossfades=crossfades):
            return LearnedLine(at, sample, snapshots.learned(change), crossfades)
        case Steer(latent, space, label):
            return SteerLine(at, sample, _packed(latent), space, _packed(label))
        case UseScaler(scaler):
            if scaler is None:
                return ScalerLine(at, sample, None, None)
            return ScalerLine(at, sample, scaler.mean.tolist(), scaler.deviation.tolist())


def decode_change(
    line: ChangeLine, load_preset: Callable[[str], Preset], load_learned: Callable[[str], UseMapping]
) -> ControlChange | Exchange:
    """The change that a line stands for. load_preset, load_learned: load what is stored under a name.

    Raises PresetError or SettingError for a value that no show can have recorded.
    """
    match line:
        case ControlLine(_, sample, name, value):
            row, _ = controls.find_control(name, WIDE)
            return ControlChange(sample, name, row.checked(value))
        case PresetLine(_, _, name):
            return load_preset(name)
        case LearnedLine(_, _, name, crossfades):
            return replace(load_learned(name), crossfades=crossfades)
        case SteerLine(_, _, latent, space, label):
            return Steer(_unpacked(latent), space, _unpacked(label))
        case ScalerLine(_, _, mean, deviation):
            if mean is None or deviation is None:
                return UseScaler(None)
            if not len(mean) == len(deviation) == len(DESCRIPTORS) or min(deviation) < 0:
                raise PresetError("the recording's log holds a damaged scaler")
            return UseScaler(Standardizer(np.array(mean), np.array(deviation)))


def parse_fraction(text: str) -> Fraction:
    """A number as `str(Fraction)` writes it, `30` or `30000/1001`. ValueError for others, such as 1e99999999."""
    if not FRACTION.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no fraction")
    return Fraction(text)


def checked_values(values: Mapping[str, Value], preset: Preset, *, is_for_preset: bool) -> dict[str, Value]:
    """The controls of the preset, or those of the show, at these values; the preset's own value where one is missing.

    Raises SettingError for an unknown name or a value outside its range.
    """
    result = {name: value for name, value in preset.controls.items() if belongs_to_preset(name) == is_for_preset}
    for name, value in values.items():
        row, _ = controls.find_control(name, preset.settings.inputs)
        if name in result:
            result[name] = row.checked(value)
    return result


def pack(latent: Float32[np.ndarray, "latent"]) -> str:
    """The bytes of a latent vector as base64."""
    return base64.b64encode(latent.astype("<f4").tobytes()).decode()


def _packed(vector: Float32[np.ndarray, "n"] | None) -> str | None:
    return None if vector is None else pack(vector)


def _unpacked(text: str | None) -> Float32[np.ndarray, "n"] | None:
    return None if text is None else unpack(text)


def unpack(text: str) -> Float32[np.ndarray, "latent"]:
    """The latent vector. Raises PresetError if the text is damaged."""
    try:
        latent = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    except ValueError as error:
        raise PresetError(f"the recording's log holds a damaged latent vector ({error})") from None
    if not np.isfinite(latent).all():
        raise PresetError("the recording's log holds a latent vector that is not finite")
    return latent
