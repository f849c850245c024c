"""The synthesis network at full speed: the operators of `stylegan3`, with one pass between convolutions.

    features ─ scale ─ convolution ─ fused filtered leaky ReLU ─ convolution ─ … ─ ToRGB
                                     demodulation, bias, filters, nonlinearity, next layer's style, rounding

Pictures are made one at a time, so a batch gives the bits of its rows. A device has one fused path: `fused_cpu` (compiled by
numba; threads share tiles and never a sum, so the bits do not depend on their number) or `fused_cuda` (a CUDA kernel; the whole
picture is recorded once as a graph and replayed).
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor
from torch.nn.functional import pad

from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.canvas import Canvas
from shared.image.device import Precision
from shared.image.graphs import Graphs
from shared.image.ops.filtered_lrelu import FilteredLReLU
from shared.image.ops.fourier_features import FourierFeatures
from shared.image.ops.fully_connected import FullyConnected
from shared.image.ops.modulated_conv import ModulatedConv
from shared.image.ops.styles import Modulation, Styles
from shared.image.stylegan3 import SynthesisNetwork, Weights
from shared.image.threads import torch_threads

Choice = Callable[[geometry.Layer], Precision]
Nonlinearity = Callable[[Tensor, Tensor, Tensor], Tensor]
"""next_style * FilteredLReLU(x, scale), called with x, scale and next_style."""


@runtime_checkable
class Convolution(Protocol):
    """A convolution whose input is already scaled by its style."""

    def convolve(self, scaled: Tensor) -> Tensor:
        """The cross-correlation."""
        ...


@runtime_checkable
class Fused(Protocol):
    """A device's fused path."""

    def channels(self, count: int) -> int:
        """How many channels a map of `count` has in memory; the rest are zero."""
        ...

    def convolution(self, plain: ModulatedConv, layer: geometry.Layer, precision: Precision) -> Convolution:
        """What replaces a layer's plain convolution."""
        ...

    def nonlinearity(
        self,
        architecture: Architecture,
        layer: geometry.Layer,
        weights: Weights,
        precision: Precision,
        following: Precision,
    ) -> Nonlinearity:
        """The fused operator of a layer. following: the precision of the next layer, which reads the result."""
        ...


@dataclass(frozen=True)
class FastLayer:
    """A layer of the fast path: like SynthesisLayer of `stylegan3`, for an input that its style has scaled already."""

    convolution: Convolution
    nonlinearity: Nonlinearity


Observer = Callable[[int, Tensor, Tensor, Tensor], None]
"""Sees each layer: its number, its input, its convolution's result and its result."""


