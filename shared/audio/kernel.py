"""Compiles the loops of the sound analysis."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit, types

import shared.machine_code  # noqa: F401  # a damaged cache must not stop the analysis

Loop = TypeVar("Loop", bound=Callable[..., Any])

# The arguments of a kernel, as numba's types.
FRAMES = types.Array(types.float32, 2, "C", readonly=True)  # (m, 1024), only read
ROWS = types.Array(types.float64, 2, "C")  # (m, n)
SPECTRA = types.Array(types.float64, 2, "C", readonly=True)  # (m, n), only read
COLUMNS = types.Array(types.float64, 2, "A")  # some columns (m, n) of a larger array
VECTOR = types.Array(types.float64, 1, "C")
NUMBERS = types.Array(types.int64, 1, "C")


def kernel(*arguments: types.Type, reorder: bool = True) -> Callable[[Loop], Loop]:
    """Compile a loop for these arguments when its module is imported, so that nothing compiles in an audio callback.

    The machine code is cached on disk for the next start. The cache depends only on a kernel's own file, so a kernel must not
    call kernels of other modules. Products may be fused with sums (`contract`) and, with `reorder`, sums reordered. A row's
    result is still the same bits in every block, because all rows run through the same code.
    """
    flags = {"contract", "nsz", "reassoc"} if reorder else {"contract"}

    def compiled(loop: Loop) -> Loop:
        plain: Any = inspect.unwrap(loop)  # without the run-time type checks of the tests
        signature = types.void(*arguments)
        machine_code: Any
        try:
            machine_code = njit(signature, cache=True, error_model="numpy", fastmath=flags)(plain)
        except RuntimeError:  # no folder for a cache, as in a read-only installation: compiled at every start
            machine_code = njit(signature, error_model="numpy", fastmath=flags)(plain)
        return cast(Loop, machine_code)

    return compiled
