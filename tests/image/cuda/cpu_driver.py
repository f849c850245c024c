"""A driver that runs the kernel on the CPU: the same source, compiled by g++ and called with the arguments of a launch."""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from shared.image.ops.cuda.nvrtc import SOURCE

HERE = Path(__file__).parent
COMMAND = ("g++", "-O1", "-std=c++17", "-mf16c", "-mfma", "-fno-strict-aliasing", "-Wno-unknown-pragmas", "-pthread")


def needs_compiler():
    """Skip without a compiler for x86, but fail on CI, which must have one."""
    flags = Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").exists() else ""
    if shutil.which("g++") is None or "f16c" not in flags:
        if os.environ.get("CI"):
            pytest.fail("g++ for x86 with F16C is missing, and CI is set")
        pytest.skip("needs g++ and a processor with F16C")


@functools.lru_cache(maxsize=1)
def _folder():
    return Path(tempfile.mkdtemp(prefix="ponticello-kernel-"))


@functools.cache
def library(macros):
    """The kernel compiled with these macros."""
    name = hashlib.sha256(repr(macros).encode()).hexdigest()[:16]
    target = _folder() / f"{name}.so"
    build(target, macros, "harness.cpp", "-shared", "-fPIC")
    return ctypes.CDLL(str(target))


def build(target, macros, source, *flags, kernel=SOURCE):
    """Compile a program with the kernel in it."""
    defines = [f"-D{name}={value}" for name, value in macros]
    subprocess.run(
        [*COMMAND, *flags, *defines, f"-I{kernel.parent}", "-o", target, HERE / source], check=True, timeout=120
    )


class CpuDriver:
    """Implements `driver.Driver`, and checks every launch against constants of the compiled kernel."""

    def __init__(self, multiprocessors=24, capability="0.0"):
        self._multiprocessors, self._capability = multiprocessors, capability
        self.launches = 0

    def multiprocessors(self, device):
        return self._multiprocessors

    def capability(self, device):
        return self._capability

    def function(self, macros, device):
        return library(macros)

    def launch(self, function, grid, threads, arguments, device):
        assert threads == function.threads()
        assert threads % 32 == 0
        assert function.shared_bytes() <= 48 * 1024
        pointers, structures = arguments[:5], arguments[5:]
        function.launch(*pointers, *map(ctypes.byref, structures), (ctypes.c_int * 3)(*grid))
        self.launches += 1
