"""The synthesis network on a CPU at full speed: the same operators as in `stylegan3`, with one pass between convolutions.

    features ─ scale ─ convolution ─ FusedFilteredLReLU ─ convolution ─ … ─ ToRGB
                                     demodulation, bias, filters, nonlinearity, next layer's style, rounding

Pictures are made one at a time, so a batch gives the bits of its rows; the threads share tiles and never a sum, so the bits
do not depend on their number.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.device import Precision
from shared.image.ops.fourier_features import FourierFeatures
from shared.image.ops.fully_connected import FullyConnected
from shared.image.ops.fused_filtered_lrelu import FusedFilteredLReLU
from shared.image.ops.modulated_conv import ModulatedConv
from shared.image.stylegan3 import SynthesisLayer, SynthesisNetwork, Weights


@dataclass(frozen=True)
class FastLayer:
    """A layer of the fast path: like SynthesisLayer, but for an input that its style has scaled already."""

    affine: FullyConnected
    convolution: ModulatedConv
    nonlinearity: FusedFilteredLReLU


@dataclass(frozen=True)
class FastSynthesis:
    """All rows of w to a picture; the call of SynthesisNetwork."""

    affine: FullyConnected
    features: FourierFeatures
    transform: Float32[Tensor, "3 3"]
    layers: tuple[FastLayer, ...]
    torgb: SynthesisLayer
    output_scale: float
    picture: tuple[int, int, int]
    """Channels, height, width."""

    @classmethod
    def prepare(
        cls,
        architecture: Architecture,
        weights: Weights,
        precision: Callable[[geometry.Layer], Precision],
        plain: SynthesisNetwork,
    ) -> "FastSynthesis":
        """From the stored weights and the plain network, whose convolutions are taken over."""
        described = geometry.layers(architecture)
        types = [precision(layer).convolution for layer in described]

        def nonlinearity(i: int, layer: geometry.Layer) -> FusedFilteredLReLU:
            plain_one = plain.layers[i].nonlinearity
            return FusedFilteredLReLU.prepare(
                weights(f"synthesis.{layer.name}.bias"),
                weights(f"synthesis.{layer.name}.up_filter"),
                weights(f"synthesis.{layer.name}.down_filter"),
                up=layer.up,
                padding=layer.padding,
                gain=plain_one.gain,
                slope=plain_one.slope,
                clamp=plain_one.clamp,
                dtype=types[i + 1],
            )

        return cls(
            affine=plain.affine,
            features=plain.features,
            transform=plain.transform,
            layers=tuple(
                FastLayer(plain.layers[i].affine, plain.layers[i].convolution, nonlinearity(i, layer))
                for i, layer in enumerate(described[:-1])
            ),
            torgb=plain.layers[-1],
            output_scale=plain.output_scale,
            picture=(architecture.img_channels, architecture.img_resolution, architecture.img_resolution),
        )

    def __call__(
        self, ws: Float32[Tensor, "n num_ws w_dim"], transform: Float32[Tensor, "3 3"] | None = None
    ) -> Float32[Tensor, "n channels h w"]:
        """The picture, nominally -1..1 and not clipped; row 0 of w for the input, then one a layer."""
        channels, height, width = self.picture
        picture = ws.new_empty(len(ws), channels, height, width)
        for i in range(len(ws)):
            picture[i] = self._picture(ws[i : i + 1], transform)[0]
        return picture

    def _picture(
        self, ws: Float32[Tensor, "1 num_ws w_dim"], transform: Float32[Tensor, "3 3"] | None
    ) -> Float[Tensor, "1 channels h w"]:
        first, *rest = ws.unbind(1)
        layers: tuple[FastLayer | SynthesisLayer, ...] = (*self.layers, self.torgb)
        modulations = [layer.convolution.modulation(layer.affine(w)) for layer, w in zip(layers, rest, strict=True)]
        x = self.features(self.affine(first), self.transform if transform is None else transform)
        x = x * modulations[0][0][:, :, None, None]
        for i, layer in enumerate(self.layers):
            x = layer.nonlinearity(layer.convolution.convolve(x), modulations[i][1], modulations[i + 1][0])
        x = self.torgb.convolution.convolve(x)
        return self.torgb.nonlinearity(x, modulations[-1][1]) * self.output_scale


def suits(architecture: Architecture, precision: Callable[[geometry.Layer], Precision]) -> bool:
    """Whether the fused operator computes all of a network: six taps a phase, an even rise, a fall by two; no float16."""
    return all(
        layer.down == 2
        and layer.up % 2 == 0
        and layer.up_taps == 6 * layer.up
        and layer.down_taps == 12
        and precision(layer).convolution in (torch.float32, torch.bfloat16)
        for layer in geometry.layers(architecture)[:-1]
    )
