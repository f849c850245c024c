"""The filtered leaky ReLU with a gradient, for training: fused on a CPU, one pass forwards and one backwards; plain elsewhere."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, pad

from shared.image.geometry import Layer
from shared.image.ops.filters import down_filter, separable_terms, up_filter
from shared.image.ops.trainable_kernels import TAPS, filter_maps

NEGLIGIBLE = 1e-6
"""Terms of a radial filter are left out below this part of the largest singular value."""


@dataclass(frozen=True, eq=False)
class Terms:
    """A filter as a sum of separable ones."""

    along_y: Float32[np.ndarray, "terms taps"]
    along_x: Float32[np.ndarray, "terms taps"]

    @classmethod
    def of(cls, taps: Float32[np.ndarray, "n"] | Float32[np.ndarray, "n n"]) -> "Terms":
        """A filter of one axis, used along both; or one of two axes."""
        if taps.ndim == 1:
            return cls(taps[None].copy(), taps[None].copy())
        along_y, along_x = separable_terms(taps, NEGLIGIBLE)
        return cls(np.ascontiguousarray(along_y, np.float32), np.ascontiguousarray(along_x, np.float32))

    @property
    def reversed(self) -> "Terms":
        """The same, the last tap first."""
        return Terms(np.ascontiguousarray(self.along_y[:, ::-1]), np.ascontiguousarray(self.along_x[:, ::-1]))

    def __len__(self) -> int:
        return int(self.along_y.shape[1])


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of a layer and its nonlinearity.

    upsampling, downsampling: as `trainable_kernels` takes them, in the order in which they are applied as correlations;
    None if the fused operator does not support them.
    """

    up: int
    down: int
    before: int
    after: int
    up_taps: Float32[np.ndarray, "a"]
    down_taps: Float32[np.ndarray, "b"] | Float32[np.ndarray, "b b"]
    slope: float
    clamp: float
    upsampling: Terms | None
    downsampling: Terms | None

    @classmethod
    def of(cls, layer: Layer, slope: float, clamp: float | None) -> "Filters":
        """The filters of a layer, as its architecture designs them."""
        up_taps, down_taps = up_filter(layer), down_filter(layer)
        fits = len(up_taps) == TAPS * layer.up and set(down_taps.shape) == {TAPS * layer.down}
        fits = fits and layer.up in (2, 4) and layer.down in (2, 4)
        return cls(
            layer.up,
            layer.down,
            *layer.padding,
            up_taps,
            down_taps,
            slope,
            np.inf if clamp is None else clamp,
            Terms.of(up_taps * np.float32(layer.up)).reversed if fits else None,
            Terms.of(down_taps).reversed if fits else None,
        )

    def positions(self, size: int) -> int:
        """Samples at the higher rate, per axis, from a map of `size`."""
        return size * self.up + self.before + self.after - len(self.up_taps) + 1

    def out_size(self, size: int) -> int:
        """Samples that come out, per axis."""
        return (self.positions(size) - len(self.down_taps)) // self.down + 1


def filtered_lrelu(z: Float[Tensor, "n c h w"], filters: Filters) -> Float[Tensor, "n c h2 w2"]:
    """The operator of `filtered_lrelu.FilteredLReLU` for z with scale, bias and gain applied; differentiable."""
    if z.device.type == "cpu" and z.dtype == torch.float32 and filters.upsampling is not None:
        result: Tensor = TrainableFilteredLReLU.apply(z, filters)  # type: ignore[no-untyped-call]
        return result
    return plain_filtered_lrelu(z, filters)


