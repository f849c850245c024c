"""The fused path on a CPU: filters compiled by numba, convolutions whose bits do not depend on the number of threads."""

import math

import torch

from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.device import Precision
from shared.image.fast import Choice, Convolution, Nonlinearity, unusual
from shared.image.ops.fully_connected import SLOPE
from shared.image.ops.fused_filtered_lrelu import FusedFilteredLReLU, fits
from shared.image.ops.modulated_conv import ModulatedConv
from shared.image.ops.paired_conv import KERNEL, LEAST_SIZE, MOST_OUTPUTS, PairedConv
from shared.image.ops.steady_conv import SteadyConv
from shared.image.stylegan3 import Weights


class FusedCpu:
    """Implements `fast.Fused`."""

    def channels(self, count: int) -> int:
        """Maps are not padded."""
        return count

    def convolution(self, plain: ModulatedConv, layer: geometry.Layer, precision: Precision) -> Convolution:
        """Two columns at a time where the layer is narrow."""
        narrow = layer.kernel == KERNEL and layer.target.channels <= MOST_OUTPUTS
        pays = narrow and layer.source.size >= LEAST_SIZE and layer.source.size % 2 == 0
        return SteadyConv(PairedConv.prepare(plain) if pays else plain)

    def nonlinearity(
        self,
        architecture: Architecture,
        layer: geometry.Layer,
        weights: Weights,
        precision: Precision,
        following: Precision,
    ) -> Nonlinearity:
        """The operator that numba compiles."""
        bias, *filters = (weights(f"synthesis.{layer.name}.{name}") for name in ("bias", "up_filter", "down_filter"))
        return FusedFilteredLReLU.prepare(
            bias,
            *filters,
            up=layer.up,
            padding=layer.padding,
            gain=math.sqrt(2),
            slope=SLOPE,
            clamp=architecture.conv_clamp,
            dtype=following.convolution,
        )


def why_not(architecture: Architecture, weights: Weights, precision: Choice) -> str | None:
    """Why a network needs the plain path, in words; None if it does not."""
    described = geometry.layers(architecture)[:-1]
    for layer in described:
        filters = (weights(f"synthesis.{layer.name}.{name}") for name in ("up_filter", "down_filter"))
        if not fits(layer.up, layer.down, layer.padding, *filters):
            return unusual(layer)
    supported = all(precision(layer).convolution in (torch.float32, torch.bfloat16) for layer in described)
    return None if supported else "float16 on a CPU"
