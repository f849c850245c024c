"""The StyleGAN3 generator (Karras et al. 2021), prepared for inference: whatever does not depend on w is computed once.

    z ─ MappingNetwork ─ w ─┬────────────┬─────────────┬───────
                            │ affine     │ affine      │ affine
                     FourierFeatures ─ layer 0 ─ … ─ ToRGB ─ image        layer = ModulatedConv, FilteredLReLU

This is the plain path. Its operators in `ops` are plain PyTorch and keep no state; `fast` replaces some of them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy.typing import NDArray
from torch import Tensor

from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.canvas import Canvas
from shared.image.device import CHANNELS_LAST, FULL, HALF, WIDE_RANGE, Precision
from shared.image.ops.filtered_lrelu import FilteredLReLU
from shared.image.ops.filters import down_filter, up_filter
from shared.image.ops.fourier_features import FourierFeatures
from shared.image.ops.fully_connected import SLOPE, FullyConnected
from shared.image.ops.modulated_conv import ModulatedConv

EPSILON = 1e-8

Weights = Callable[[str], Tensor]
"""Returns the stored tensor of a name, in float32 on the generator's device."""


@dataclass(frozen=True)
class MappingNetwork:
    """z, and a class label if the generator has classes, to w: normalised to unit mean square, then fully connected layers."""

    embed: FullyConnected | None
    layers: tuple[FullyConnected, ...]

    @classmethod
    def prepare(cls, architecture: Architecture, weights: Weights) -> "MappingNetwork":
        """From the stored weights."""

        def layer(name: str, lr_multiplier: float, leaky: bool) -> FullyConnected:
            name = f"mapping.{name}"
            weight, bias = weights(f"{name}.weight"), weights(f"{name}.bias")
            return FullyConnected.prepare(weight, bias, lr_multiplier=lr_multiplier, leaky=leaky)

        arguments = architecture.mapping_kwargs
        return cls(
            embed=layer("embed", 1.0, leaky=False) if architecture.c_dim else None,
            layers=tuple(layer(f"fc{j}", arguments.lr_multiplier, leaky=True) for j in range(arguments.num_layers)),
        )

    def __call__(self, z: Float32[Tensor, "n z_dim"], c: Float32[Tensor, "n c_dim"]) -> Float32[Tensor, "n w_dim"]:
        """One w per z; c is (n, 0) for an unconditional generator."""
        x = unit_mean_square(z)
        if self.embed is not None:
            x = torch.cat([x, unit_mean_square(self.embed(c))], dim=1)
        for layer in self.layers:
            x = layer(x)
        return x


@dataclass(frozen=True)
class SynthesisLayer:
    """A style from w, the convolution that it modulates, and the filtered nonlinearity (in ToRGB, bias and clamp only)."""

    affine: FullyConnected
    convolution: ModulatedConv
    nonlinearity: FilteredLReLU

    @classmethod
    def prepare(
        cls,
        layer: geometry.Layer,
        weights: Weights,
        *,
        clamp: float | None,
        precision: Precision,
        memory_format: torch.memory_format,
    ) -> "SynthesisLayer":
        """From the stored weights."""

        def stored(name: str) -> Tensor:
            return weights(f"synthesis.{layer.name}.{name}")

        return cls(
            affine=FullyConnected.prepare(stored("affine.weight"), stored("affine.bias")),
            convolution=ModulatedConv.prepare(
                stored("weight"),
                float(stored("magnitude_ema")),
                demodulate=not layer.is_torgb,
                dtype=precision.convolution,
                memory_format=memory_format,
            ),
            nonlinearity=FilteredLReLU.prepare(
                stored("bias"),
                stored("up_filter"),
                stored("down_filter"),
                up=layer.up,
                down=layer.down,
                padding=layer.padding,
                gain=1.0 if layer.is_torgb else math.sqrt(2),
                slope=1.0 if layer.is_torgb else SLOPE,
                clamp=clamp,
                dtype=precision.activation,
            ),
        )

    def __call__(
        self, x: Float[Tensor, "n inputs h w"], w: Float32[Tensor, "n w_dim"]
    ) -> Float[Tensor, "n outputs h2 w2"]:
        """Compute the next map."""
        x, factors = self.convolution(x, self.affine(w))
        return self.nonlinearity(x, factors)


