"""Arrays with text metadata in one safetensors file: the form of pairs, mappings and corpora."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from shared.atomic import written_atomically
from shared.errors import PresetError

VERSION = 1


def write(path: Path, kind: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write `arrays` and the JSON-able `facts` atomically; `kind` says what the file holds ("pairs", "mapping", ...)."""
    header = {"ponticello": kind, "version": str(VERSION), "facts": json.dumps(facts)}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with written_atomically(path) as temporary:
        save_file(contiguous, temporary, metadata=header)


def read(
    path: Path, kind: str, shapes: Mapping[str, tuple[int | None, ...]]
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and facts of a file of this kind. `shapes`: the arrays it must hold, None where a length is free.

    Raises PresetError for a missing file, another kind, a newer version, a missing array or a wrong shape.
    """
    if not path.is_file():
        raise PresetError(f"no file {path}; the preset needs its {kind}")
    if not os.access(path, os.R_OK):
        raise PresetError(f"{path} may not be read by you; change its rights")
    try:
        with safe_open(path, "numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise PresetError(f"{path} is damaged or no safetensors file ({error}); restore it or make it again") from error
    if header.get("ponticello") != kind:
        raise PresetError(f"{path} holds {header.get('ponticello', 'something else')}, not {kind}")
    if not header.get("version", "").isdecimal():
        raise PresetError(f"{path} says format {header.get('version')!r}, which is none; restore it or make it again")
    if int(header["version"]) > VERSION:
        raise PresetError(
            f"{path} was written by a newer Ponticello (format {header['version']}, this one reads up to {VERSION}); update the program"
        )
    for name, shape in shapes.items():
        if name not in arrays:
            raise PresetError(f"{path} lacks '{name}'; there are: {', '.join(sorted(arrays))}")
        given = arrays[name].shape
        if len(given) != len(shape) or any(want not in (None, have) for want, have in zip(shape, given, strict=True)):
            wanted = tuple("any" if n is None else n for n in shape)
            raise PresetError(f"{path}: '{name}' has shape {given}, must be {wanted}")
    try:
        facts = json.loads(header.get("facts", "{}"))
    except (ValueError, RecursionError) as error:
        raise PresetError(
            f"{path}: what it says of itself is damaged ({error}); restore it or make it again"
        ) from error
    if not isinstance(facts, dict):
        raise PresetError(f"{path}: what it says of itself is no table; restore it or make it again")
    return arrays, facts