def plain_filtered_lrelu(z: Float[Tensor, "n c h w"], filters: Filters) -> Float[Tensor, "n c h2 w2"]:
    """The textbook's steps, in any float format on any device, with the gradients of their parts."""
    channels, taps = z.shape[1], len(filters.up_taps)
    kernel = torch.from_numpy(filters.up_taps * np.float32(filters.up)).to(z)
    z = conv_transpose2d(z, kernel[None, None, None].repeat(channels, 1, 1, 1), stride=(1, filters.up), groups=channels)
    z = conv_transpose2d(
        z, kernel[None, None, :, None].repeat(channels, 1, 1, 1), stride=(filters.up, 1), groups=channels
    )
    before, after = filters.before - (taps - 1), filters.after - (taps - filters.up)
    v = leaky_relu(pad(z, (before, after, before, after)), filters.slope)
    if np.isfinite(filters.clamp):
        v = v.clamp(-filters.clamp, filters.clamp)
    down = torch.from_numpy(filters.down_taps.copy()).to(z)
    if down.ndim == 2:
        kernel = down.flip(0, 1)[None, None].repeat(channels, 1, 1, 1)
        return conv2d(v, kernel, stride=filters.down, groups=channels)
    down = down.flip(0)
    v = conv2d(v, down[None, None, None].repeat(channels, 1, 1, 1), stride=(1, filters.down), groups=channels)
    return conv2d(v, down[None, None, :, None].repeat(channels, 1, 1, 1), stride=(filters.down, 1), groups=channels)


class TrainableFilteredLReLU(torch.autograd.Function):
    """The operator in one pass over the map, and its gradient in another; of the forward pass only signs are kept."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, filters: Filters) -> Tensor:
        """Z: (n, c, h, w) float32; returns (n, c, h2, w2)."""
        up, down = _fitting(filters)
        n, c, height, width = z.shape
        if height != width:
            raise ValueError(f"a map of {height} x {width} given; training takes square ones")
        positions, size = filters.positions(height), filters.out_size(height)
        phases = max(filters.up, filters.down)
        y = torch.empty((n, c, size, size), memory_format=torch.channels_last)
        kept = torch.empty((n, positions, phases * -(-positions // phases) * c), dtype=torch.uint8)
        _run(z.detach(), y, kept, (up, down), (filters.up, filters.down), (filters.before, 0, positions), filters, True)
        ctx.save_for_backward(kept)
        ctx.filters, ctx.size = filters, height
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The gradient of z."""
        (kept,) = ctx.saved_tensors
        filters: Filters = ctx.filters
        up, down = _fitting(filters)
        gradient = gradients[0]
        n, c, _, _ = gradient.shape
        z = torch.empty((n, c, ctx.size, ctx.size), memory_format=torch.channels_last)
        places = len(down) - 1, filters.before - (len(up) - 1), filters.positions(ctx.size)
        terms, factors = (down.reversed, up.reversed), (filters.down, filters.up)
        _run(gradient, z, kept, terms, factors, places, filters, False)
        return z, None


def _fitting(filters: Filters) -> tuple[Terms, Terms]:
    if filters.upsampling is None or filters.downsampling is None:
        raise ValueError("the fused operator takes filters of six taps per phase, up and down by 2 or 4")
    return filters.upsampling, filters.downsampling


def _run(
    x: Tensor,
    y: Tensor,
    kept: Tensor,
    terms: tuple[Terms, Terms],
    factors: tuple[int, int],
    places: tuple[int, int, int],
    filters: Filters,
    forwards: bool,
) -> None:
    x = x.contiguous(memory_format=torch.channels_last)
    maps = x.permute(0, 2, 3, 1).numpy(), y.permute(0, 2, 3, 1).numpy(), kept.numpy()
    first, second = terms
    taps = first.along_y, first.along_x, second.along_y, second.along_x
    bounds = np.float32(filters.slope), np.float32(filters.clamp)

    def run(images: slice) -> None:
        filter_maps(tuple(each[images] for each in maps), taps, (*factors, *places), bounds, forwards)

    count, threads = len(x), min(torch.get_num_threads(), len(x))
    if threads < 2:
        run(slice(count))
        return
    bounds_of_parts = [count * part // threads for part in range(threads + 1)]
    list(_pool(threads).map(run, map(slice, bounds_of_parts[:-1], bounds_of_parts[1:])))


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads for the images of a batch: each image is computed by one, so the results are the same for any number."""
    return ThreadPoolExecutor(threads, "filtered_lrelu")
