"""The alias-free nonlinearity: a leaky ReLU at a higher sampling rate, between two low-pass filters (Karras et al. 2021)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu_, pad

HEADROOM = 1 / 16
"""float16 ends at 65504. Signals between the filters are scaled by this power of two, which is exact.

With the input at its clamp and all signs equal, the first filter reaches at most 256 sqrt(C) k sqrt(2) g o^2, where o is its
overshoot: 39,000 g in the widest layer of a T-256. Trained layers have gains g = 1/sqrt(magnitude_ema) of 4 and more.
"""


def output_length(length: int, *, up: int, down: int, padding: tuple[int, int], taps: tuple[int, int]) -> int:
    """Samples of y along an axis on which x has `length`; taps: of the first and the second filter."""
    upsampled = length * up + sum(padding) - (taps[0] - 1)
    return (upsampled - taps[1]) // down + 1


@dataclass(frozen=True)
class FilteredLReLU:
    """For each channel of a map x and each axis, where x has L samples (closed form; z = scale x + bias):

        u[p] = up sum_j fu[j] z'[p + len(fu) - 1 - j - before],   z'[q] = z[q / up] where up divides q and 0 <= q < L up, else 0
        v = clamp(leaky_relu(gain u))
        y[m] = sum_j fd[j] v[m down + len(fd) - 1 - j]

    `before` and `after` pad the upsampled signal with zeros, or crop it where negative. Products with inserted zeros are
    skipped: the first filter is a transposed convolution with stride `up`, the second a convolution with stride `down`
    (polyphase), both per channel and along one axis at a time, except for a down filter that is not separable.

    This is the plain path: it runs on every device and judges the fused operators.
    """

    bias: Float[Tensor, "1 channels 1 1"]
    """Includes gain and headroom."""
    gain: float
    """Includes the headroom."""
    up_kernels: tuple[Float[Tensor, "channels 1 _ _"], ...]
    down_kernels: tuple[Float[Tensor, "channels 1 _ _"], ...]
    up: int
    down: int
    crop: tuple[int, int]
    """Samples to remove before and after the transposed convolution's result; negative: zeros to add."""
    slope: float
    clamp: float | None

    @classmethod
    def prepare(
        cls,
        bias: Float32[Tensor, "channels"],
        up_filter: Float32[Tensor, "a"],
        down_filter: Float32[Tensor, "b"] | Float32[Tensor, "b b"],
        *,
        up: int,
        down: int,
        padding: tuple[int, int],
        gain: float,
        slope: float,
        clamp: float | None,
        dtype: torch.dtype = torch.float32,
    ) -> "FilteredLReLU":
        """A filter of the single tap 1 means none. dtype: of the computation and the result."""
        channels, taps = len(bias), len(up_filter)
        up_kernels = () if taps == up == 1 else _passes(up_filter * up, channels)
        flipped = down_filter.flip(*range(down_filter.ndim))  # conv2d correlates
        down_kernels = () if flipped.numel() == down == 1 else _passes(flipped, channels)
        headroom = HEADROOM if dtype == torch.float16 and down_kernels else 1.0
        down_kernels = tuple(kernel / headroom ** (1 / len(down_kernels)) for kernel in down_kernels)
        return cls(
            bias=(bias * (gain * headroom)).to(dtype)[None, :, None, None],
            gain=gain * headroom,
            up_kernels=tuple(kernel.to(dtype) for kernel in up_kernels),
            down_kernels=tuple(kernel.to(dtype) for kernel in down_kernels),
            up=up,
            down=down,
            crop=(taps - 1 - padding[0], taps - up - padding[1]),
            slope=slope,
            clamp=None if clamp is None else clamp * headroom,
        )

    def __call__(
        self, x: Float[Tensor, "n channels h w"], scale: Float32[Tensor, "n channels"]
    ) -> Float[Tensor, "n channels h2 w2"]:
        """Apply the operator, with z = scale x + bias."""
        dtype = self.bias.dtype
        factors = (scale * self.gain).to(dtype)[:, :, None, None]
        z = torch.addcmul(self.bias, x.to(dtype), factors)
        v = self._upsample(z)
        if self.slope != 1:
            v = leaky_relu_(v, self.slope)
        if self.clamp is not None:
            v = v.clamp_(-self.clamp, self.clamp)
        return self._downsample(v)

    def _upsample(self, z: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n channels h2 w2"]:
        before, after = self.crop
        computed = 0
        if self.up_kernels:
            computed = max(min(before, after), 0)  # samples that both ends lose are not computed at all
            along_x, along_y = self.up_kernels
            groups = z.shape[1]
            z = conv_transpose2d(z, along_x, stride=(1, self.up), padding=(0, computed), groups=groups)
            z = conv_transpose2d(z, along_y, stride=(self.up, 1), padding=(computed, 0), groups=groups)
        before, after = computed - before, computed - after
        return pad(z, (before, after, before, after)) if before or after else z

    def _downsample(self, v: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n channels h2 w2"]:
        groups, down = v.shape[1], self.down
        strides = [(1, down), (down, 1)] if len(self.down_kernels) == 2 else [(down, down)]
        for kernel, stride in zip(self.down_kernels, strides, strict=False):
            v = conv2d(v, kernel, stride=stride, groups=groups)
        return v


def _passes(taps: Float32[Tensor, "a"] | Float32[Tensor, "a a"], channels: int) -> tuple[Tensor, ...]:
    """The kernels, each (channels, 1, a, b), that filter every channel with `taps`: along x, then y, or in 2-D."""
    shapes = [(1, len(taps)), (len(taps), 1)] if taps.ndim == 1 else [tuple(taps.shape)]
    return tuple(taps.reshape(1, 1, *shape).repeat(channels, 1, 1, 1) for shape in shapes)
