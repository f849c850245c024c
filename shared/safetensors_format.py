"""The safetensors format (https://github.com/huggingface/safetensors), with all checks before a tensor is read.

A file is the length of its header (8 bytes, little-endian), the header in JSON, and the numbers of the tensors. The header
is sorted, so the same arrays always give the same bytes; the safetensors library writes metadata in random order.
"""

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.atomic import written_atomically
from shared.regular_file import open_regular

MAX_HEADER_BYTES = 4 << 20  # a header of 10,000 candidates has some 150,000
MAX_DIMENSIONS = 8
ALIGNMENT = 8
METADATA = "__metadata__"
FORMATS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
NAMES = {np.dtype(code): name for name, code in FORMATS.items()}


class DamagedFile(Exception):
    """A damaged file. The message continues a sentence that begins with the file's name: "is cut off: ..."."""


class ReplacedFile(DamagedFile):
    """Another program has replaced the file since its header was read: read it again."""


@dataclass(frozen=True)
class TensorEntry:
    """A tensor in a file: its number format (F32, ...), its shape, and the offsets of its bytes in the file."""

    format: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Its numpy type; None if numpy has none (BF16, F8, ...)."""
        return np.dtype(FORMATS[self.format]) if self.format in FORMATS else None


@dataclass(frozen=True)
class Header:
    """The metadata and the tensors of a file, by name."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorEntry]
    stamp: tuple[int, ...] = ()
    """What tells the file from one that replaces it."""

    @property
    def data_bytes(self) -> int:
        """Number of bytes of all tensors."""
        return sum(entry.stop - entry.start for entry in self.tensors.values())


def read_header(path: Path) -> Header:
    """Read and check the header of a file. Raises DamagedFile, and OSError if the file cannot be read."""
    with open_regular(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        return replace(_read_header(file, size), stamp=_stamp(file))


def read_tensors(path: Path, header: Header, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read the tensors of these names, or all.

    Raises DamagedFile, ReplacedFile if it is not the file of this header any more, and OSError if it cannot be read.
    """
    arrays = {}
    with open_regular(path) as file:
        if _stamp(file) != header.stamp:
            raise ReplacedFile("was replaced while it was read; try again")
        for name in header.tensors if names is None else names:
            entry = header.tensors[name]
            if entry.dtype is None:
                raise DamagedFile(f"holds '{name}' as {entry.format}, a number format that cannot be read")
            array = np.empty(entry.shape, entry.dtype)
            file.seek(entry.start)
            content = array.reshape(-1).view(np.uint8)
            if file.readinto(content.data) != array.nbytes:
                raise DamagedFile("is truncated: it became shorter while it was read")
            arrays[name] = array
    return arrays


def write(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write a file atomically. The same arrays and metadata always give the same bytes. Errors as `written_atomically`."""
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))  # widest first: all aligned
    table: dict[str, object] = {METADATA: dict(sorted(metadata.items()))}
    stop = 0
    for name, array in ordered:
        start, stop = stop, stop + array.nbytes
        number_format = NAMES[array.dtype.newbyteorder("<")]
        table[name] = {"dtype": number_format, "shape": list(array.shape), "data_offsets": [start, stop]}
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with written_atomically(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in ordered:
            little_endian = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            file.write(little_endian.reshape(-1).view(np.uint8).data)


def _stamp(file: BufferedReader) -> tuple[int, ...]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _read_header(file: BufferedReader, size: int) -> Header:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise DamagedFile("is not a safetensors file, or its header is truncated")
    if length > MAX_HEADER_BYTES:
        raise DamagedFile(f"has a header of {length:,} bytes; up to {MAX_HEADER_BYTES:,} are read")
    text = file.read(length)
    try:
        if not text.startswith(b"{"):
            raise ValueError
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFile("is not a safetensors file: its header is no JSON") from error
    metadata = table.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise DamagedFile("is damaged: its metadata is no table of texts")
    tensors = {name: _entry(name, given, 8 + length) for name, given in table.items()}
    place = 8 + length
    for name, entry in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].stop)):
        if entry.start != place:  # no gaps, and no bytes that count twice
            raise DamagedFile(f"is damaged: '{name[:100]}' overlaps another tensor, or there is a gap before it")
        place = entry.stop
    if place > size:
        raise DamagedFile(f"is truncated: {place - size:,} bytes are missing")
    if place < size:
        raise DamagedFile(f"is damaged: {size - place:,} bytes at its end belong to no tensor")
    return Header(metadata, tensors)


def _entry(name: str, given: object, data_start: int) -> TensorEntry:
    match given:
        case {"dtype": str(number_format), "shape": list(shape), "data_offsets": [start, stop]}:
            counts = [*shape, start, stop]
            is_counted = all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**63 for n in counts)
            if is_counted and len(shape) <= MAX_DIMENSIONS and start <= stop:
                entry = TensorEntry(number_format, tuple(shape), data_start + start, data_start + stop)
                if entry.dtype is None or stop - start == math.prod(shape) * entry.dtype.itemsize:
                    return entry
    raise DamagedFile(f"is not a safetensors file, or damaged: its header describes '{name[:100]}' wrongly")
