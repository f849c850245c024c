"""How the CUDA kernel is compiled and launched for a layer: macros, filter taps, block shape and grid. Needs no card.

Block shapes were chosen by counting instructions and idle threads. `blocks.json` beside this file overrides them with what
`benchmarks/gpu.sh` measured: {"9.0": {"up 2, terms 1, float16": {"CHANNELS": 16, "GROUPS": 32, ...}}}, by compute capability.
"""

import ctypes
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from shared.image.ops.filtered_lrelu import output_length
from shared.image.ops.filters import separable_terms

UP_TAPS = 6  # per phase
DOWN, DOWN_TAPS = 2, 12
MOST_TERMS = 4
NEGLIGIBLE = 3e-4
"""Terms of a radial filter below this share of its largest singular value are left out: they change y by 6e-5 at most."""
SHARED_BYTES = 48 * 1024
"""Shared memory that a block has on every card."""

ROWS = {(2, 1): 6, (2, 2): 3, (2, 3): 3, (2, 4): 2, (4, 1): 3, (4, 2): 2, (4, 3): 1, (4, 4): 1}
"""Rows per step, by up and terms: as many as leave shared memory for two blocks per multiprocessor."""
SHAPES = {
    2: ((32, 16), (24, 16), (64, 8), (48, 8), (32, 8), (24, 8)),
    4: ((16, 16), (12, 16), (32, 8), (24, 8), (16, 8), (12, 8)),
}
"""Columns of x (GROUPS) and channels of a block, by up. 16 float16 numbers are one memory transaction."""
FEWER_CHANNELS = 1.05  # relative cost of blocks of 8 channels, which use half of a memory transaction
THREADS_PER_MULTIPROCESSOR = 512
MEASURED = Path(__file__).with_name("blocks.json")

Macros = Mapping[str, int]


class Map(ctypes.Structure):
    """The kernel's Map: size in samples, and numbers from one sample to the next along x."""

    _fields_ = [(name, ctypes.c_int) for name in ("height", "width", "pitch")]


class Settings(ctypes.Structure):
    """The kernel's Settings."""

    _fields_ = [(name, ctypes.c_int) for name in ("channels", "first", "strip")] + [
        (name, ctypes.c_float) for name in ("slope", "clamp")
    ]


