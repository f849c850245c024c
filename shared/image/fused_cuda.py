"""The fused path on a card: cuDNN convolutions in channels last, and one CUDA kernel for everything between them."""

import math

from torch.nn.functional import pad

from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.device import Precision
from shared.image.fast import Convolution, Nonlinearity, unusual
from shared.image.ops.cuda.convolution import CudnnConv, padded
from shared.image.ops.cuda.driver import Driver, cuda_driver
from shared.image.ops.cuda.filtered_lrelu import CudaFilteredLReLU
from shared.image.ops.cuda.nvrtc import KernelError
from shared.image.ops.cuda.plan import fits
from shared.image.ops.fully_connected import SLOPE
from shared.image.ops.modulated_conv import ModulatedConv
from shared.image.stylegan3 import Weights


class FusedCuda:
    """Implements `fast.Fused`. Channels are padded to a multiple of 8 once, when weights are prepared."""

    def __init__(self, driver: Driver | None = None) -> None:
        self._driver = driver or cuda_driver()

    def channels(self, count: int) -> int:
        """Padded to a multiple of 8."""
        return padded(count)

    def convolution(self, plain: ModulatedConv, layer: geometry.Layer, precision: Precision) -> Convolution:
        """CuDNN's."""
        return CudnnConv.prepare(plain, pad_outputs=not layer.is_torgb, tf32=precision.tf32)

    def nonlinearity(
        self,
        architecture: Architecture,
        layer: geometry.Layer,
        weights: Weights,
        precision: Precision,
        following: Precision,
    ) -> Nonlinearity:
        """The kernel, compiled and loaded for maps of the generator's own size. Raises KernelError."""
        bias, *filters = (weights(f"synthesis.{layer.name}.{name}") for name in ("bias", "up_filter", "down_filter"))
        channels = padded(len(bias))
        operator = CudaFilteredLReLU.prepare(
            pad(bias, (0, channels - len(bias))),
            *filters,
            up=layer.up,
            padding=layer.padding,
            gain=math.sqrt(2),
            slope=SLOPE,
            clamp=architecture.conv_clamp,
            dtype=following.convolution,
            driver=self._driver,
        )
        operator.build(channels, layer.source.size + layer.kernel - 1, precision.convolution)
        return operator


def why_not(architecture: Architecture, weights: Weights) -> str | None:
    """Why a network needs the plain path, in words; None if it does not."""
    for layer in geometry.layers(architecture)[:-1]:
        filters = [weights(f"synthesis.{layer.name}.{name}").cpu() for name in ("up_filter", "down_filter")]
        if not fits(layer.up, layer.down, *filters):
            return unusual(layer)
    try:
        cuda_driver()
    except KernelError as error:
        return f"the CUDA kernel cannot be used: {error}"
    return None
