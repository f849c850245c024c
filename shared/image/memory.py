"""Memory that a picture used stays with the process for the next one."""

import ctypes
import sys
from functools import cache
from pathlib import Path

# <malloc.h> of the GNU C library
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_BYTES = 32 * 2**20  # the largest mmap threshold that the library accepts
KEPT_BYTES = 512 * 2**20
MEMINFO = Path("/proc/meminfo")


@cache
def keep_memory() -> bool:
    """Let the GNU C library keep freed memory instead of returning each layer's map to the system.

    The system clears every page that it hands out, which costs small networks a fifth of their time. Returns whether
    the setting took effect; other C libraries do not have it, and nothing changes there.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, such as musl
        return False
    return bool(set_option(M_MMAP_THRESHOLD, LARGEST_BYTES) and set_option(M_TRIM_THRESHOLD, KEPT_BYTES))


def available_bytes() -> int | None:
    """Memory available without swapping, on systems that report it (Linux); else None."""
    try:
        lines = MEMINFO.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return sizes[0] * 1024 if sizes else None
