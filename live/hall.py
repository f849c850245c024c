"""The hall file: what belongs to a room and its devices, never to a preset (`--hall FILE.toml`).

input = "Scarlett"      # as on the command line: input, output, channel, rate, display
channel = 2
gain = 6.0              # and the technical controls, as in docs/osc.md: gain, gate, sync, advance
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import tomlkit

from shared.atomic import written_atomically
from shared.controls import CONTROLS, Value
from shared.errors import SettingError

OPTIONS = ("input", "output", "channel", "rate", "display")
TECHNICAL = tuple(row.name for row in CONTROLS.values() if row.home == "hall")


@dataclass(frozen=True)
class Hall:
    """What a hall file says."""

    options: Mapping[str, str] = field(default_factory=dict)
    """As given on the command line, which wins over them."""
    controls: Mapping[str, Value] = field(default_factory=dict)


def read(path: Path) -> Hall:
    """Read a hall file; SettingError naming the key where it says what it may not."""
    try:
        plain = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"hall file {path} cannot be read: {error}") from error
    options: dict[str, str] = {}
    values: dict[str, Value] = {}
    for key, value in plain.items():
        if key in TECHNICAL:
            try:
                values[key] = CONTROLS[key].checked(value)
            except SettingError as error:
                raise SettingError(f"{path}: {error}") from None
        elif key in OPTIONS:
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise SettingError(f"{path}: {key} = {value!r} given; write it as --{key} takes it")
            options[key] = str(value)
        else:
            raise SettingError(f"{path}: unknown key '{key}'; allowed are: {', '.join((*OPTIONS, *TECHNICAL))}")
    return Hall(options, values)


def save(path: Path, values: Mapping[str, Value]) -> None:
    """Write the technical controls into a hall file, made where there is none; its comments and all else stay."""
    if path.suffix != ".toml":
        raise SettingError(f"hall file {path} given; its name has to end in .toml")
    try:
        document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
        for name in TECHNICAL:
            document[name] = values[name]
        with written_atomically(path) as temporary:
            temporary.write_text(tomlkit.dumps(document), "utf-8")
    except (OSError, UnicodeDecodeError, tomlkit.exceptions.ParseError) as error:
        raise SettingError(f"hall file {path} cannot be written: {error}") from error
