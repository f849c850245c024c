"""The hall file (`--hall FILE.toml`): devices and technical controls, which belong to a room and not to a preset.

input = "Scarlett"      # as on the command line: input, output, channel, rate, display
channel = 2
gain = 6.0              # technical controls as in docs/osc.md: gain, gate, shape, sync, advance

[scaler]                # from a sound-check: mean and deviation of each descriptor, with this gain and gate
centroid = [2310.4, 871.2]
...
"""

import math
import re
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
BARE_NAME = re.compile(r"\w[\w -]{0,99}(\.toml)?")


@dataclass(frozen=True)
class Hall:
    """The contents of a hall file, and where the show may save one."""

    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the command line, which takes precedence."""
    controls: Mapping[str, Value] = field(default_factory=dict)
    scaler: Standardizer | None = None
    """Standardises the 23 descriptors of the source that a sound-check recorded."""
    file: Path | None = None
    """The hall file in use."""
    folder: Path | None = None
    """Where files can be saved under a bare name: the folder given as `--hall`, or the one of the hall file."""

    def file_named(self, name: str | None) -> Path:
        """The file to save to: the one in use, or one with a bare name in the folder. SettingError for anything else."""
        if name is None:
            if self.file is None:
                raise SettingError("no hall file is in use; give a name, or start with --hall FILE.toml")
            return self.file
        if not BARE_NAME.fullmatch(name):
            raise SettingError(
                f"the name {name!r} given; allowed is a bare name without a folder, as in cellar or cellar.toml"
            )
        if self.folder is None:
            raise SettingError("no folder for hall files; start with --hall FILE.toml or --hall FOLDER")
        return self.folder / (name if name.endswith(".toml") else f"{name}.toml")


def open_place(path: Path) -> Hall:
    """Read the hall file at a path; for a folder, an empty Hall that can be saved there."""
    return Hall(folder=path.absolute()) if path.is_dir() else read(path)


def read(path: Path) -> Hall:
    """Read a hall file. Raises SettingError, which names the key at fault."""
    options: dict[str, str] = {}
    values: dict[str, Value] = {}
    scaler: Standardizer | None = None
    for key, value in _parsed(path).items():
        if key in TECHNICAL:
            try:
                values[key] = CONTROLS[key].checked(value)
            except SettingError as error:
                raise SettingError(f"{path}: {error}") from None
        elif key == SCALER:
            scaler = _scaler(path, value)
        elif key in OPTIONS:
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise SettingError(f"{path}: {key} = {value!r} given; write it as for --{key}")
            options[key] = str(value)
        else:
            raise SettingError(f"{path}: unknown key '{key}'; allowed are: {', '.join((*OPTIONS, *TECHNICAL, SCALER))}")
    return Hall(options, values, scaler, path.absolute(), path.absolute().parent)


def save(
    path: Path,
    values: Mapping[str, Value],
    scaler: Standardizer | None = None,
    options: Mapping[str, str | int] | None = None,
) -> None:
    """Write technical controls and options to a hall file; create it if needed. Everything else in it stays, comments included.

    A scaler (23,) replaces the one in the file; None keeps that. A file that is not a hall file is refused with
    SettingError and not changed.
    """
    check_place(path)
    if path.exists():
        read(path)  # nothing but a hall file is ever overwritten
    try:
        document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
        for name, value in {**(options or {}), **{name: values[name] for name in TECHNICAL if name in values}}.items():
            document[name] = value
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
    """Raises SettingError if no hall file can be kept at this path."""
    if path.suffix != ".toml":
        raise SettingError(f"hall file {path} given; its name must end in .toml")
    if not path.absolute().parent.is_dir():
        raise SettingError(f"no folder {path.absolute().parent}; create it first or choose another place")


def _parsed(path: Path) -> dict[str, object]:
    if path.exists() and not path.is_file():
        raise SettingError(f"hall file {path} is not a regular file; give a .toml file")
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"hall file {path} cannot be read: {error}") from error


def _scaler(path: Path, table: object) -> Standardizer:
    rows = table if isinstance(table, dict) else {}
    for name in (*rows, *DESCRIPTORS):
        if name not in DESCRIPTORS or not _is_mean_and_deviation(rows.get(name)):
            raise SettingError(
                f"{path}: [{SCALER}] {name} = {rows.get(name)} given; a sound-check writes mean and deviation of the "
                f"{len(DESCRIPTORS)} descriptors: run one again, or remove the whole table"
            )
    mean, deviation = np.array([rows[name] for name in DESCRIPTORS], np.float64).T.copy()
    return Standardizer(mean, deviation)


def _is_mean_and_deviation(row: object) -> bool:
    numbers = row if isinstance(row, list) and all(type(number) in (int, float) for number in row) else []
    return len(numbers) == 2 and all(map(math.isfinite, numbers)) and numbers[1] >= 0
