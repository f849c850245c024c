"""Memory that a picture takes stays with the process for the next one."""

import ctypes
import sys
from functools import cache

# <malloc.h> of the GNU C library
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_BYTES = 32 * 2**20  # the most that it takes as a threshold for maps of their own
KEPT_BYTES = 512 * 2**20


@cache
def keep_memory() -> bool:
    """Let the C library keep what is given back, instead of handing every map of a layer to the system and asking anew.

    The system clears each page that it gives, which costs small networks a fifth of their time. Whether the library
    does as told: only GNU's knows how; on others nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, such as musl
        return False
    return bool(set_option(M_MMAP_THRESHOLD, LARGEST_BYTES) and set_option(M_TRIM_THRESHOLD, KEPT_BYTES))
