"""The filtered leaky ReLU of `filtered_lrelu` in one pass over the map, for a CPU: the plain path's formula, several times faster.

What surrounds it is folded in: the scale and bias before it, the next layer's style and the rounding to bfloat16 after it.
"""

import threading
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt16
from torch import Tensor

from shared.image.ops.filters import separable_terms
from shared.image.ops.fused_kernels import BENT_ROWS, HALF_TAPS, LANES, RAISED_ROWS, filter_tile
from shared.image.threads import run_each

DOWN = 2
TAPS = DOWN * HALF_TAPS  # of the second filter
WIDEST_GROUP = 64  # channels that a tile takes whole; of more, 32 at a time
GROUP = 32
ROW_FLOATS = (
    4096  # numbers in a row of a tile: few enough for a core's second cache to hold all its rows, enough to pay
)
NEGLIGIBLE = {torch.float32: 3e-5, torch.bfloat16: 1e-3}  # shares of the largest singular value that nobody misses

_own = threading.local()


@dataclass(frozen=True, eq=False)
class FusedFilteredLReLU:
    """y = next_style * FilteredLReLU(x, scale), for `up` even, `down` 2, six taps a phase: all that published networks use.

    A down filter that cannot be separated is a sum of those that can, by its singular values: two or three of twelve
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
        lost = sum(self.padding) - (HALF_TAPS * up - 1) - TAPS
        size = ((height * up + lost) // DOWN + 1, (width * up + lost) // DOWN + 1)
        y = torch.empty((1, channels, *size), dtype=self.dtype, memory_format=torch.channels_last)
        factors = (scale[0] * self.gain).numpy(), self.bias, next_style[0].numpy()
        run_each(
            partial(self._filter, (*flat(x), *flat(y), *factors)),
            tiles(channels, height, width, *size, up, self.padding[0]),
        )
        return y

    def _filter(self, arrays: tuple[np.ndarray, ...], tile: "Tile") -> None:
        filter_tile(*arrays, self.up_taps, *self.down_taps, tile.plan, self.limits, scratch(tile.scratch))


@dataclass(frozen=True, eq=False)
class Tile:
    """A part of a map that is filtered on its own: some channels of some columns, all rows."""

    plan: Int64[np.ndarray, "14"]
    """Height, width, channels; output height, width; up, shift of the raised signal; first channel, channels; output
    columns from, to; raised columns, numbers between phases, numbers in an input row."""
    scratch: int
    """Numbers of working memory: five input rows or factors, and the rings."""


@lru_cache(maxsize=256)
def tiles(
    channels: int, height: int, width: int, out_height: int, out_width: int, up: int, before: int
) -> tuple[Tile, ...]:
    """The tiles of a map, the same however many threads there are."""
    phases, shift = up // DOWN, up - 1 - before
    size = channels if channels <= WIDEST_GROUP else GROUP
    row = ((DOWN * out_width + TAPS) // up + HALF_TAPS) * size
    strips = min(-(-row // ROW_FLOATS), -(-out_width // phases))
    step = -(-out_width // (strips * phases)) * phases
    made = []
    for channel in range(0, channels, size):
        group = min(size, channels - channel)
        for first in range(0, out_width, step):
            last = min(out_width, first + step)
            raised = (DOWN * last - DOWN + TAPS - 1 + shift) // up - (DOWN * first + shift) // up + 1
            stride = _rounded_up(raised * group)
            length = _rounded_up(stride + (HALF_TAPS - 1) * group)
            plan = (height, width, channels, out_height, out_width, up, shift)
            part = (channel, group, first, last, raised, stride, length)
            rings = (up * stride + LANES) * (RAISED_ROWS + BENT_ROWS + 2) + 2 * phases * stride
            made.append(Tile(np.array((*plan, *part), np.int64), rings + 5 * length))
    return tuple(made)


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


def _rounded_up(count: int) -> int:
    return -(-count // LANES) * LANES
