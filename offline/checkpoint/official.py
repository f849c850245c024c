"""Reads an official StyleGAN checkpoint (.pkl) without executing any of it.

A checkpoint is a pickle of a dict with G, D and G_ema. Each network module contains the source code of its class, which the
published loader executes. This reader ignores it: a module becomes the name of its class and its attributes. Tensors are
pickles inside the pickle, in PyTorch's old format for storages. Neither torch nor Python's unpickler is used.
"""

import math
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.checkpoint.plain import plain_calls
from offline.checkpoint.unpickling import ByteStream, Call, GlobalName, Machine, Refused
from shared.errors import ModelError
from shared.regular_file import open_regular

MAX_BYTES = 4 << 30
MAX_MODULES, MAX_STORAGES = 10_000, 20_000

STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}
STORAGE_MAGIC, STORAGE_VERSION = 0x1950A86A20F9469CFC6C, 1001
TENSORFLOW = "dnnlib.tflib"


@dataclass(frozen=True)
class StoredNetwork:
    """A network module: the name of its class and its attributes."""

    class_name: str
    state: dict[str, Any]


@dataclass(frozen=True)
class Storage:
    """The numbers behind a tensor."""

    numbers: NDArray[Any]


def read_official(path: Path) -> dict[str, Any]:
    """The dict in a checkpoint: networks as `StoredNetwork`, tensors as numpy arrays, everything else as plain values.

    Raises ModelError for a file that is not a checkpoint, is damaged, or would execute code.
    """
    try:
        with open_regular(path) as file:
            _check_kind(path, file.read(512), path.stat().st_size)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # stays open, because tensors are views of it
            content = Machine(ByteStream(mapped), checkpoint_calls()).run()
    except FileNotFoundError as error:
        raise ModelError(f"no file {path}") from error
    except IsADirectoryError as error:
        raise ModelError(f"{path} is a folder; name the .pkl in it") from error
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except Refused as error:
        if TENSORFLOW in str(error):
            raise ModelError(f"{path} is a StyleGAN for TensorFlow; only StyleGAN3 can be converted") from error
        raise ModelError(f"{path} is refused: {error}; none of its code was executed") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}; an official checkpoint is a dict with G_ema")
    return content


def _check_kind(path: Path, head: bytes, size: int) -> None:
    if not size:
        raise ModelError(f"{path} is empty; download it again")
    if size > MAX_BYTES:
        raise ModelError(f"{path} has {size:,} bytes; checkpoints of up to {MAX_BYTES:,} are read")
    if head[0] == 0x80:
        return
    wanted = "an official StyleGAN3 .pkl is needed"
    if head[8:9] == b"{":
        raise ModelError(f"{path} is a safetensors file already; use it as it is")
    if head.startswith(b"PK"):
        raise ModelError(f"{path} is a zip archive (PyTorch's newer format); {wanted}")
    if all(byte >= 0x20 or byte in b"\t\r\n\f\x1b" for byte in head):
        start = head.decode("utf-8", "replace").split("\n")[0][:40]
        raise ModelError(f"{path} is text ({start!r}), not a checkpoint; {wanted}")
    raise ModelError(f"{path} is not a pickle; {wanted}")


def _network(arguments: tuple[Any, ...]) -> StoredNetwork:
    match arguments:
        case ({"type": "class", "version": int(), "class_name": str(name), "state": dict(state)},):
            return StoredNetwork(name, state)
    raise Refused("it has a network module in an unknown form")


def _empty_dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise Refused("it makes a dictionary in an unusual way")
    return {}


def _storages() -> Call:
    """A call that reads storages, each only once."""
    known: dict[int, tuple[object, Storage]] = {}  # by identity of the data, which is kept alive here

    def call(arguments: tuple[Any, ...]) -> Storage:
        match arguments:
            case (bytes() | memoryview() | bytearray() as data,):
                if id(data) not in known:
                    if len(known) == MAX_STORAGES:
                        raise Refused(f"it has more than {MAX_STORAGES:,} tensors")
                    known[id(data)] = data, read_storage(data)
                return known[id(data)][1]
        raise Refused("it has a tensor without bytes")

    return call


