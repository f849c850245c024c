"""The filtered leaky ReLU of `filtered_lrelu` in one pass over the map, for CUDA: the plain path's formula as products of small matrices.

Along one axis, filtering a piece of a signal is a product with a banded matrix. A piece of a map that is 32 samples a side
at the raised rate is therefore D clamp(leaky(U (scale X + bias) U^T)) D^T, four products of the size that tensor cores
take; they compute about ten times more than the filters need, of what costs them a hundred times less. U and D hold the
taps of any filters, factors, padding and cropping, so that one kernel serves all. Sums are in float32.

Triton compiles the kernel when it first runs on a card. TRITON_INTERPRET=1, set before this module is imported, runs it
on a CPU, slowly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from jaxtyping import Float, Float32
from torch import Tensor

from shared.image.ops.filtered_lrelu import HEADROOM, output_length
from shared.image.ops.filters import separable_terms

RAISED = 32
"""Samples of a tile at the raised rate, where the filters fit in; a power of two, as all sizes here, and 16 at least."""
NEGLIGIBLE = {
    torch.float32: 3e-5,
    torch.float16: 1e-3,
}  # shares of a filter's largest singular value that nobody misses


@triton.jit  # type: ignore[untyped-decorator]
def filter_tile(  # type: ignore[no-untyped-def]
    x,
    y,
    scale,
    bias,
    post,
    rise,
    fall_y,
    fall_x,
    height,
    width,
    x_row,
    x_column,
    x_channel,
    out_height,
    out_width,
    y_row,
    y_column,
    y_channel,
    first,
    slope,
    clamp,
    in_step,
    out_step,
    inputs: tl.constexpr,
    raised: tl.constexpr,
    outputs: tl.constexpr,
    terms: tl.constexpr,
    precision: tl.constexpr,
):
    """One tile of one channel. `first`: what sample of x tile 0 begins with; the three sizes are powers of two."""
    channel, down_the_map, across = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    i, r, o = tl.arange(0, inputs), tl.arange(0, raised), tl.arange(0, outputs)
    row, column = down_the_map * in_step + first + i, across * in_step + first + i
    inside = ((row >= 0) & (row < height))[:, None] & ((column >= 0) & (column < width))[None, :]
    plane = x + channel.to(tl.int64) * x_channel
    z = tl.load(plane + row[:, None] * x_row + column[None, :] * x_column, mask=inside, other=0.0).to(tl.float32)
    z = tl.where(inside, z * tl.load(scale + channel) + tl.load(bias + channel), 0.0)  # padding has no bias

    along_y = tl.load(rise + r[:, None] * inputs + i[None, :])
    along_x = tl.load(rise + i[:, None] + r[None, :] * inputs)
    kind = along_y.dtype
    v = tl.dot(z.to(kind), along_x, input_precision=precision)
    v = tl.dot(along_y, v.to(kind), input_precision=precision)
    v = tl.where(v >= 0, v, v * slope)
    v = tl.minimum(tl.maximum(v, -clamp), clamp).to(kind)

    sum_ = tl.zeros((outputs, outputs), tl.float32)
    for term in tl.static_range(terms):
        at = term * outputs * raised
        along_y = tl.load(fall_y + at + o[:, None] * raised + r[None, :])
        along_x = tl.load(fall_x + at + r[:, None] + o[None, :] * raised)
        lowered = tl.dot(along_y, v, input_precision=precision)
        sum_ += tl.dot(lowered.to(kind), along_x, input_precision=precision)
    sum_ = sum_ * tl.load(post + channel)

    row, column = down_the_map * out_step + o, across * out_step + o
    inside = ((row < out_height) & (o < out_step))[:, None] & ((column < out_width) & (o < out_step))[None, :]
    plane = y + channel.to(tl.int64) * y_channel
    tl.store(plane + row[:, None] * y_row + column[None, :] * y_column, sum_.to(y.dtype.element_ty), mask=inside)


@dataclass(frozen=True, eq=False)
class TritonFilteredLReLU:
    """y = next_style * FilteredLReLU(x, scale), for any filters and factors."""

    bias: Float32[Tensor, "channels"]
    """Times gain and headroom."""
    gain: float
    """Times headroom."""
    headroom: float
    rise: Float[Tensor, "raised inputs"]
    """U."""
    falls: tuple[Float[Tensor, "terms outputs raised"], Float[Tensor, "terms outputs raised"]]
    """D along y, along x; their products are summed."""
    first: int
    """What sample of the map the first tile begins with; negative: in the padding."""
    steps: tuple[int, int]
    """From a tile to the next, in samples of the map and of the output."""
    out_length: Callable[[int], int]
    """Samples that come out, of those of the map that go in."""
    up: int
    down: int
    slope: float
    clamp: float
    dtype: torch.dtype

    @classmethod
    def prepare(
        cls,
        bias: Float32[Tensor, "channels"],
        up_filter: Float32[Tensor, "a"],
        down_filter: Float32[Tensor, "b"] | Float32[Tensor, "b b"],
        *,
        up: int,
        down: int = 2,
        padding: tuple[int, int],
        gain: float,
        slope: float,
        clamp: float | None,
        dtype: torch.dtype = torch.float32,
        inner: torch.dtype | None = None,
    ) -> "TritonFilteredLReLU":
        """Arguments as FilteredLReLU's. `dtype` is what is given back, `inner` what is multiplied: float32 or float16."""
        inner = inner or dtype
        taps = down_filter.cpu().numpy()
        terms = (taps[None], taps[None]) if taps.ndim == 1 else separable_terms(taps, NEGLIGIBLE[inner])
        unit = up // math.gcd(up, down)  # outputs a tile: a whole number of input samples further
        out_step = max(1, (RAISED - taps.shape[0]) // down + 1) // unit * unit or unit
        raised = _power_of_two((out_step - 1) * down + taps.shape[0])
        rise, first = rise_matrix(up_filter.cpu().numpy() * up, up, padding[0], (out_step - 1) * down + len(taps))
        inputs, outputs = _power_of_two(rise.shape[1]), _power_of_two(out_step)
        falls = [
            np.stack([_padded(fall_matrix(each, down, out_step), outputs, raised) for each in terms_])
            for terms_ in terms
        ]
        headroom = HEADROOM if inner == torch.float16 else 1.0

        def placed(matrix: Float[np.ndarray, "..."]) -> Tensor:
            return torch.from_numpy(matrix).to(bias.device, inner)

        return cls(
            bias=bias * (gain * headroom),
            gain=gain * headroom,
            headroom=headroom,
            rise=placed(_padded(rise, raised, inputs)),
            falls=(placed(falls[0]), placed(falls[1])),
            first=first,
            steps=(out_step * down // up, out_step),
            out_length=partial(output_length, up=up, down=down, padding=padding, taps=(len(up_filter), len(taps))),
            up=up,
            down=down,
            slope=slope,
            clamp=float("inf") if clamp is None else clamp * headroom,
            dtype=dtype,
        )

    def __call__(
        self,
        x: Float[Tensor, "1 channels h w"],
        scale: Float32[Tensor, "1 channels"],
        next_style: Float32[Tensor, "1 channels"],
    ) -> Float[Tensor, "1 channels h2 w2"]:
        """The formula above; y has the order of x in memory."""
        _, channels, height, width = x.shape
        size = self.out_length(height), self.out_length(width)
        last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        layout = torch.channels_last if last else torch.contiguous_format
        y = torch.empty((1, channels, *size), dtype=self.dtype, device=x.device, memory_format=layout)
        terms, outputs, raised = self.falls[0].shape
        launch: Any = filter_tile[(channels, -(-size[0] // self.steps[1]), -(-size[1] // self.steps[1]))]
        launch(
            x,
            y,
            scale[0] * self.gain,
            self.bias,
            next_style[0] / self.headroom,
            self.rise,
            *self.falls,
            *_extent(x),
            *_extent(y),
            self.first,
            self.slope,
            self.clamp,
            *self.steps,
            inputs=self.rise.shape[1],
            raised=raised,
            outputs=outputs,
            terms=terms,
            precision="ieee",
        )
        return y


def rise_matrix(
    taps: Float32[np.ndarray, "a"], up: int, before: int, raised: int
) -> tuple[Float32[np.ndarray, "raised inputs"], int]:
    """U of the first tile, and the place of its first column: u[p] = sum_i taps[p + a - 1 - before - up i] x[i].

    Columns outside the map stand for padding: nothing is read there.
    """
    ahead = len(taps) - 1 - before
    first, last = -(before // up), (raised - 1 + ahead) // up
    place = np.arange(raised)[:, None] + ahead - up * np.arange(first, last + 1)[None, :]
    there = (place >= 0) & (place < len(taps))
    return np.where(there, taps[np.where(there, place, 0)], 0).astype(np.float32), first


def fall_matrix(taps: Float32[np.ndarray, "b"], down: int, outputs: int) -> Float32[np.ndarray, "outputs raised"]:
    """D: y[m] = sum_j taps[b - 1 - j] v[m down + j]."""
    matrix = np.zeros((outputs, (outputs - 1) * down + len(taps)), np.float32)
    for output in range(outputs):
        matrix[output, output * down : output * down + len(taps)] = taps[::-1]
    return matrix


def _padded(matrix: Float32[np.ndarray, "a b"], rows: int, columns: int) -> Float32[np.ndarray, "rows columns"]:
    return np.pad(matrix, ((0, rows - matrix.shape[0]), (0, columns - matrix.shape[1])))


def _power_of_two(count: int) -> int:
    """At least `count`, and at least 16."""
    return max(16, 1 << (count - 1).bit_length())


def _extent(x: Float[Tensor, "1 channels h w"]) -> tuple[int, int, int, int, int]:
    """Height, width; numbers from a row, a column, a channel to the next."""
    _, channel, row, column = x.stride()
    return *x.shape[2:], row, column, channel