@dataclass(frozen=True, eq=False)
class FilterPlan:
    """A layer's filters as the kernel takes them."""

    up: int
    shift: int
    """Phase of the first upsampled sample."""
    first: int
    """Sample of x where the first tile begins; negative: in the padding."""
    padding: tuple[int, int]
    terms: int
    taps: Float32[np.ndarray, "n"]
    """The kernel's Filters."""

    @classmethod
    def prepare(cls, up_filter: Tensor, down_filter: Tensor, *, up: int, padding: tuple[int, int]) -> "FilterPlan":
        """Arguments as for FilteredLReLU, on the CPU; `fits` must hold."""
        ahead = len(up_filter) - 1 - padding[0]
        along_y, along_x = _terms(down_filter)
        phases = (up_filter.numpy().astype(np.float64) * up).reshape(UP_TAPS, up)[::-1].T
        half_y = ((along_y + along_y[:, ::-1]) / 2)[:, : DOWN_TAPS // 2]
        taps = np.concatenate([part.ravel() for part in (phases, half_y, along_x[:, ::-1])])
        return cls(
            up=up,
            shift=ahead % up,
            first=ahead // up - (UP_TAPS - 1),
            padding=padding,
            terms=len(along_y),
            taps=taps.astype(np.float32),
        )

    def out_length(self, length: int) -> int:
        """Samples of y along an axis on which x has `length`."""
        return output_length(length, up=self.up, down=DOWN, padding=self.padding, taps=(UP_TAPS * self.up, DOWN_TAPS))


@dataclass(frozen=True)
class Launch:
    """The kernel for maps of some channels and width: its macros, and the grid that follows from them."""

    macros: tuple[tuple[str, int], ...]

    @cached_property
    def _macro(self) -> dict[str, int]:
        return dict(self.macros)

    @property
    def width(self) -> int:
        """Columns of y per block."""
        return block_width(self._macro["UP"], self._macro["SHIFT"], self._macro["GROUPS"])

    @property
    def threads(self) -> int:
        """Threads per block."""
        return self._macro["GROUPS"] * self._macro["CHANNELS"] // self._macro["VECTOR"]

    @property
    def blocks(self) -> int:
        """Blocks that a multiprocessor can hold."""
        return self._macro["BLOCKS"]

    @property
    def shared_bytes(self) -> int:
        """Shared memory per block."""
        m = self._macro
        tile = m["ROWS"] * (m["GROUPS"] + UP_TAPS - 1) * m["CHANNELS"] * (2 if m["X_HALF"] else 4)
        return tile + 4 * m["TERMS"] * (m["ROWS"] * m["UP"] // DOWN) * m["UP"] * m["GROUPS"] * m["CHANNELS"]

    def grid(self, channels: int, out_height: int, out_width: int, strip: int) -> tuple[int, int, int]:
        """Blocks along channels, columns and rows of y."""
        return -(-channels // self._macro["CHANNELS"]), -(-out_width // self.width), -(-out_height // strip)

    def strip(self, channels: int, out_height: int, out_width: int, slots: int) -> int:
        """Rows of y per block: the height that fills `slots`, the blocks a card holds at once, with the least extra work."""
        unit, across = self._macro["UP"] // DOWN, math.prod(self.grid(channels, 1, out_width, 1))

        def cost(rows: int) -> float:
            waves = -(-across * -(-out_height // rows) // slots)
            halo = UP_TAPS - 1 + DOWN_TAPS // self._macro["UP"]
            return waves * -(-(rows * DOWN // self._macro["UP"] + halo) // UP_TAPS)

        heights = {-(-out_height // parts) for parts in range(1, max(1, out_height // 8) + 1)}
        return min((-(-rows // unit) * unit for rows in heights), key=lambda rows: (cost(rows), -rows))


def fits(up: int, down: int, up_filter: Tensor, down_filter: Tensor) -> bool:
    """Whether the kernel supports these filters: up by 2 or 4, down by 2, six taps per phase, symmetric, at most four terms."""
    if up not in SHAPES or down != DOWN or up_filter.shape != (UP_TAPS * up,) or set(down_filter.shape) != {DOWN_TAPS}:
        return False
    is_symmetric = all(
        torch.allclose(down_filter, down_filter.flip(axis), 0, 1e-6 * float(down_filter.abs().max()))
        for axis in range(down_filter.ndim)
    )
    return is_symmetric and len(_terms(down_filter)[0]) <= MOST_TERMS


def plan_launch(
    filters: FilterPlan,
    channels: int,
    out_width: int,
    *,
    x_half: bool,
    y_half: bool,
    pitch: int | None = None,
    capability: str = "",
    forced: Macros | None = None,
) -> Launch:
    """The kernel for maps of so many channels and columns of y.

    pitch: numbers from one sample to the next along x, `channels` by default. capability: the card's ("9.0"), for measured
    block shapes. forced: macros that replace the planned ones, for measurements.
    """
    pitch = pitch or channels
    load = next(n for n in ((8, 2, 1) if x_half else (4, 2, 1)) if channels % n == 0 and pitch % n == 0)
    macros = {
        "X_HALF": int(x_half),
        "Y_HALF": int(y_half),
        "UP": filters.up,
        "DOWN": DOWN,
        "UP_TAPS": UP_TAPS,
        "DOWN_TAPS": DOWN_TAPS,
        "SHIFT": filters.shift,
        "TERMS": filters.terms,
        "LOAD": load,
        "PAIRS": int(channels % 2 == 0 and pitch % 2 == 0),
    }
    measured = measured_blocks().get(capability, {}).get(kind(filters.up, filters.terms, x_half), {})
    block = measured or _block(filters, channels, out_width)
    return Launch(tuple(sorted((macros | dict(block) | dict(forced or {})).items())))


def kind(up: int, terms: int, x_half: bool) -> str:
    """The name of a kind of kernel in `blocks.json`."""
    return f"up {up}, terms {terms}, {'float16' if x_half else 'float32'}"


@lru_cache(maxsize=1)
def measured_blocks() -> dict[str, dict[str, dict[str, int]]]:
    """Block shapes by capability and kind, as measured on cards; empty without the file."""
    return dict(json.loads(MEASURED.read_text("utf-8"))) if MEASURED.exists() else {}


def block_width(up: int, shift: int, groups: int) -> int:
    """Columns of y that `groups` columns of x give: a multiple of up / DOWN."""
    unit = up // DOWN
    return ((up * groups - shift - DOWN_TAPS) // DOWN + 1) // unit * unit


def _block(filters: FilterPlan, channels: int, out_width: int) -> dict[str, int]:
    """The block shape that leaves the fewest threads idle."""
    up, unit = filters.up, filters.up // DOWN
    choices = []
    for groups, size in SHAPES[up]:
        if size == 8 or channels > 8:
            width = block_width(up, filters.shift, groups)
            work = -(-out_width // width) * groups * -(-channels // size) * size
            choices.append((work * (1 if size == 16 else FEWER_CHANNELS), -groups, size, width))
    _, negative, size, width = min(choices)
    return shape(up, filters.terms, -negative, size, width, unit)


def shape(up: int, terms: int, groups: int, channels: int, width: int, unit: int) -> dict[str, int]:
    """The macros of a block of `groups` columns of x and some channels, which gives `width` columns of y."""
    vector = 2 if up == 2 else 1
    threads, slots = groups * channels // vector, ROWS[up, terms] * unit
    outputs = next(
        n for n in range(unit, width + 1, unit) if slots * -(-width // n) * channels // 2 <= threads or n == width
    )
    return {
        "CHANNELS": channels,
        "GROUPS": groups,
        "VECTOR": vector,
        "ROWS": ROWS[up, terms],
        "OUTPUTS": outputs,
        "BLOCKS": max(1, THREADS_PER_MULTIPROCESSOR // threads),
    }


def _terms(down_filter: Tensor) -> tuple[Float[np.ndarray, "terms 12"], Float[np.ndarray, "terms 12"]]:
    taps = down_filter.numpy()
    return (taps[None], taps[None]) if taps.ndim == 1 else separable_terms(taps, NEGLIGIBLE)
