"""The filtered leaky ReLU of `filtered_lrelu` in one pass over the map, for a CPU: the plain path's formula, several times faster.

What surrounds it is folded in: the scale and bias before it, the next layer's style and the rounding to bfloat16 after it.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import gcd

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt16
from torch import Tensor

from shared.image.ops.filtered_lrelu import output_length
from shared.image.ops.filters import separable_terms
from shared.image.ops.fused_kernels import HALF_TAPS, filter_tile
from shared.image.ops.vectors import LANES
from shared.image.threads import run_each

DOWN = 2
TAPS = DOWN * HALF_TAPS  # of the second filter
WIDEST = 64  # channels of a tile: whole lines of the cache, and few columns that tiles share
TILE_FLOATS = 250_000  # numbers in working memory: half of a second cache of 2 MB; small maps still make two tiles
NEGLIGIBLE = {
    torch.float32: 3e-5,
    torch.bfloat16: 3e-3,
}  # shares of the largest singular value; bfloat16 rounds by 4e-3

_own = threading.local()


@dataclass(frozen=True, eq=False)
class FusedFilteredLReLU:
    """y = next_style * FilteredLReLU(x, scale), for `up` even, `down` 2, six taps a phase: all that published networks use.

    A down filter that cannot be separated is a sum of those that can, by its singular values: one to four of twelve
    carry it. Sums are in float32 whatever goes in and comes out, in an order that does not depend on the threads.
    """

    bias: Float32[np.ndarray, "channels"]
    """Times gain."""
    gain: float
    up_taps: Float32[np.ndarray, "up 6"]
    """Row f: the taps that give phase f of the raised signal."""
    down_taps: tuple[Float32[np.ndarray, "terms 12"], Float32[np.ndarray, "terms 12"]]
    """Along y, along x."""
    padding: tuple[int, int]
    limits: Float32[np.ndarray, "2"]
    """Slope, clamp."""
    dtype: torch.dtype

    @classmethod
    def prepare(
        cls,
        bias: Float32[Tensor, "channels"],
        up_filter: Float32[Tensor, "a"],
        down_filter: Float32[Tensor, "12"] | Float32[Tensor, "12 12"],
        *,
        up: int,
        padding: tuple[int, int],
        gain: float,
        slope: float,
        clamp: float | None,
        dtype: torch.dtype = torch.float32,
    ) -> "FusedFilteredLReLU":
        """Arguments as FilteredLReLU's; slope in 0..1. `dtype` is what is given back: float32 or bfloat16."""
        phases = up_filter.numpy().reshape(HALF_TAPS, up)[::-1].T * up
        flipped = down_filter.flip(*range(down_filter.ndim)).numpy()
        return cls(
            bias=(bias * gain).numpy(),
            gain=gain,
            up_taps=np.ascontiguousarray(phases, np.float32),
            down_taps=(flipped[None], flipped[None])
            if flipped.ndim == 1
            else separable_terms(flipped, NEGLIGIBLE[dtype]),
            padding=padding,
            limits=np.array([slope, np.inf if clamp is None else clamp], np.float32),
            dtype=dtype,
        )

    def __call__(
        self,
        x: Float[Tensor, "1 channels h w"],
        scale: Float32[Tensor, "1 channels"],
        next_style: Float32[Tensor, "1 channels"],
    ) -> Float[Tensor, "1 channels h2 w2"]:
        """The formula above; x is float32 or bfloat16, fastest with channels last."""
        _, channels, height, width = x.shape
        up = len(self.up_taps)
        after = partial(output_length, up=up, down=DOWN, padding=self.padding, taps=(HALF_TAPS * up, TAPS))
        size = after(height), after(width)
        y = torch.empty((1, channels, *size), dtype=self.dtype, memory_format=torch.channels_last)
        factors = (scale[0] * self.gain).numpy(), self.bias, next_style[0].numpy()
        run_each(
            partial(self._filter, (*flat(x), *flat(y), *factors)),
            tiles(channels, height, width, *size, up, self.padding[0], len(self.down_taps[0])),
        )
        return y

    def _filter(self, arrays: tuple[np.ndarray, ...], tile: "Tile") -> None:
        filter_tile(*arrays, self.up_taps, *self.down_taps, tile.plan, self.limits, scratch(tile.scratch))


