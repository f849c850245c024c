"""The filtered leaky ReLU with a gradient, for training on a CPU: one pass forwards, one backwards, nothing large kept but signs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from presets.glass.make.training.filter_kernels import TAPS, filter_maps
from shared.image.geometry import Layer
from shared.image.ops.filters import down_filter, up_filter


@dataclass(frozen=True, eq=False)
class Filters:
    """Both filters of a layer and the sizes that follow from them; forwards and backwards as `filter_kernels` wants them."""

    up: int
    down: int
    before: int
    after: int
    raise_taps: Float32[np.ndarray, "a"]
    lower_taps: Float32[np.ndarray, "b"]
    slope: float
    clamp: float

    @classmethod
    def of(cls, layer: Layer, slope: float, clamp: float | None) -> "Filters":
        """A layer's; its filters must be separable, with six taps a phase."""
        raise_taps = np.ascontiguousarray(up_filter(layer)[::-1] * np.float32(layer.up))
        lower_taps = np.ascontiguousarray(down_filter(layer)[::-1])
        if (len(raise_taps), lower_taps.shape) != (TAPS * layer.up, (TAPS * layer.down,)):
            raise ValueError(f"{layer.name}: only separable filters of six taps a phase can be trained here")
        before, after = layer.padding
        return cls(layer.up, layer.down, before, after, raise_taps, lower_taps, slope, clamp or np.inf)

    def positions(self, size: int) -> int:
        """Samples at the raised rate, per axis, from a map of `size`."""
        return size * self.up + self.before + self.after - len(self.raise_taps) + 1

    def out_size(self, size: int) -> int:
        """Samples that come out, per axis."""
        return (self.positions(size) - len(self.lower_taps)) // self.down + 1

    def forwards(self, z: Float32[Tensor, "n c h w"]) -> tuple[Float32[Tensor, "n c h2 w2"], Tensor]:
        """The map, and which side of the nonlinearity each raised sample was on."""
        n, c, h, w = z.shape
        if h != w:
            raise ValueError(f"a map of {h} x {w}; only square ones are trained")
        p, size, phases = self.positions(h), self.out_size(h), max(self.up, self.down)
        y = torch.empty((n, c, size, size), memory_format=torch.channels_last)
        kept = torch.empty((n, p, phases * -(-p // phases) * c), dtype=torch.uint8)
        self._run(z, y, kept, (self.raise_taps, self.lower_taps), (self.up, self.down), (self.before, 0, p), True)
        return y, kept

    def backwards(self, gradient: Float32[Tensor, "n c h2 w2"], kept: Tensor, size: int) -> Float32[Tensor, "n c h w"]:
        """The gradient of the map of `size` that went in."""
        n, c, _, _ = gradient.shape
        z = torch.empty((n, c, size, size), memory_format=torch.channels_last)
        taps = np.ascontiguousarray(self.lower_taps[::-1]), np.ascontiguousarray(self.raise_taps[::-1])
        places = len(self.lower_taps) - 1, self.before - (len(self.raise_taps) - 1), self.positions(size)
        self._run(gradient, z, kept, taps, (self.down, self.up), places, False)
        return z

    def _run(
        self,
        x: Tensor,
        y: Tensor,
        kept: Tensor,
        taps: tuple[Any, Any],
        factors: tuple[int, int],
        places: tuple[int, int, int],
        forwards: bool,
    ) -> None:
        x = x.contiguous(memory_format=torch.channels_last)
        maps = x.permute(0, 2, 3, 1).numpy(), y.permute(0, 2, 3, 1).numpy(), kept.numpy()
        filter_maps(*maps, *taps, *factors, *places, np.float32(self.slope), np.float32(self.clamp), forwards)


class TrainableFilteredLReLU(torch.autograd.Function):
    """`Filters.forwards` with `Filters.backwards` as its gradient."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, filters: Filters) -> Tensor:
        """Z: (n, c, h, w), scale, bias and gain applied; gives (n, c, h2, w2)."""
        y, kept = filters.forwards(z.detach())
        ctx.save_for_backward(kept)
        ctx.filters, ctx.size = filters, z.shape[2]
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The gradient of z."""
        (kept,) = ctx.saved_tensors
        return ctx.filters.backwards(gradients[0], kept, ctx.size), None
