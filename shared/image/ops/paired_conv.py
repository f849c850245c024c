"""The convolution of `modulated_conv` for few output channels on a CPU, two columns at a time.

The convolution library fills vectors of 16 with output channels; with 8 or fewer, at least half of each vector is zeros. In
channels last, two neighbouring columns of C channels have the memory layout of one column of 2 C channels, so a map can be read
as one of half the width. Output columns 2 j and 2 j + 1 need input columns 2 j - 2 .. 2 j + 1, which are two such columns. A
third of the products are with zeros; the whole is still a quarter faster.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from shared.image.ops.modulated_conv import ModulatedConv

MOST_OUTPUTS = 8
LEAST_SIZE = 128
"""Samples per side: smaller maps gain nothing."""
KERNEL = 3


@dataclass(frozen=True)
class PairedConv:
    """`ModulatedConv.convolve` for 3x3 kernels and maps of even width."""

    weight: Float[Tensor, "outputs2 inputs2 3 2"]

    @classmethod
    def prepare(cls, convolution: ModulatedConv) -> "PairedConv":
        """From the convolution that it replaces. a: column in an output pair, b: in an input pair; d = 2 x + b - a."""
        outputs, inputs, *_ = convolution.weight.shape
        weight = convolution.weight.new_zeros(2, outputs, 2, inputs, KERNEL, 2)
        for a in range(2):
            for b in range(2):
                for x in range(2):
                    d = 2 * x + b - a
                    if 0 <= d < KERNEL:
                        weight[a, :, b, :, :, x] = convolution.weight[:, :, :, d]
        paired = weight.reshape(2 * outputs, 2 * inputs, KERNEL, 2)
        return cls(paired.contiguous(memory_format=torch.channels_last))

    def convolve(self, scaled: Float[Tensor, "1 inputs h w"]) -> Float[Tensor, "1 outputs h2 w2"]:
        """The cross-correlation of an input already scaled by s, in channels last."""
        x = scaled.to(self.weight.dtype).permute(0, 2, 3, 1)
        _, height, width, channels = x.shape
        pairs = x.reshape(1, height, width // 2, 2 * channels).permute(0, 3, 1, 2)
        y = conv2d(pairs, self.weight, padding=(KERNEL - 1, 1)).permute(0, 2, 3, 1)
        return y.reshape(1, height + KERNEL - 1, width + KERNEL - 1, -1).permute(0, 3, 1, 2)
