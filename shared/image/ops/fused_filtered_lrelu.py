"""The filtered leaky ReLU of `filtered_lrelu` in one pass over the map, on a CPU: several times faster than the plain path.

It includes what surrounds the filters: scale and bias before them, the next layer's style and the rounding to bfloat16 after.
"""

import math
import threading
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
WIDEST = 64  # channels in a tile: whole cache lines
LOWEST = 8  # rows in a band: with fewer, most of the work would be done twice
TILE_FLOATS = 250_000  # numbers in a block: what a second-level cache of 1 MB holds beside the map
NEGLIGIBLE = {
    torch.float32: 3e-5,
    torch.bfloat16: 3e-3,
}  # relative to the largest singular value; bfloat16 rounds by 4e-3

_own = threading.local()


@dataclass(frozen=True, eq=False)
class FusedFilteredLReLU:
    """y = next_style * FilteredLReLU(x, scale), for the filters that `fits` accepts: all those of the published networks.

    A down filter that is not separable becomes a sum of separable ones, taken from its singular value decomposition: one
    to four of twelve terms. Sums are in float32 for every input and output format, in an order that depends on neither
    tiles nor threads.
    """

    bias: Float32[np.ndarray, "channels"]
    """Includes the gain."""
    gain: float
    sums: Float32[np.ndarray, "pairs 3"]
    differences: Float32[np.ndarray, "pairs 3"]
    """Of the first filter's taps and their mirror images, see `fused_passes`; one row per pair of phases."""
    down_taps: tuple[Float32[np.ndarray, "terms 6"], Float32[np.ndarray, "terms 6"]]
    """Half of the second filter, along y and along x; along y times (1 + slope) / 2."""
    padding: tuple[int, int]
    bounds: Float32[np.ndarray, "3"]
    """Leak and clamp, both for the nonlinearity divided by (1 + slope) / 2; largest |scale x + bias| that cannot reach the clamp."""
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
        """Arguments as for FilteredLReLU; slope in 0..1. dtype: of the result, float32 or bfloat16."""
        phases = up_filter.numpy().astype(np.float64).reshape(HALF_TAPS, up)[::-1].T[: up // 2] * up
        first, last = phases[:, : HALF_TAPS // 2], phases[:, : HALF_TAPS // 2 - 1 : -1]  # taps k and 5 - k
        filter_ = down_filter.numpy()
        along_y, along_x = (
            (filter_[None], filter_[None]) if filter_.ndim == 1 else separable_terms(filter_, NEGLIGIBLE[dtype])
        )
        share = (1 + slope) / 2
        limit = math.inf if clamp is None else clamp
        reach = np.abs(phases).sum(axis=1).max() ** 2  # the largest gain of the upsampling
        return cls(
            bias=(bias * gain).numpy(),
            gain=gain,
            sums=np.ascontiguousarray((first + last) / 2, np.float32),
            differences=np.ascontiguousarray((first - last) / 2, np.float32),
            down_taps=(_half(along_y * share), _half(along_x)),
            padding=padding,
            bounds=np.array([(1 - slope) / (1 + slope), limit / share, 0.99 * limit / reach], np.float32),
            dtype=dtype,
        )

    def __call__(
        self,
        x: Float[Tensor, "1 channels h w"],
        scale: Float32[Tensor, "1 channels"],
        next_style: Float32[Tensor, "1 channels"],
    ) -> Float[Tensor, "1 channels h2 w2"]:
        """Apply the operator; x is float32 or bfloat16, fastest in channels last."""
        _, channels, height, width = x.shape
        up = 2 * len(self.sums)
        length = partial(output_length, up=up, down=DOWN, padding=self.padding, taps=(HALF_TAPS * up, TAPS))
        size = length(height), length(width)
        y = torch.empty((1, channels, *size), dtype=self.dtype, memory_format=torch.channels_last)
        factors = (scale[0] * self.gain).numpy(), self.bias, next_style[0].numpy()
        run_each(
            partial(self._filter, (*flat(x), *flat(y), *factors)),
            tiles(channels, *size, height, width, up, self.padding[0], len(self.down_taps[0]), torch.get_num_threads()),
        )
        return y

    def _filter(self, arrays: tuple[np.ndarray, ...], tile: "Tile") -> None:
        filter_tile(
            *arrays, self.sums, self.differences, *self.down_taps, tile.plan, self.bounds, scratch(tile.scratch)
        )


def fits(up: int, down: int, padding: tuple[int, int], up_filter: Tensor, down_filter: Tensor) -> bool:
    """Whether the operator supports these filters: up by 2 or 4, down by 2, six taps per phase, symmetric, and the output
    phase of networks with odd kernels.
    """
    if up not in (2, 4) or down != DOWN or up_filter.shape != (HALF_TAPS * up,) or set(down_filter.shape) != {TAPS}:
        return False
    if (up - 1 - padding[0]) % 2 != (up == 4):
        return False
    return all(
        torch.allclose(taps, taps.flip(axis), 0, 1e-6 * float(taps.abs().max()))
        for taps in (up_filter, down_filter)
        for axis in range(taps.ndim)
    )


def _half(taps: Float[np.ndarray, "terms 12"]) -> Float32[np.ndarray, "terms 6"]:
    """One half of symmetric filters: the mean of both halves, which may differ by rounding."""
    return np.ascontiguousarray((taps + taps[:, ::-1])[:, :HALF_TAPS] / 2, np.float32)


@dataclass(frozen=True, eq=False)
class Tile:
    """A part of a map that is filtered on its own: a group of channels of a band of rows."""

    plan: Int64[np.ndarray, "19"]
    """In this order: height, width, channels; output width; up, shift of the upsampled signal; first channel, number of
    channels; first and last output row (exclusive); input rows; extra rows computed before the first, rows computed in all;
    columns per block, columns carried over, padding before them; stride of a phase, stride of an input row; period of the
    channel factors along a run."""
    scratch: int
    """Size of the working memory, in numbers."""


@lru_cache(maxsize=256)
def tiles(
    channels: int,
    out_height: int,
    out_width: int,
    height: int,
    width: int,
    up: int,
    before: int,
    terms: int,
    threads: int,
) -> tuple[Tile, ...]:
    """The tiles of a map: groups of channels, and bands of rows of about equal height.

    The number of bands, a multiple of the threads, minimises the extra work: a band computes some rows more than it stores,
    and a higher band has narrower blocks, which compute some columns twice and end with a partly filled vector.
    """
    shift = up - 1 - before
    size = min(channels, WIDEST)

    def extra(bands: int) -> float:
        rows = -(-out_height // bands)
        columns = max(
            1.0, min(out_width * DOWN / up, TILE_FLOATS / (size * (rows * DOWN / up + 10 + terms * rows * up)) - 4)
        )
        return (1 + 6 / rows) * (1 + 2 / columns + 24 / (columns * size))

    most = max(1, out_height // LOWEST)
    least = min(-(-threads // -(-channels // WIDEST)), most)
    bands = min(range(least, most + 1, least), key=extra)
    step = -(-out_height // bands)
    made = []
    for channel in range(0, channels, WIDEST):
        for first_row in range(0, out_height, step):
            part = (channel, min(WIDEST, channels - channel), first_row, min(out_height, first_row + step))
            made.append(_tile((height, width, channels, out_width, up, shift), part, terms))
    return tuple(made)


def _tile(map_: tuple[int, ...], part: tuple[int, int, int, int], terms: int) -> Tile:
    """A tile from the first ten numbers of its plan."""
    _, _, _, out_width, up, shift = map_
    _, group, first_row, last_row = part
    early = (DOWN * first_row + shift) % up // DOWN
    computed = -(-(last_row - first_row + early) * DOWN // up) * up // DOWN
    rows = DOWN * computed // up + {2: 10, 4: 8}[up]
    kept = (up + TAPS - 3 + shift % up) // up
    period = group * LANES // gcd(group, LANES)
    whole = -(-out_width * DOWN // up) + kept
    aligned = period // group  # columns
    wide = max(1, (TILE_FLOATS // (group * (rows + terms * computed * up)) - kept) // aligned) * aligned + kept
    columns, pad = (whole, 0) if whole <= wide + aligned else (wide, -kept * group % LANES)
    stride = _odd_lines(pad + columns * group + LANES)
    length = _odd_lines(-(-columns * group // LANES) * LANES + (HALF_TAPS - 1) * group)
    plan = (*map_, *part, rows, early, computed, columns, kept, pad, stride, length, period)
    count = rows * length + (terms * computed * up + up // DOWN) * stride + up * rows * LANES + 3 * period
    return Tile(np.array(plan, np.int64), count)


def _odd_lines(count: int) -> int:
    """At least `count`, and an odd number of vectors: rows a power of two apart would collide in the cache."""
    return (-(-count // LANES) | 1) * LANES


def flat(x: Float[Tensor, "1 channels h w"]) -> tuple[Float32[np.ndarray, "n"], UInt16[np.ndarray, "m"]]:
    """A map's numbers in channels last, as float32 or as the bits of bfloat16; the other array is empty."""
    run = x.permute(0, 2, 3, 1).reshape(-1)
    if x.dtype == torch.bfloat16:
        return np.empty(0, np.float32), run.view(torch.uint16).numpy()
    return run.numpy(), np.empty(0, np.uint16)


def scratch(count: int) -> Float32[np.ndarray, "n"]:
    """Working memory of the calling thread, at least `count` numbers, reused between calls."""
    kept: Float32[np.ndarray, "n"] | None = getattr(_own, "scratch", None)
    if kept is None or len(kept) < count:
        kept = _own.scratch = torch.zeros(count).numpy()  # torch aligns to cache lines, numpy does not
    return kept
