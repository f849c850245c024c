"""The hall file: what belongs to a room and its devices, never to a preset (`--hall FILE.toml`).

input = "Scarlett"      # as on the command line: input, output, channel, rate, display
channel = 2
gain = 6.0              # and the technical controls, as in docs/osc.md: gain, gate, sync, advance

[scaler]                # of a sound-check: mean and deviation of each descriptor, with that gain and gate
centroid = [2310.4, 871.2]
...
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tomlkit

from shared.atomic import written_atomically
from shared.audio.descriptors import DESCRIPTORS
from shared.controls import CONTROLS, Value
from shared.errors import SettingError
from shared.mapping.scaling import Standardizer

OPTIONS = ("input", "output", "channel", "rate", "display")
TECHNICAL = tuple(row.name for row in CONTROLS.values() if row.home == "hall")
SCALER = "scaler"


@dataclass(frozen=True)
class Hall:
    """What a hall file says."""

    options: Mapping[str, str] = field(default_factory=dict)
    """As given on the command line, which wins over them."""
    controls: Mapping[str, Value] = field(default_factory=dict)
    scaler: Standardizer | None = None
    """Of the source that a sound-check heard (23,)."""


def read(path: Path) -> Hall:
    """Read a hall file; SettingError naming the key where it says what it may not."""
    try:
        plain = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"hall file {path} cannot be read: {error}") from error
    options: dict[str, str] = {}
    values: dict[str, Value] = {}
    scaler: Standardizer | None = None
    for key, value in plain.items():
        if key in TECHNICAL:
            try:
                values[key] = CONTROLS[key].checked(value)
            except SettingError as error:
                raise SettingError(f"{path}: {error}") from None
        elif key == SCALER:
            scaler = _scaler(path, value)
        elif key in OPTIONS:
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise SettingError(f"{path}: {key} = {value!r} given; write it as --{key} takes it")
            options[key] = str(value)
        else:
            raise SettingError(f"{path}: unknown key '{key}'; allowed are: {', '.join((*OPTIONS, *TECHNICAL, SCALER))}")
    return Hall(options, values, scaler)


def save(path: Path, values: Mapping[str, Value], scaler: Standardizer | None = None) -> None:
    """Write technical controls, those that are given, into a hall file, made where there is none; its comments and all else stay.

    The scaler (23,) of a sound-check takes the place of the one that is there; None leaves that.
    """
    check_place(path)
    try:
        document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
        for name in TECHNICAL:
            if name in values:
                document[name] = values[name]
        if scaler is not None:
            if not isinstance(document.get(SCALER), dict):
                document[SCALER] = tomlkit.table()
            table = document[SCALER]
            for name, *row in zip(DESCRIPTORS, scaler.mean.tolist(), scaler.deviation.tolist(), strict=True):
                table[name] = row
        with written_atomically(path) as temporary:
            temporary.write_text(tomlkit.dumps(document), "utf-8")
    except (OSError, UnicodeDecodeError, tomlkit.exceptions.ParseError) as error:
        raise SettingError(f"hall file {path} cannot be written: {error}") from error


def check_place(path: Path) -> None:
    """SettingError where no hall file can be kept."""
    if path.suffix != ".toml":
        raise SettingError(f"hall file {path} given; its name has to end in .toml")
    if not path.absolute().parent.is_dir():
        raise SettingError(f"no folder {path.absolute().parent}; make it first or choose another place")


def _scaler(path: Path, given: object) -> Standardizer:
    rows = given if isinstance(given, dict) else {}
    for name in (*rows, *DESCRIPTORS):
        row = rows.get(name)
        numbers = row if isinstance(row, list) and all(type(number) in (int, float) for number in row) else []
        fits = len(numbers) == 2 and all(map(math.isfinite, numbers)) and numbers[1] >= 0
        if name not in DESCRIPTORS or not fits:
            raise SettingError(
                f"{path}: [{SCALER}] {name} = {row} given; a sound-check writes mean and deviation of the "
                f"{len(DESCRIPTORS)} descriptors: make another one, or take the whole table out"
            )
    mean, deviation = np.array([rows[name] for name in DESCRIPTORS], np.float64).T.copy()
    return Standardizer(mean, deviation)
