"""A generator's file: weights under the published names in safetensors, the architecture as JSON in the header.

Header metadata: `format` (this module's VERSION), `arch` ("stylegan3-t", ...), `config` (the constructor's arguments as
JSON). Numbers are float32 or float16. Filters and transform are optional: they follow from the architecture.
This module does not need torch, so a wrong file is refused before anything slow is imported.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from shared import safetensors_format
from shared.errors import ModelError
from shared.image.architecture import Architecture
from shared.image.geometry import layers, tensors
from shared.image.memory import available_bytes
from shared.regular_file import open_regular
from shared.safetensors_format import DamagedFile, Header

log = logging.getLogger(__name__)

VERSION = 1
MAX_BYTES = 2 << 30  # the largest published ones have 0.13 GB
WEIGHT_COPIES = 3  # as stored in half precision, and prepared in float32
WORTH_SAYING_BYTES = 2 << 30
FUSED_TAPS, FUSED_UPSAMPLING = 6, 2  # the filters of the fused path
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
    return _checked_header(path)[0]


def read_checkpoint(path: Path, *, draws_on_cpu: bool = False) -> tuple[Architecture, Arrays]:
    """The architecture and the tensors in their stored formats. Raises ModelError like read_architecture.

    A generator that needs more memory than the machine has available is refused before its weights are read.
    draws_on_cpu: it will draw in this memory too, not only be loaded.
    """
    architecture, header = _checked_header(path)
    needed = WEIGHT_COPIES * header.data_bytes + (picture_bytes(architecture) if draws_on_cpu else 0)
    available = available_bytes()
    if available is not None and needed > available:
        raise ModelError(
            f"{path} needs about {needed / 2**30:.1f} GB of memory, {available / 2**30:.1f} GB are available; "
            "close other programs or take a smaller generator"
        )
    if needed > WORTH_SAYING_BYTES:
        log.info("%s needs about %.1f GB of memory", path.name, needed / 2**30)
    try:
        arrays = safetensors_format.read_tensors(path, header)
    except (DamagedFile, OSError) as error:
        raise ModelError(f"{path} cannot be read: {error}; copy it again") from error
    try:
        check_values(arrays)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return architecture, arrays


def _checked_header(path: Path) -> tuple[Architecture, Header]:
    """The architecture and the header; names, shapes, number formats and the sum of bytes fit the architecture."""
    header = _read_header(path)
    metadata = header.metadata
    if "config" not in metadata or not metadata.get("arch", "stylegan3").startswith("stylegan3"):
        what = metadata.get("arch", "no StyleGAN3 generator")[:100]
        raise ModelError(f"{path} holds {what}; a generator's header has 'config' and an 'arch' of stylegan3")
    written = metadata.get("format", str(VERSION))[:20]
    if not (written.isascii() and written.isdecimal()) or int(written) > VERSION:
        raise ModelError(f"{path} has format {written}, this program reads up to {VERSION}; update the program")
    try:
        arguments = json.loads(metadata["config"])
        if not isinstance(arguments, dict):
            raise ModelError("'config' is not a JSON object")
        architecture = Architecture.from_arguments(arguments)
        check_shapes(architecture, {name: entry.shape for name, entry in header.tensors.items()})
    except (ModelError, ValueError, ArithmeticError, RecursionError) as error:
        raise ModelError(f"{path}: {error}") from error
    for name, entry in header.tensors.items():
        if entry.format not in FORMATS:
            raise ModelError(f"{path}: tensor {name} is {entry.format}; supported are {' and '.join(FORMATS)}")
    return architecture, header


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
    safetensors_format.write(path, written, metadata)


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


def picture_bytes(architecture: Architecture) -> int:
    """About what drawing a picture takes, in float32: three maps of the largest layer.

    Unusual filters are not fused; there the maps at the raised rate count.
    """
    is_fused = architecture.filter_size == FUSED_TAPS and architecture.lrelu_upsampling == FUSED_UPSAMPLING
    largest = 0
    for layer in layers(architecture):
        side = layer.target.size if is_fused else (layer.target.size - 1) * layer.down + layer.down_taps
        largest = max(largest, max(layer.source.channels, layer.target.channels) * max(side, layer.source.size) ** 2)
    return 3 * 4 * largest


def check_values(arrays: Mapping[str, Array]) -> None:
    """Raises ModelError naming a tensor with NaN or infinity, or a magnitude that is not positive."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelError(f"tensor {name} holds NaN or infinity; the network diverged or the file is damaged")
        if name.endswith(".magnitude_ema") and not array > 0:
            raise ModelError(f"tensor {name} is {array}, must be above 0")


def _read_header(path: Path) -> Header:
    try:
        with open_regular(path) as file:
            head = file.read(9)
            size = file.seek(0, 2)
    except FileNotFoundError as error:
        raise ModelError(f"no file {path}") from error
    except IsADirectoryError as error:
        raise ModelError(f"{path} is a folder; name a generator's .safetensors") from error
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if not size:
        raise ModelError(f"{path} is empty; copy it again")
    if size > MAX_BYTES:
        raise ModelError(f"{path} has {size:,} bytes; generators of up to {MAX_BYTES:,} are read")
    for start, what in OTHER_FORMATS.items():
        if head.startswith(start) and head[8:9] != b"{":
            raise ModelError(f"{path} is {what.format(path=path)}")
    try:
        return safetensors_format.read_header(path)
    except (DamagedFile, OSError) as error:
        raise ModelError(f"{path} {error}; name a generator's .safetensors, or copy it again") from error