def _tensor(arguments: tuple[Any, ...]) -> NDArray[Any]:
    """A view of a storage at an offset, with sizes and strides in items. Raises Refused if it exceeds the storage."""
    match arguments:
        case (Storage(numbers), int(offset), tuple(size), tuple(stride), *_) if len(size) == len(stride):
            if not all(isinstance(n, int) and 0 <= n <= numbers.size for n in (offset, *size, *stride)):
                raise Refused("it has a tensor with impossible sizes")
            last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
            if math.prod(size) > numbers.size or (0 not in size and last >= numbers.size):
                raise Refused("it has a tensor that reaches outside its storage")
            bytes_apart = [step * numbers.itemsize for step in stride]
            return np.lib.stride_tricks.as_strided(numbers[offset:], size, bytes_apart, writeable=False)
    raise Refused("it has a tensor in an unknown form")


def _parameter(arguments: tuple[Any, ...]) -> NDArray[Any]:
    match arguments:
        case (np.ndarray() as tensor, *_):
            return tensor
    raise Refused("it has a parameter that is not a tensor")


def checkpoint_calls() -> dict[GlobalName, Call | None]:
    """All globals that a checkpoint may name. EasyDict and OrderedDict become plain dicts."""
    return plain_calls() | {
        GlobalName("torch_utils.persistence", "_reconstruct_persistent_obj"): _network,
        GlobalName("dnnlib.util", "EasyDict"): _empty_dict,
        GlobalName("torch._utils", "_rebuild_parameter"): _parameter,
        GlobalName("torch._utils", "_rebuild_tensor_v2"): _tensor,
        GlobalName("torch.storage", "_load_from_bytes"): _storages(),
    }


def read_storage(data: bytes | bytearray | memoryview) -> Storage:
    """Read a storage that torch.save wrote before its zip format: five pickles, the number of items, the items.

    The pickles are a magic number, a version, properties of the machine, the persistent id ("storage", type, key, device,
    items, None), and the list of keys. Raises Refused.
    """
    stream = ByteStream(memoryview(data))
    if Machine(stream, {}).run() != STORAGE_MAGIC or Machine(stream, {}).run() != STORAGE_VERSION:
        raise Refused("it has a tensor in an unknown file format")
    machine_facts = Machine(stream, {}).run()
    types: dict[GlobalName, Call | None] = {GlobalName("torch", name): None for name in STORAGES}
    record = Machine(stream, types, lambda persistent_id: persistent_id).run()
    keys = Machine(stream, {}).run()
    items, numbers = int.from_bytes(stream.read(8), "little"), stream.read()
    match machine_facts, record, keys:
        case {"little_endian": True}, ("storage", GlobalName("torch", kind), str(key), str(), int(count), None), [
            str(only)
        ]:
            dtype = np.dtype(STORAGES[kind])
            if key == only and items == count and len(numbers) == count * dtype.itemsize:
                return Storage(np.frombuffer(numbers, dtype))
    raise Refused("it has a tensor whose storage is damaged")


def network_tensors(network: StoredNetwork) -> dict[str, NDArray[Any]]:
    """All parameters and buffers of a network by their full names, such as `synthesis.input.freqs`. Raises ModelError."""
    tensors: dict[str, NDArray[Any]] = {}
    waiting = [("", network)]
    for _ in range(MAX_MODULES):
        if not waiting:
            return tensors
        prefix, module = waiting.pop()
        for kind in ("_parameters", "_buffers"):
            named = _attribute(module, kind)
            tensors |= {f"{prefix}{name}": value for name, value in named.items() if isinstance(value, np.ndarray)}
        children = _attribute(module, "_modules")
        waiting += [(f"{prefix}{name}.", child) for name, child in children.items() if isinstance(child, StoredNetwork)]
    raise ModelError(f"the network has more than {MAX_MODULES:,} modules; it is not an official checkpoint")


def constructor_arguments(network: StoredNetwork) -> dict[str, Any]:
    """The keyword arguments of the network's constructor. Raises ModelError."""
    if network.state.get("_init_args"):
        raise ModelError("the network was made with positional arguments; it is not an official checkpoint")
    return _attribute(network, "_init_kwargs")


def _attribute(module: StoredNetwork, name: str) -> dict[str, Any]:
    value = module.state.get(name)
    if not isinstance(value, dict):
        raise ModelError(f"a {module.class_name} in it lacks {name}; it is not an official checkpoint")
    return value
