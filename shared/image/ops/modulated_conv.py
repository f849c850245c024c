"""Convolution with weights modulated by w (Karras et al. 2020, section 2.2), computed with constant weights.

Modulated weights are W_oc s_c d_o g. Scaling the input channels by s_c and the output channels by d_o g gives the same result
with weights that are prepared once.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import conv2d

EPSILON = 1e-8
ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class ModulatedConv:
    """Full cross-correlation (k - 1 zeros around the input) with weights W_oc s_c d_o g.

    With demodulation, W has rows of norm 1 and the style's mean square over its channels is 1, so that
    d_o = (sum_c s_c^2 sum_kernel W_oc^2 + 1e-8/(C k^2))^-1/2 is about 1 and half-precision numbers stay below
    |x|max sqrt(C) k. Without (ToRGB), W is as stored, the style is divided by sqrt(C k^2), and d_o = 1.
    """

    weight: Float[Tensor, "outputs inputs k k"]
    energy: Float32[Tensor, "inputs outputs"] | None
    """Sum over the kernel of W^2; None: no demodulation."""
    gain: float
    """g = 1/sqrt(magnitude_ema), the inverse of the input's typical magnitude during training."""

    @classmethod
    def prepare(
        cls,
        weight: Float32[Tensor, "outputs inputs k k"],
        magnitude_ema: float,
        *,
        demodulate: bool,
        dtype: torch.dtype,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> "ModulatedConv":
        """From stored weights; dtype: of the convolution. Everything else is float32."""
        energy = None
        if demodulate:
            weight = weight / weight.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
            energy = weight.square().sum(dim=(2, 3)).T.contiguous()
        else:
            weight = weight / math.sqrt(weight[0].numel())
        return cls(weight.to(dtype).contiguous(memory_format=memory_format), energy, 1 / math.sqrt(magnitude_ema))

    def __call__(
        self, x: Float[Tensor, "n inputs h w"], style: Float32[Tensor, "n inputs"]
    ) -> tuple[Float[Tensor, "n outputs h2 w2"], Float32[Tensor, "n outputs"]]:
        """The convolution of the scaled input, and the factors (n, outputs) by which its channels must still be multiplied.

        The next operator applies them, as it reads the whole map anyway.
        """
        style, factors = self.modulation(style)
        return self.convolve(x * style[:, :, None, None].to(x.dtype)), factors

    def modulation(
        self, style: Float32[Tensor, "n inputs"]
    ) -> tuple[Float32[Tensor, "n inputs"], Float32[Tensor, "n outputs"]]:
        """The factors of the input channels, s (normalised if it demodulates), and of the output channels, d g."""
        if self.energy is None:
            return style, style.new_full((len(style), len(self.weight)), self.gain)
        style = style * style.square().mean(dim=1, keepdim=True).rsqrt()
        epsilon = EPSILON / self.weight[0].numel()
        return style, (style.square() @ self.energy + epsilon).rsqrt() * self.gain

    def convolve(self, scaled: Float[Tensor, "n inputs h w"]) -> Float[Tensor, "n outputs h2 w2"]:
        """The cross-correlation alone, of an input already scaled by s."""
        x, border = scaled.to(self.weight.dtype), self.weight.shape[2] - 1
        if x.device.type == "cpu" and x.dtype == torch.float32 and ONEDNN:
            # For 1x1 kernels, conv2d's choice of algorithm depends on the number of threads: up to 6 times slower, other bits.
            return torch.mkldnn_convolution(x, self.weight, None, (border,) * 2, (1, 1), (1, 1), 1)
        return conv2d(x, self.weight, padding=border)