@dataclass(frozen=True)
class FastSynthesis:
    """Turns all rows of w into a picture; called like SynthesisNetwork."""

    affine: FullyConnected
    features: FourierFeatures
    transform: Float32[Tensor, "3 3"]
    styles: Styles
    layers: tuple[FastLayer, ...]
    torgb: Convolution
    colours: FilteredLReLU
    """ToRGB's bias and clamp."""
    output_scale: float
    memory_format: torch.memory_format
    channels: int
    """Of a picture."""
    side: int
    """Of the square, in pixels."""

    @classmethod
    def prepare(
        cls, architecture: Architecture, weights: Weights, precision: Choice, plain: SynthesisNetwork, fused: Fused
    ) -> "FastSynthesis":
        """From the stored weights and the plain network; `fused` is the device's path."""
        described = geometry.layers(architecture)
        first = described[0].source.channels
        mixing = pad(plain.features.mixing, (0, 0, 0, fused.channels(first) - first))
        return cls(
            affine=plain.affine,
            features=replace(plain.features, mixing=mixing),
            transform=plain.transform,
            styles=Styles.prepare([(layer.affine, layer.convolution) for layer in plain.layers], fused.channels),
            layers=tuple(
                FastLayer(
                    fused.convolution(plain.layers[i].convolution, layer, precision(layer)),
                    fused.nonlinearity(architecture, layer, weights, precision(layer), precision(described[i + 1])),
                )
                for i, layer in enumerate(described[:-1])
            ),
            torgb=fused.convolution(plain.layers[-1].convolution, described[-1], precision(described[-1])),
            colours=plain.layers[-1].nonlinearity,
            output_scale=plain.output_scale,
            memory_format=plain.memory_format,
            channels=architecture.img_channels,
            side=architecture.img_resolution,
        )

    def __call__(
        self,
        ws: Float32[Tensor, "n num_ws w_dim"],
        transform: Float32[Tensor, "3 3"] | None = None,
        canvas: Canvas | None = None,
    ) -> Float32[Tensor, "n channels h w"]:
        """The picture, nominally -1..1 and not clipped; row 0 of w is for the input, then one row per layer.

        canvas: the shape of the picture; None is the square.
        """
        transform = self.transform if transform is None else transform

        def make(row: Tensor) -> Tensor:
            return self._make("float", partial(self.picture, canvas), canvas, row, transform)

        if len(ws) == 1:
            return make(ws)
        shape = canvas.shape if canvas else (self.side, self.side)
        pictures = torch.empty(len(ws), self.channels, *shape, device=self.transform.device)
        for i in range(len(ws)):
            pictures[i] = make(ws[i : i + 1])[0]
        return pictures

    def image(
        self,
        ws: Float32[Tensor, "1 num_ws w_dim"],
        transform: Float32[Tensor, "3 3"] | None = None,
        canvas: Canvas | None = None,
    ) -> UInt8[Tensor, "h w 3"]:
        """One picture in 8 bits; on a card the conversion is part of the graph."""
        transform = self.transform if transform is None else transform
        return self._make("image", lambda *inputs: to_image(self.picture(canvas, *inputs)), canvas, ws, transform)

    def _make(self, kind: str, work: Callable[..., Tensor], canvas: Canvas | None, *inputs: Tensor) -> Tensor:
        """On a card by a graph for each kind and canvas."""
        if self.transform.device.type == "cuda":
            return self._graphs((kind, canvas), work, *inputs)
        return work(*inputs)

    @cached_property
    def _graphs(self) -> Graphs:
        return Graphs(self.transform.device)

    def picture(
        self,
        canvas: Canvas | None,
        ws: Float32[Tensor, "1 num_ws w_dim"],
        transform: Float32[Tensor, "3 3"],
        observe: Observer | None = None,
    ) -> Float[Tensor, "1 channels h w"]:
        """One picture, operator by operator; the inputs lie on the device. observe: called for each layer but ToRGB."""
        # Small work that is no slower in one thread, and whose bits then cannot depend on the number of threads.
        with torch_threads(1) if ws.device.type == "cpu" else nullcontext():
            modulations = self.modulations(ws)
            x = self.features(self.affine(ws[:, 0]), transform, canvas.extra if canvas else (0, 0))
            x = (x * modulations[0][0][:, :, None, None]).contiguous(memory_format=self.memory_format)
        for i, layer in enumerate(self.layers):
            convolved = layer.convolution.convolve(x)
            y = layer.nonlinearity(convolved, modulations[i][1], modulations[i + 1][0])
            if observe is not None:
                observe(i, x, convolved, y)
            x = y
        picture = self.colours(self.torgb.convolve(x), modulations[-1][1])
        return (canvas.cropped(picture) if canvas else picture).mul_(self.output_scale)

    def modulations(self, ws: Float32[Tensor, "1 num_ws w_dim"]) -> list[Modulation]:
        """The factors of every layer's input and output channels."""
        return self.styles(ws[0, 1:])


def unusual(layer: geometry.Layer) -> str:
    """Why no fused operator supports the filters of a layer that does not fit, in words."""
    if layer.up not in (2, 4):
        reason = f"they upsample by {layer.up}, the fused path by 2 and 4 only"
    elif layer.down != 2:
        reason = f"they downsample by {layer.down}, the fused path by 2 only"
    elif layer.up_taps != 6 * layer.up:
        reason = f"they have {layer.up_taps // layer.up} taps per phase, in the fused path 6"
    else:
        reason = "they are not symmetric"
    return f"the filters of {layer.name} are unusual: {reason}"


def to_image(picture: Float32[Tensor, "1 channels h w"]) -> UInt8[Tensor, "h w 3"]:
    """127.5 x + 128, clipped to 0..255 and truncated; overwrites its input. A grey picture gives three equal channels."""
    if picture.shape[1] == 1:
        picture = picture.repeat(1, 3, 1, 1)
    return picture[0].permute(1, 2, 0).mul_(127.5).add_(128).clamp_(0, 255).to(torch.uint8).contiguous()
