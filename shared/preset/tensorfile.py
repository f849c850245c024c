"""Arrays and facts about them in one safetensors file: the format of pairs, mappings, corpora and candidates."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared import safetensors_format
from shared.errors import PresetError
from shared.safetensors_format import DamagedFile, Header, ReplacedFile

VERSION = 1
ATTEMPTS = 10  # to read a file that is being replaced
MAX_BYTES = 640 << 20  # of all arrays: a corpus of a day, the largest mapping
REMEDY = "restore it or make it again"

Facts = TypeVar("Facts")


@dataclass(frozen=True)
class Expected:
    """The shape of an array, None if a length is free, and whether it holds integers."""

    shape: tuple[int | None, ...]
    is_integer: bool = False

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape is the expected one."""
        return len(shape) == len(self.shape) and all(
            wanted in (None, length) for wanted, length in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        lengths = ", ".join("any" if n is None else str(n) for n in self.shape)
        return f"{'integers' if self.is_integer else 'floating-point numbers'} of shape ({lengths})"


def floats(*shape: int | None) -> Expected:
    """An array of floating-point numbers."""
    return Expected(shape)


def integers(*shape: int | None) -> Expected:
    """An array of integers."""
    return Expected(shape, is_integer=True)


Arrays = dict[str, NDArray[Any]]
Table = Mapping[str, Expected]


def write(path: Path, kind: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write `arrays` and the JSON-able `facts` atomically; `kind` says what the file holds ("pairs", "mapping", ...)."""
    metadata = {"ponticello": kind, "version": str(VERSION), "facts": json.dumps(facts)}
    safetensors_format.write(path, arrays, metadata)


def read(
    path: Path,
    kind: str,
    facts_type: type[Facts],
    required: Table | Callable[[Facts], Table],
    optional: Table | Callable[[str], Expected | None] | None = None,
) -> tuple[Arrays, Facts]:
    """The arrays and facts of a file of this kind.

    required: the arrays that it must hold, perhaps as a function of the facts; optional: those that it may hold, perhaps
    as a function of the name. Names, shapes, number formats and the sum of bytes are checked before any array is read;
    floating-point numbers must be finite, except in `positions`. A file that another program replaces at this moment is
    read again.

    Raises PresetError for a missing file, another kind, a newer version, and arrays or facts that are not as expected.
    """
    for _ in range(ATTEMPTS):
        with suppress(ReplacedFile):
            return _read(path, kind, facts_type, required, optional)
    raise PresetError(f"{path} is replaced all the time by another program; try again")


def _read(
    path: Path,
    kind: str,
    facts_type: type[Facts],
    required: Table | Callable[[Facts], Table],
    optional: Table | Callable[[str], Expected | None] | None,
) -> tuple[Arrays, Facts]:
    header = _header(path, kind)
    try:
        facts = msgspec.json.decode(header.metadata.get("facts", "{}"), type=facts_type)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PresetError(f"{path}: its facts are damaged ({error}); {REMEDY}") from error
    _check(path, header, required(facts) if callable(required) else required, optional or {})
    try:
        arrays = safetensors_format.read_tensors(path, header)
    except ReplacedFile:
        raise
    except (DamagedFile, OSError) as error:
        raise PresetError(f"{path} cannot be read: {error}; {REMEDY}") from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and name != "positions" and not np.isfinite(array).all():
            raise PresetError(f"{path}: '{name}' holds NaN or infinity; {REMEDY}")
    return arrays, facts


def _header(path: Path, kind: str) -> Header:
    try:
        header = safetensors_format.read_header(path)
    except FileNotFoundError:
        raise PresetError(f"no file {path}; the preset needs its {kind}") from None
    except OSError as error:
        raise PresetError(f"{path} cannot be read: {error.strerror}; {REMEDY}") from error
    except DamagedFile as error:
        raise PresetError(f"{path} {error}; {REMEDY}") from error
    if header.metadata.get("ponticello") != kind:
        raise PresetError(f"{path} holds {header.metadata.get('ponticello', 'something else')[:100]}, not {kind}")
    version = header.metadata.get("version", "")[:20]
    if not (version.isascii() and version.isdecimal()):
        raise PresetError(f"{path}: format {version!r} given; {REMEDY}")
    if int(version) > VERSION:
        raise PresetError(
            f"{path} was written by a newer Ponticello (format {version}, this one reads up to {VERSION}); update the program"
        )
    return header


def _check(path: Path, header: Header, required: Table, optional: Table | Callable[[str], Expected | None]) -> None:
    """Check that all arrays are expected ones, and that together they are not too large."""
    find_optional = optional if callable(optional) else optional.get
    for name in required:
        if name not in header.tensors:
            raise PresetError(f"{path} lacks '{name}'; there are: {', '.join(sorted(header.tensors)[:20]) or 'none'}")
    for name, entry in header.tensors.items():
        expected = required.get(name) or find_optional(name)
        if expected is None:
            raise PresetError(f"{path} holds '{name[:100]}', which does not belong there; {REMEDY}")
        is_right = entry.dtype is not None and entry.dtype.kind in ("iu" if expected.is_integer else "f")
        if not is_right or not expected.fits(entry.shape):
            raise PresetError(f"{path}: '{name}' is {entry.format} of shape {entry.shape}, must be {expected}")
    if header.data_bytes > MAX_BYTES:
        raise PresetError(f"{path} holds {header.data_bytes:,} bytes; up to {MAX_BYTES:,} are read")
