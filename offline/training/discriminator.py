"""The discriminator of all StyleGAN3 configurations: StyleGAN2's residual network (Karras et al. 2020, section 4.1)."""

import math

import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, linear

from offline.training.discriminator_architecture import MAPPING_LAYERS, DiscriminatorArchitecture
from offline.training.lowpass import lowpass

SLOPE = 0.2
GAIN = math.sqrt(2)
MAPPING_LR_MULTIPLIER = 0.01
EPSILON = 1e-8


class Discriminator(nn.Module):
    """Images (n, channels, size, size), nominally -1..1, to logits (n, 1). Parameters are drawn by `generator`.

    In a batch of n images, n must be a multiple of the group size or smaller than it.
    """

    def __init__(self, architecture: DiscriminatorArchitecture, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        self.weights = nn.ParameterDict()
        for name, shape in architecture.shapes().items():
            value = torch.zeros(shape)
            if name.endswith("weight"):
                value = torch.randn(shape, generator=generator)
                if name.startswith("mapping.fc"):
                    value /= MAPPING_LR_MULTIPLIER
            self.weights[name.replace(".", "/")] = nn.Parameter(value)  # a parameter's name may not hold a dot

    def get(self, name: str) -> nn.Parameter:
        """A parameter by its published name."""
        parameter = self.weights[name.replace(".", "/")]
        assert isinstance(parameter, nn.Parameter)
        return parameter

    def named(self) -> dict[str, nn.Parameter]:
        """All parameters by their published names."""
        return {name: self.get(name) for name in self.architecture.shapes()}

    def forward(
        self, images: Float32[Tensor, "n c s s"], labels: Float32[Tensor, "n c_dim"] | None = None
    ) -> Float32[Tensor, "n 1"]:
        """The logits of images; a conditional network needs their labels."""
        x = images
        for number, r in enumerate(self.architecture.resolutions):
            x = self._block(r, x, self._dtype(number, images))
        logits = self._epilogue(x.to(torch.float32))
        if self.architecture.c_dim:
            if labels is None:
                raise ValueError("a conditional discriminator needs labels")
            c = self.architecture.channels(4)
            return (logits * self._map(labels)).sum(dim=1, keepdim=True) / math.sqrt(c)
        return logits

    def _dtype(self, number: int, images: Tensor) -> torch.dtype:
        in_half = images.is_cuda and number < self.architecture.num_fp16_res
        return torch.float16 if in_half else torch.float32

    def _block(self, r: int, x: Tensor, dtype: torch.dtype) -> Tensor:
        x = x.to(dtype)
        if r == self.architecture.img_resolution:
            x = self._activated(self._conv(x, f"b{r}.fromrgb"), f"b{r}.fromrgb")
        skip = self._conv(lowpass(x, 1)[:, :, ::2, ::2], f"b{r}.skip") * math.sqrt(0.5)
        x = self._activated(self._conv(x, f"b{r}.conv0", padding=1), f"b{r}.conv0")
        x = self._conv(lowpass(x, 2), f"b{r}.conv1", stride=2)
        return self._activated(x, f"b{r}.conv1", math.sqrt(0.5)) + skip

    def _conv(self, x: Tensor, name: str, padding: int = 0, stride: int = 1) -> Tensor:
        weight = self.get(f"{name}.weight")
        gain = 1 / math.sqrt(weight[0].numel())
        return conv2d(x, (weight * gain).to(x.dtype), padding=padding, stride=stride)

    def _activated(self, x: Tensor, name: str, scale: float = 1.0) -> Tensor:
        x = leaky_relu(x + self.get(f"{name}.bias").to(x.dtype)[None, :, None, None], SLOPE) * (GAIN * scale)
        clamp = self.architecture.conv_clamp
        return x if clamp is None else _clamped(x, clamp * scale)

    def _epilogue(self, x: Float32[Tensor, "n c 4 4"]) -> Float32[Tensor, "n outputs"]:
        x = self._with_deviation(x)
        x = self._activated(self._conv(x, "b4.conv", padding=1), "b4.conv")
        x = leaky_relu(self._fully_connected(x.flatten(1), "b4.fc"), SLOPE) * GAIN
        return self._fully_connected(x, "b4.out")

    def _with_deviation(self, x: Float32[Tensor, "n c h w"]) -> Float32[Tensor, "n c1 h w"]:
        """The minibatch standard deviation as further channels (Karras et al. 2018, section 3); groups are strided."""
        n, c, h, w = x.shape
        group, extra = min(self.architecture.mbstd_group_size, n), self.architecture.mbstd_num_channels
        if n % group:
            raise ValueError(f"{n} images given; allowed are multiples of {group}")
        grouped = x.reshape(group, n // group, extra, c // extra, h, w)
        deviation = (grouped.var(dim=0, correction=0) + EPSILON).sqrt().mean(dim=(2, 3, 4))
        planes = deviation.repeat(group, 1)[:, :, None, None].expand(n, extra, h, w)
        return torch.cat([x, planes], dim=1)

    def _map(self, labels: Float32[Tensor, "n c_dim"]) -> Float32[Tensor, "n c"]:
        """Labels to the vectors that the outputs are projected on (Miyato and Koyama 2018)."""
        x = self._fully_connected(labels, "mapping.embed")
        x = x * (x.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()
        for i in range(MAPPING_LAYERS):
            x = leaky_relu(self._fully_connected(x, f"mapping.fc{i}", MAPPING_LR_MULTIPLIER), SLOPE) * GAIN
        return x

    def _fully_connected(self, x: Tensor, name: str, lr_multiplier: float = 1.0) -> Tensor:
        weight = self.get(f"{name}.weight")
        gain = lr_multiplier / math.sqrt(weight.shape[1])
        return linear(x, weight * gain, self.get(f"{name}.bias") * lr_multiplier)


def _clamped(x: Tensor, limit: float) -> Tensor:
    """Limit x to -limit..limit. On a CPU x itself is returned if nothing exceeds it: its gradient costs nothing."""
    if x.device.type == "cpu":
        low, high = torch.aminmax(x.detach())
        if low >= -limit and high <= limit:
            return x
    return x.clamp(-limit, limit)
