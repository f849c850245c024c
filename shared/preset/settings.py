"""preset.toml: the settings of a preset, read and checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from shared import controls
from shared.audio.descriptors import SETS, SetName, heard
from shared.controls import Value
from shared.errors import PresetError, SettingError
from shared.mapping.regression import Training
from shared.preset.direct import DirectTraining, PictureSource
from shared.toml_file import BadToml, read_toml

VERSION = 1


class GeneratorFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The generator's file: a path relative to the preset; outside the preset with its SHA-256."""

    file: str = "generator.safetensors"
    sha256: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of preset.toml."""

    version: int
    descriptors: SetName = "flucoma"
    inputs: tuple[str, ...] = ()
    """By default all of the descriptor set."""
    picture: PictureSource = "generator"
    generator: GeneratorFile = GeneratorFile()
    training: Training = Training()
    direct: DirectTraining = DirectTraining()
    controls: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if not self.inputs:
            msgspec.structs.force_setattr(self, "inputs", SETS[self.descriptors])

    @property
    def heard(self) -> tuple[str, ...]:
        """The columns that the sound must be analysed for, the loudness of the gate among them."""
        return heard(self.descriptors)


def read_settings(file: Path) -> tuple[Settings, dict[str, Value]]:
    """The settings in preset.toml, and all controls with their values.

    Raises PresetError: unreadable or unknown settings, a newer version, unknown descriptors.
    """
    try:
        plain = read_toml(file)
    except BadToml as error:
        raise PresetError(f"{file} {error}") from error
    version = plain.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise PresetError(f"{file}: version = {version!r} given; write version = {VERSION}")
    if version > VERSION:
        raise PresetError(
            f"{file} is of version {version}, written by a newer Ponticello; this one reads up to {VERSION}: update the program"
        )
    try:
        settings = msgspec.convert(plain, Settings)
    except msgspec.ValidationError as error:
        raise PresetError(f"{file}: {error}{_allowed(str(error))}") from error
    _check_inputs(plain.get("inputs", settings.inputs), settings.descriptors, file)
    return settings, _flat_controls(settings, file)


def _check_inputs(inputs: Sequence[str], descriptor_set: SetName, file: Path) -> None:
    allowed = SETS[descriptor_set]
    unknown = [name for name in inputs if name not in allowed]
    if unknown or not inputs or len(set(inputs)) != len(inputs):
        given = f"'{unknown[0]}'" if unknown else f"{len(inputs)} names, some twice" if inputs else "none"
        raise PresetError(f"{file}: inputs holds {given}; allowed is each of these at most once: {', '.join(allowed)}")


def _flat_controls(settings: Settings, file: Path) -> dict[str, Value]:
    values = controls.defaults(settings.inputs)
    for key, value in settings.controls.items():
        entries = {f"{key}/{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
        for name, entry in entries.items():
            try:
                row, _ = controls.find_control(name, settings.inputs)
                if row.home != "preset":
                    raise SettingError(f"{row.name} belongs to the {row.home}, not to a preset")
                values[name] = row.checked(entry)
            except SettingError as error:
                raise PresetError(f"{file}: [controls] {error}") from error
    return values


def _allowed(error: str) -> str:
    """The keys of the table that a validation error names."""
    if "unknown field" not in error:
        return ""
    tables: dict[str, type[msgspec.Struct]] = {
        "generator": GeneratorFile,
        "training": Training,
        "direct": DirectTraining,
    }
    table = next((struct for name, struct in tables.items() if f"$.{name}" in error), Settings)
    return f"; allowed are: {', '.join(field.name for field in msgspec.structs.fields(table))}"