@dataclass(frozen=True)
class SynthesisNetwork:
    """Turns all rows of w into a picture."""

    affine: FullyConnected
    features: FourierFeatures
    transform: Float32[Tensor, "3 3"]
    """The transform stored in the file, normally the identity."""
    layers: tuple[SynthesisLayer, ...]
    output_scale: float
    memory_format: torch.memory_format

    @classmethod
    def prepare(
        cls, architecture: Architecture, weights: Weights, precision: Callable[[geometry.Layer], Precision]
    ) -> "SynthesisNetwork":
        """From the stored weights; precision: number formats of each layer."""
        transform = weights("synthesis.input.transform")
        memory_format = torch.channels_last if CHANNELS_LAST[transform.device.type] else torch.contiguous_format
        return cls(
            affine=FullyConnected.prepare(
                weights("synthesis.input.affine.weight"), weights("synthesis.input.affine.bias")
            ),
            features=FourierFeatures.prepare(
                weights("synthesis.input.weight"),
                weights("synthesis.input.freqs"),
                weights("synthesis.input.phases"),
                geometry.signals(architecture)[0],
            ),
            transform=transform,
            layers=tuple(
                SynthesisLayer.prepare(
                    layer,
                    weights,
                    clamp=architecture.conv_clamp,
                    precision=precision(layer),
                    memory_format=memory_format,
                )
                for layer in geometry.layers(architecture)
            ),
            output_scale=architecture.output_scale,
            memory_format=memory_format,
        )

    def __call__(
        self,
        ws: Float32[Tensor, "n num_ws w_dim"],
        transform: Float32[Tensor, "*n 3 3"] | None = None,
        canvas: Canvas | None = None,
    ) -> Float32[Tensor, "n channels h w"]:
        """The picture, nominally -1..1 and not clipped; row 0 of w is for the input, then one row per layer.

        canvas: the shape of the picture; None is the square.
        """
        first, *rest = ws.unbind(1)
        x = self.features(
            self.affine(first), self.transform if transform is None else transform, canvas.extra if canvas else (0, 0)
        )
        x = x.contiguous(memory_format=self.memory_format)
        for layer, w in zip(self.layers, rest, strict=True):
            x = layer(x, w)
        return (canvas.cropped(x) if canvas else x).mul_(self.output_scale)


def layer_precision(half: bool, device: torch.device) -> Callable[[geometry.Layer], Precision]:
    """Full everywhere, or half except for ToRGB: bfloat16 is too coarse for an 8-bit picture.

    The design keeps the lowest rates in float32 because of float16's range. bfloat16 has the range of float32, so on a
    CPU only networks that allow no half precision at all (num_fp16_res 0) stay in float32; on a card the lowest rates may
    use TF32, which has that range too.
    """
    reduced = HALF[device.type] if half else FULL
    wide = reduced if reduced.convolution == torch.bfloat16 else WIDE_RANGE.get(device.type, FULL) if half else FULL

    def choose(layer: geometry.Layer) -> Precision:
        if layer.is_torgb or not layer.design_allows_half:
            return FULL
        return reduced if layer.allows_half else wide

    return choose


def with_defaults(architecture: Architecture, stored: Mapping[str, Tensor], device: torch.device) -> Weights:
    """The stored tensors, float32 on the device; missing filters and transforms are designed from the architecture."""
    designed: dict[str, Callable[[], NDArray[np.float32]]] = {
        "synthesis.input.transform": lambda: np.eye(3, dtype=np.float32)
    }
    for layer in geometry.layers(architecture):
        designed[f"synthesis.{layer.name}.up_filter"] = partial(up_filter, layer)
        designed[f"synthesis.{layer.name}.down_filter"] = partial(down_filter, layer)

    def weights(name: str) -> Tensor:
        tensor = stored[name] if name in stored else torch.from_numpy(designed[name]())
        return tensor.to(device, torch.float32)

    return weights


def unit_mean_square(x: Float32[Tensor, "n d"]) -> Float32[Tensor, "n d"]:
    """Each row divided by its root mean square, with 1e-8 added under the root."""
    return x * (x.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()
