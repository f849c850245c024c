"""NVRTC, CUDA's run-time compiler, through ctypes. It comes with torch's wheels for CUDA; nothing else has to be installed."""

import ctypes
import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

SOURCE = Path(__file__).with_name("filtered_lrelu.cu")
OPTIONS = ("--std=c++17",)
PATTERNS = (
    ("nvrtc-builtins64_*.dll", "nvrtc64_*_0.dll")
    if sys.platform == "win32"
    else ("libnvrtc-builtins.so.*", "libnvrtc.so.*")
)
"""The compiler looks for its builtins by name only, so they are loaded first."""


class KernelError(Exception):
    """The kernel cannot be compiled or launched here; the reason in one line. The plain path works without it."""


class Nvrtc:
    """The compiler library in a folder."""

    def __init__(self, folder: Path) -> None:
        for pattern in PATTERNS:
            file = next(iter(sorted(folder.glob(pattern))), None)
            if file is None:
                raise KernelError(f"no {pattern} in {folder}")
            try:
                self._library = ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
            except OSError as error:
                raise KernelError(f"cannot load {file}: {error}") from error

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor version."""
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call("Version", ctypes.byref(major), ctypes.byref(minor))
        return major.value, minor.value

    @property
    def architectures(self) -> tuple[int, ...]:
        """The compute capabilities that it compiles for, ascending: 75, 80, ..."""
        count = ctypes.c_int()
        self._call("GetNumSupportedArchs", ctypes.byref(count))
        numbers = (ctypes.c_int * count.value)()
        self._call("GetSupportedArchs", numbers)
        return tuple(sorted(numbers))

    def target(self, capability: tuple[int, int]) -> str:
        """What to compile for a card: `sm_XY`, or the PTX `compute_XY` nearest below for a card newer than the compiler.

        Raises KernelError for a card older than all that the compiler supports.
        """
        card = capability[0] * 10 + capability[1]
        known = self.architectures
        if card in known:
            return f"sm_{card}"
        older = [each for each in known if each < card]
        if not older:
            version = ".".join(map(str, self.version))
            raise KernelError(
                f"NVRTC {version} compiles for capability {known[0] / 10:g} and later, this card has {card / 10:g}"
            )
        return f"compute_{older[-1]}"

    def compile(self, source: bytes, options: tuple[str, ...], target: str) -> tuple[bytes, str]:
        """The machine code (or PTX, for a `compute_` target) and the compiler's log. Raises KernelError with the log."""
        program = ctypes.c_void_p()
        self._call("CreateProgram", ctypes.byref(program), source, SOURCE.name.encode(), 0, None, None)
        flags = (f"--gpu-architecture={target}", *options)
        try:
            try:
                array = (ctypes.c_char_p * len(flags))(*(flag.encode() for flag in flags))
                self._call("CompileProgram", program, len(flags), array)
            except KernelError as error:
                raise KernelError(f"{error}: {self._get(program, 'ProgramLog').decode(errors='replace')}") from None
            log = self._get(program, "ProgramLog").decode(errors="replace")
            return self._get(program, "PTX" if target.startswith("compute_") else "CUBIN"), log
        finally:
            self._call("DestroyProgram", ctypes.byref(program))

    def _get(self, program: ctypes.c_void_p, name: str) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"Get{name}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self._call(f"Get{name}", program, buffer)
        return buffer.raw[: size.value]

    def _call(self, name: str, *arguments: Any) -> None:
        if code := getattr(self._library, "nvrtc" + name)(*arguments):
            raise KernelError(f"nvrtc{name} failed with error {code}")


@lru_cache(maxsize=1)
def nvrtc() -> Nvrtc:
    """The compiler that belongs to the installed torch, or to a CUDA toolkit. Raises KernelError if there is none."""
    errors = []
    for folder in _folders():
        try:
            return Nvrtc(folder)
        except KernelError as error:
            errors.append(str(error))
    raise KernelError(f"NVRTC is missing ({'; '.join(errors) or 'no CUDA build of torch'})")


def _folders() -> Iterator[Path]:
    """Folders that may hold NVRTC: torch's wheels first, in any folder of packages, then CUDA toolkits."""
    packages = [Path(torch.__file__).parents[1], *map(Path, sys.path)]
    for place in dict.fromkeys(packages):
        yield from sorted(place.glob("nvidia/cu[0-9]*/lib"), reverse=True)
        yield from place.glob("nvidia/cu[0-9]*/bin/x86_64")
        yield from place.glob("nvidia/cuda_nvrtc/lib")
        yield from place.glob("nvidia/cuda_nvrtc/bin")
    yield Path(torch.__file__).parent / "lib"
    for toolkit in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"):
        if toolkit:
            yield from (folder for folder in (Path(toolkit, "lib64"), Path(toolkit, "bin")) if folder.is_dir())
