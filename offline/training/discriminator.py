"""The discriminator of all StyleGAN3 configurations: StyleGAN2's residual network (Karras et al. 2020, section 4.1)."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, linear

from offline.training.lowpass import lowpass
from shared.errors import ModelError
from shared.image.architecture import MAX_RESOLUTION

SLOPE = 0.2
GAIN = math.sqrt(2)
MAPPING_LAYERS = 8
MAPPING_LR_MULTIPLIER = 0.01
EPSILON = 1e-8


@dataclass(frozen=True)
class DiscriminatorArchitecture:
    """The constructor arguments of a discriminator, under their published names.

    c_dim            length of a label vector; 0 where images have no labels
    img_resolution   side of an image in pixels, a power of two from 8
    channel_base     channels at resolution r are channel_base / r,
    channel_max      but no more than this
    num_fp16_res     how many of the highest resolutions compute in float16, on CUDA only
    mbstd_group_size samples in a group of the minibatch standard deviation
    """

    c_dim: int
    img_resolution: int
    img_channels: int = 3
    channel_base: int = 32768
    channel_max: int = 512
    conv_clamp: float | None = 256.0
    num_fp16_res: int = 4
    mbstd_group_size: int = 4
    mbstd_num_channels: int = 1

    def check(self) -> None:
        """Raises ModelError for arguments that make no discriminator."""
        side = self.img_resolution
        numbers = (self.channel_base // max(side, 1), self.channel_max, self.mbstd_group_size, self.mbstd_num_channels)
        if side < 8 or side & (side - 1) or side > MAX_RESOLUTION or self.c_dim < 0 or min(numbers) < 1:
            raise ModelError(f"{self} makes no discriminator; sizes are powers of two from 8 to {MAX_RESOLUTION}")

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The resolutions of the blocks, the image's own first, 8 last."""
        return tuple(2**i for i in range(int(math.log2(self.img_resolution)), 2, -1))

    def channels(self, resolution: int) -> int:
        """Channels at a resolution."""
        return min(self.channel_base // resolution, self.channel_max)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every parameter by its published name, in the order from the image to the logit."""
        shapes: dict[str, tuple[int, ...]] = {}
        for r in self.resolutions:
            c, half = self.channels(r), self.channels(r // 2)
            if r == self.img_resolution:
                shapes |= {f"b{r}.fromrgb.weight": (c, self.img_channels, 1, 1), f"b{r}.fromrgb.bias": (c,)}
            shapes |= {f"b{r}.conv0.weight": (c, c, 3, 3), f"b{r}.conv0.bias": (c,)}
            shapes |= {f"b{r}.conv1.weight": (half, c, 3, 3), f"b{r}.conv1.bias": (half,)}
            shapes[f"b{r}.skip.weight"] = (half, c, 1, 1)
        c = self.channels(4)
        if self.c_dim:
            shapes |= {"mapping.embed.weight": (c, self.c_dim), "mapping.embed.bias": (c,)}
            for i in range(MAPPING_LAYERS):
                shapes |= {f"mapping.fc{i}.weight": (c, c), f"mapping.fc{i}.bias": (c,)}
        shapes |= {"b4.conv.weight": (c, c + self.mbstd_num_channels, 3, 3), "b4.conv.bias": (c,)}
        shapes |= {"b4.fc.weight": (c, 16 * c), "b4.fc.bias": (c,)}
        outputs = c if self.c_dim else 1
        return shapes | {"b4.out.weight": (outputs, c), "b4.out.bias": (outputs,)}

    def frozen(self, count: int) -> frozenset[str]:
        """The parameters of the first `count` layers, counted from the image (Freeze-D: Mo et al. 2020, arXiv:2002.10964)."""
        layers = []
        for r in self.resolutions:
            layers += [[f"b{r}.fromrgb.weight", f"b{r}.fromrgb.bias"]] if r == self.img_resolution else []
            layers += [[f"b{r}.{name}.weight", f"b{r}.{name}.bias"] for name in ("conv0", "conv1")]
            layers += [[f"b{r}.skip.weight"]]
        return frozenset(name for layer in layers[:count] for name in layer)


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
        """The logits of images, given their labels where the network is conditional."""
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
        return x if clamp is None else x.clamp(-clamp * scale, clamp * scale)

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