@dataclass(frozen=True, eq=False)
class Tile:
    """A part of a map that is filtered on its own: some channels of some rows and columns."""

    plan: Int64[np.ndarray, "17"]
    """Height, width, channels; output width; up, shift of the raised signal; first channel, channels; output rows from,
    to, columns from, to; rows and columns of the map it takes; numbers from a phase to the next, from a row to the next;
    numbers after which the factors of the channels come again in a run."""
    scratch: int
    """Numbers of working memory."""


@lru_cache(maxsize=256)
def tiles(
    channels: int, height: int, width: int, out_height: int, out_width: int, up: int, before: int, terms: int
) -> tuple[Tile, ...]:
    """The tiles of a map, the same however many threads there are: groups of channels, and parts of about the same size.

    A part is 6 rows and columns larger where it is read than where it is written, so there are as few as fit the cache.
    """
    phases, shift = up // DOWN, up - 1 - before
    size = min(channels, WIDEST)

    def needed(rows: int, columns: int) -> int:
        taken_rows, taken_columns = ((DOWN * count + TAPS) // up + HALF_TAPS for count in (rows, columns))
        return (taken_rows + terms * rows * up) * taken_columns * size

    bands = strips = 1
    row_step, column_step = out_height, out_width
    while row_step * column_step > 1 and needed(row_step, column_step) > TILE_FLOATS:
        if row_step > column_step:
            bands += 1
        else:
            strips += 1
        row_step, column_step = -(-out_height // bands), -(-out_width // strips)
    column_step = -(-column_step // phases) * phases
    map_ = (height, width, channels, out_width, up, shift)
    made = []
    for channel in range(0, channels, size):
        group = min(size, channels - channel)
        for first_row in range(0, out_height, row_step):
            last_row = min(out_height, first_row + row_step)
            for first in range(0, out_width, column_step):
                part = (channel, group, first_row, last_row, first, min(out_width, first + column_step))
                made.append(_tile(map_, part, terms))
    return tuple(made)


def _tile(map_: Sequence[int], part: Sequence[int], terms: int) -> Tile:
    """From the first six numbers of its plan, and the next six."""
    up, shift = map_[4:]
    _, group, first_row, last_row, first, last = part

    def spanned(begin: int, end: int) -> int:
        return (DOWN * end - DOWN + TAPS - 1 + shift) // up - (DOWN * begin + shift) // up + 1

    rows, columns = spanned(first_row, last_row) + HALF_TAPS - 1, spanned(first, last)
    run = -(-columns * group // LANES) * LANES
    stride, length = _odd_lines(run), _odd_lines(run + (HALF_TAPS - 1) * group)
    period = group * LANES // gcd(group, LANES)
    strip = (2 * rows + up * (rows - HALF_TAPS + 1)) * LANES
    count = rows * length + (terms * (last_row - first_row) * up + up // DOWN) * stride + strip + 3 * period + LANES
    return Tile(np.array((*map_, *part, rows, columns, stride, length, period), np.int64), count)


def _odd_lines(count: int) -> int:
    """At least `count`, and an odd number of vectors: rows a power of two apart would share few places of a cache."""
    return (-(-count // LANES) | 1) * LANES


def flat(x: Float[Tensor, "1 channels h w"]) -> tuple[Float32[np.ndarray, "n"], UInt16[np.ndarray, "m"]]:
    """A map's numbers, channels last, as float32 or as the bits of bfloat16; the other of the two is empty."""
    run = x.permute(0, 2, 3, 1).reshape(-1)
    if x.dtype == torch.bfloat16:
        return np.empty(0, np.float32), run.view(torch.uint16).numpy()
    return run.numpy(), np.empty(0, np.uint16)


def scratch(count: int) -> Float32[np.ndarray, "n"]:
    """Working memory of the calling thread, at least `count` finite numbers, kept from call to call."""
    kept: Float32[np.ndarray, "n"] | None = getattr(_own, "scratch", None)
    if kept is None or len(kept) < count:
        kept = _own.scratch = torch.zeros(count).numpy()  # torch aligns to a line of the cache, numpy does not
    return kept
