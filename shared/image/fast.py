"""The synthesis network at full speed: the same operators as in `stylegan3`, with one pass between convolutions.

    features ─ scale ─ convolution ─ fused filtered leaky ReLU ─ convolution ─ … ─ ToRGB
                                     demodulation, bias, filters, nonlinearity, next layer's style, rounding

Pictures are made one at a time, so a batch gives the bits of its rows. On a CPU the pass is compiled by numba; the threads
share tiles and never a sum, so the bits do not depend on their number. On CUDA it is compiled by Triton, and all that
a picture takes is recorded once and replayed.
"""

import importlib.util
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.canvas import Canvas
from shared.image.device import Precision
from shared.image.ops.filtered_lrelu import FilteredLReLU
from shared.image.ops.fourier_features import FourierFeatures
from shared.image.ops.fully_connected import SLOPE, FullyConnected
from shared.image.ops.modulated_conv import ModulatedConv
from shared.image.ops.paired_conv import KERNEL, LEAST_SIZE, MOST_OUTPUTS, PairedConv
from shared.image.ops.steady_conv import SteadyConv
from shared.image.ops.styles import Styles
from shared.image.replay import Replayed
from shared.image.stylegan3 import SynthesisNetwork, Weights
from shared.image.threads import torch_threads

Choice = Callable[[geometry.Layer], Precision]
Nonlinearity = Callable[[Tensor, Tensor, Tensor], Tensor]
"""What FusedFilteredLReLU and TritonFilteredLReLU are: next_style * FilteredLReLU(x, scale), of x, scale, next_style."""


@dataclass(frozen=True)
class FastLayer:
    """A layer of the fast path: like SynthesisLayer of `stylegan3`, but for an input that its style has scaled already."""

    convolution: ModulatedConv | SteadyConv
    nonlinearity: Nonlinearity


@dataclass(frozen=True)
class FastSynthesis:
    """All rows of w to a picture; the call of SynthesisNetwork."""

    affine: FullyConnected
    features: FourierFeatures
    transform: Float32[Tensor, "3 3"]
    styles: Styles
    layers: tuple[FastLayer, ...]
    torgb: ModulatedConv | SteadyConv
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
        cls, architecture: Architecture, weights: Weights, precision: Choice, plain: SynthesisNetwork
    ) -> "FastSynthesis":
        """From the stored weights and the plain network, whose convolutions are taken over."""
        described = geometry.layers(architecture)
        return cls(
            affine=plain.affine,
            features=plain.features,
            transform=plain.transform,
            styles=Styles.prepare([(layer.affine, layer.convolution) for layer in plain.layers]),
            layers=tuple(
                FastLayer(
                    _convolution(plain.layers[i].convolution, layer),
                    _nonlinearity(architecture, layer, weights, precision(layer), precision(described[i + 1])),
                )
                for i, layer in enumerate(described[:-1])
            ),
            torgb=_convolution(plain.layers[-1].convolution, described[-1]),
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
        """The picture, nominally -1..1 and not clipped; row 0 of w for the input, then one a layer."""
        make = self._replayed(canvas) if ws.device.type == "cuda" else partial(self._picture, canvas)
        transform = self.transform if transform is None else transform
        if len(ws) == 1:
            return make(ws, transform)
        picture = ws.new_empty(len(ws), self.channels, *(canvas.shape if canvas else (self.side, self.side)))
        for i in range(len(ws)):
            picture[i] = make(ws[i : i + 1], transform)[0]
        return picture

    @cached_property
    def _recordings(self) -> dict[Canvas | None, Replayed]:
        return {}

    def _replayed(self, canvas: Canvas | None) -> Replayed:
        return self._recordings.setdefault(canvas, Replayed(partial(self._picture, canvas)))

    def _picture(
        self, canvas: Canvas | None, ws: Float32[Tensor, "1 num_ws w_dim"], transform: Float32[Tensor, "3 3"]
    ) -> Float[Tensor, "1 channels h w"]:
        # Small work, no slower alone; and so its bits cannot depend on the number of threads.
        with torch_threads(1) if ws.device.type == "cpu" else nullcontext():
            modulations = self.styles(ws[0, 1:])
            x = self.features(self.affine(ws[:, 0]), transform, canvas.extra if canvas else (0, 0))
            x = (x * modulations[0][0][:, :, None, None]).contiguous(memory_format=self.memory_format)
        for i, layer in enumerate(self.layers):
            x = layer.nonlinearity(layer.convolution.convolve(x), modulations[i][1], modulations[i + 1][0])
        picture = self.colours(self.torgb.convolve(x), modulations[-1][1])
        return (canvas.cropped(picture) if canvas else picture).mul_(self.output_scale)


def _convolution(convolution: ModulatedConv, layer: geometry.Layer) -> ModulatedConv | SteadyConv:
    if convolution.weight.device.type != "cpu":
        return convolution
    narrow = layer.kernel == KERNEL and layer.target.channels <= MOST_OUTPUTS
    pays = narrow and layer.source.size >= LEAST_SIZE and layer.source.size % 2 == 0
    return SteadyConv(PairedConv.prepare(convolution) if pays else convolution)


def _nonlinearity(
    architecture: Architecture, layer: geometry.Layer, weights: Weights, precision: Precision, following: Precision
) -> Nonlinearity:
    bias, *filters = (weights(f"synthesis.{layer.name}.{name}") for name in ("bias", "up_filter", "down_filter"))
    return _operator(bias.device, layer, precision)(
        bias,
        *filters,
        up=layer.up,
        padding=layer.padding,
        gain=math.sqrt(2),
        slope=SLOPE,
        clamp=architecture.conv_clamp,
        dtype=following.convolution,
    )


def _operator(device: torch.device, layer: geometry.Layer, precision: Precision) -> Callable[..., Nonlinearity]:
    """What prepares a device's fused operator; its compiler is imported only where it is needed."""
    if device.type == "cpu":
        from shared.image.ops.fused_filtered_lrelu import FusedFilteredLReLU

        return FusedFilteredLReLU.prepare
    from shared.image.ops.triton_filtered_lrelu import TritonFilteredLReLU

    return partial(TritonFilteredLReLU.prepare, down=layer.down, inner=precision.activation)


def why_not(architecture: Architecture, weights: Weights, precision: Choice, device: torch.device) -> str | None:
    """Why the fused operators cannot make a network's pictures, in words; None where they can."""
    if device.type == "cuda":
        return None if importlib.util.find_spec("triton") else "Triton is not installed"
    if device.type != "cpu":
        return f"there is no fused operator for {device.type}"
    from shared.image.ops.fused_filtered_lrelu import fits

    described = geometry.layers(architecture)[:-1]
    for layer in described:
        filters = (weights(f"synthesis.{layer.name}.{name}") for name in ("up_filter", "down_filter"))
        if not fits(layer.up, layer.down, layer.padding, *filters):
            return f"the filters of {layer.name} are unusual: not symmetric, not six taps a phase, or not a rise by 2 or 4 and a fall by 2"
    whole = all(precision(layer).convolution in (torch.float32, torch.bfloat16) for layer in described)
    return None if whole else "float16 on a CPU"
