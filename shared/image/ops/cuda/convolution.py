"""The convolution of `ops.modulated_conv` on a card: cuDNN in channels last, channels padded to what tensor cores take."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from shared.image.ops.modulated_conv import ModulatedConv

MULTIPLE = 8
"""Tensor cores take float16 channels by 8, and the fused operators load 16 bytes at once."""


def padded(channels: int) -> int:
    """The number of channels that a map of so many has in memory."""
    return -(-channels // MULTIPLE) * MULTIPLE


@dataclass(frozen=True)
class CudnnConv:
    """`ModulatedConv.convolve` for maps with padded channels, which are zero.

    TF32 and the choice of algorithm are arguments of the call, not settings of the process, so threads cannot disturb
    each other.
    """

    weight: Float[Tensor, "outputs inputs k k"]
    tf32: bool

    @classmethod
    def prepare(cls, convolution: ModulatedConv, *, pad_outputs: bool, tf32: bool) -> "CudnnConv":
        """From the plain convolution. pad_outputs: False for ToRGB. tf32: round float32 factors to 10 bits of mantissa."""
        outputs, inputs, *_ = convolution.weight.shape
        more = padded(outputs) - outputs if pad_outputs else 0
        weight = pad(convolution.weight, (0, 0, 0, 0, 0, padded(inputs) - inputs, 0, more))
        return cls(weight.contiguous(memory_format=torch.channels_last), tf32)

    def convolve(self, scaled: Float[Tensor, "1 inputs h w"]) -> Float[Tensor, "1 outputs h2 w2"]:
        """The cross-correlation of an input already scaled by s, in channels last."""
        border = self.weight.shape[2] - 1
        return torch.cudnn_convolution(
            scaled.to(self.weight.dtype),
            self.weight,
            (border, border),
            (1, 1),
            (1, 1),
            1,
            benchmark=False,
            deterministic=True,
            allow_tf32=self.tf32,
        )
