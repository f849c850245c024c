"""CUDA's driver through ctypes: load a compiled kernel, launch it on torch's current stream."""

import ctypes
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import torch

from shared.image.ops.cuda.kernel_cache import KernelCache, key_of
from shared.image.ops.cuda.nvrtc import OPTIONS, SOURCE, KernelError, nvrtc

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
KERNEL = b"filtered_lrelu"


@runtime_checkable
class Driver(Protocol):
    """What the operator needs of a card."""

    def multiprocessors(self, device: torch.device) -> int:
        """How many multiprocessors the card has."""
        ...

    def capability(self, device: torch.device) -> str:
        """The card's compute capability, such as "9.0"."""
        ...

    def function(self, macros: tuple[tuple[str, int], ...], device: torch.device) -> Any:
        """The kernel compiled with these macros and loaded; slow at first, and never to be called during a graph capture."""
        ...

    def launch(
        self, function: Any, grid: tuple[int, int, int], threads: int, arguments: Sequence[Any], device: torch.device
    ) -> None:
        """Start the kernel on torch's current stream. The arguments, ctypes values, are copied before this returns."""
        ...


class CudaDriver:
    """The driver of the machine. Functions are kept for the life of the process, as CUDA modules are."""

    def __init__(self, cache: KernelCache | None = None, library: Any = None) -> None:
        """library: libcuda, the machine's own by default. Raises KernelError if there is none."""
        try:
            self._library = library or ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise KernelError(f"cannot load {LIBRARY}: {error}") from error
        self._cache = cache or KernelCache()
        self._functions: dict[tuple[tuple[tuple[str, int], ...], int], ctypes.c_void_p] = {}
        self._lock = threading.Lock()

    def multiprocessors(self, device: torch.device) -> int:
        """From torch's properties of the card."""
        return int(torch.cuda.get_device_properties(device).multi_processor_count)

    def capability(self, device: torch.device) -> str:
        """From torch's properties of the card."""
        return "{}.{}".format(*torch.cuda.get_device_capability(device))

    def function(self, macros: tuple[tuple[str, int], ...], device: torch.device) -> ctypes.c_void_p:
        """Loaded into torch's context of the card. Raises KernelError."""
        index = torch.cuda.current_device() if device.index is None else device.index
        function = self._functions.get((macros, index))
        if function is None:  # a thread that plays never waits for one that compiles
            with self._lock:
                if (macros, index) not in self._functions:
                    code = compiled(macros, torch.cuda.get_device_capability(index), self._cache)
                    self._functions[macros, index] = self._load(code, index)
                function = self._functions[macros, index]
        return function

    def _load(self, code: bytes, index: int) -> ctypes.c_void_p:
        with torch.cuda.device(index):
            torch.cuda.current_stream().query()  # makes torch's context current in this thread
            module, function = ctypes.c_void_p(), ctypes.c_void_p()
            self._call("cuModuleLoadData", ctypes.byref(module), code)
            self._call("cuModuleGetFunction", ctypes.byref(function), module, KERNEL)
        return function

    def launch(
        self,
        function: ctypes.c_void_p,
        grid: tuple[int, int, int],
        threads: int,
        arguments: Sequence[Any],
        device: torch.device,
    ) -> None:
        """cuLaunchKernel; a capturing stream records it."""
        pointers = (ctypes.c_void_p * len(arguments))(*(ctypes.addressof(each) for each in arguments))
        stream = ctypes.c_void_p(torch.cuda.current_stream(device).cuda_stream)
        self._call("cuLaunchKernel", function, *grid, threads, 1, 1, 0, stream, pointers, None)

    def _call(self, name: str, *arguments: Any) -> None:
        if code := getattr(self._library, name)(*arguments):
            text = ctypes.c_char_p()
            self._library.cuGetErrorString(code, ctypes.byref(text))
            raise KernelError(f"{name}: {(text.value or b'unknown error').decode()}")


def compiled(macros: tuple[tuple[str, int], ...], capability: tuple[int, int], cache: KernelCache) -> bytes:
    """The kernel's machine code (or PTX) for a card, from the cache or compiled now. Raises KernelError."""
    compiler = nvrtc()
    source, target = SOURCE.read_bytes(), compiler.target(capability)
    options = (*OPTIONS, *(f"-D{name}={value}" for name, value in macros))
    version = ".".join(map(str, compiler.version))
    key = key_of(source, "\n".join(options), target, version)
    return cache.get(key, lambda: compiler.compile(source, options, target)[0])


@lru_cache(maxsize=1)
def cuda_driver() -> Driver:
    """The driver of this machine. Raises KernelError if there is none."""
    return CudaDriver()
