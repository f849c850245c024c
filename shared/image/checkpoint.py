"""A generator's file: weights under the published names in safetensors, the architecture as JSON in the header.

Header metadata: `format` (this module's VERSION), `arch` ("stylegan3-t", ...), `config` (the constructor's arguments as
JSON). Numbers are float32 or float16. Filters and transform are optional: they follow from the architecture.
This module does not need torch, so a wrong file is refused before anything slow is imported.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from shared.atomic import written_atomically
from shared.errors import ModelError
from shared.image.architecture import Architecture
from shared.image.geometry import tensors

VERSION = 1
FORMATS = {"F16": np.float16, "F32": np.float32}
OTHER_FORMATS = {
    b"\x80": "a pickle; make it safetensors with: ponticello convert {path}",
    b"PK": "a zip archive (PyTorch's own format); a generator is .safetensors, or an official StyleGAN3 .pkl to convert",
}

Array = Float[np.ndarray, "..."]
Arrays = dict[str, Array]


def read_architecture(path: Path) -> Architecture:
    """The architecture in a file's header. Checks the name, shape and format of every tensor; reads no weights.

    Raises ModelError with the reason.
    """
    header = _read_header(path)
    metadata = header.pop("__metadata__", {})
    if "config" not in metadata or not str(metadata.get("arch", "stylegan3")).startswith("stylegan3"):
        what = metadata.get("arch", "no StyleGAN3 generator")
        raise ModelError(f"{path} holds {what}; a generator's header has 'config' and an 'arch' of stylegan3")
    written = str(metadata.get("format", VERSION))
    if not written.isdecimal() or int(written) > VERSION:
        raise ModelError(f"{path} has format {written}, this program reads up to {VERSION}; update the program")
    try:
        arguments = json.loads(metadata["config"])
        if not isinstance(arguments, dict):
            raise ModelError("'config' is not a JSON object")
        architecture = Architecture.from_arguments(arguments)
    except (ModelError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: {error}") from error
    stored = {name: (str(entry["dtype"]), tuple(entry["shape"])) for name, entry in header.items()}
    try:
        check_shapes(architecture, {name: shape for name, (_, shape) in stored.items()})
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    for name, (number_format, _) in stored.items():
        if number_format not in FORMATS:
            raise ModelError(f"{path}: tensor {name} is {number_format}; supported are {' and '.join(FORMATS)}")
    return architecture


def read_checkpoint(path: Path) -> tuple[Architecture, Arrays]:
    """The architecture and the tensors in their stored formats. Raises ModelError like read_architecture."""
    architecture = read_architecture(path)
    try:
        with safe_open(path, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is damaged ({error}); copy it again") from error
    try:
        check_values(arrays)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return architecture, arrays


def write_checkpoint(
    path: Path, architecture: Architecture, arrays: Mapping[str, Array], *, half: bool = False
) -> None:
    """Write a generator's file atomically, in float32 or, if `half`, in float16.

    A float16 file keeps the `precise` tensors of `geometry.tensors` in float32. Raises ModelError for tensors that do not
    fit the architecture, contain NaN or infinity, or are too large for float16.
    """
    table = tensors(architecture)
    check_shapes(architecture, {name: array.shape for name, array in arrays.items()})
    written: Arrays = {}
    for name, array in arrays.items():
        dtype = np.float16 if half and not table[name].precise else np.float32
        with np.errstate(over="ignore"):
            written[name] = np.array(array, dtype, order="C")
        if np.isinf(written[name]).any() and np.isfinite(array).all():
            raise ModelError(
                f"tensor {name} holds numbers up to {np.abs(array).max():g}, too large for {dtype.__name__}"
            )
    check_values(written)
    config = json.dumps(architecture.arguments())
    metadata = {"format": str(VERSION), "arch": architecture.variant, "config": config}
    with written_atomically(path) as temporary:
        save_file(written, temporary, metadata=metadata)


def check_shapes(architecture: Architecture, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ModelError naming the first tensor that is missing, has the wrong shape, or is not part of the architecture."""
    table = tensors(architecture)
    for name, tensor in table.items():
        if name not in shapes:
            if tensor.required:
                raise ModelError(f"tensor {name} is missing; the file is incomplete or its arguments belong to another")
        elif shapes[name] != tensor.shape:
            raise ModelError(f"tensor {name} has shape {shapes[name]}, its arguments ask for {tensor.shape}")
    surplus = sorted(shapes.keys() - table.keys())
    if surplus:
        raise ModelError(f"tensor {surplus[0]} does not belong to a StyleGAN3 of these arguments")


def check_values(arrays: Mapping[str, Array]) -> None:
    """Raises ModelError naming a tensor with NaN or infinity, or a magnitude that is not positive."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelError(f"tensor {name} holds NaN or infinity; the network diverged or the file is damaged")
        if name.endswith(".magnitude_ema") and not array > 0:
            raise ModelError(f"tensor {name} is {array}, must be above 0")


def _read_header(path: Path) -> dict[str, Any]:
    """The JSON header of a safetensors file, after its eight-byte length."""
    if not path.exists():
        raise ModelError(f"no file {path}")
    if path.is_dir():
        raise ModelError(f"{path} is a folder; name a generator's .safetensors")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
            length = int.from_bytes(head, "little")
            text = file.read(length) if length <= size - 8 else b""
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if not size:
        raise ModelError(f"{path} is empty; copy it again")
    for start, what in OTHER_FORMATS.items():
        if head.startswith(start) and not text.startswith(b"{"):
            raise ModelError(f"{path} is {what.format(path=path)}")
    try:
        if not text.startswith(b"{"):
            raise ValueError("no header")
        header = json.loads(text)
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        missing = max(ends, default=0) + 8 + length - size
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise ModelError(
            f"{path} is not a safetensors file, or its header is truncated; name a generator's .safetensors"
        ) from error
    if missing > 0:
        raise ModelError(f"{path} is truncated: {missing} bytes are missing; copy it again")
    return dict(header)
