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
COLUMNS = types.Array(types.float64, 2, "A")  # some columns (m, n) of a larger array
VECTOR = types.Array(types.float64, 1, "C")


def kernel(*arguments: types.Type, reorder: bool = True) -> Callable[[Loop], Loop]:
    """Compile a loop for these arguments when its module is imported, so that nothing compiles in an audio callback.

    The machine code is cached on disk for the next start. The cache depends on the file of a kernel alone, so a kernel
    calls none of another module. Products may be fused with sums (`contract`) and, with `reorder`, sums reordered. The
    result of a row is the same to the last bit in every block all the same, as every row runs through the same code.
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
