"""The constructor arguments of a discriminator, and the sizes that follow from them. Needs no torch."""

import math
from dataclasses import dataclass

from shared.errors import ModelError
from shared.image.architecture import MAX_RESOLUTION

MAPPING_LAYERS = 8


@dataclass(frozen=True)
class DiscriminatorArchitecture:
    """The constructor arguments of a discriminator, under their published names.

    c_dim            length of a label vector; 0 for images without labels
    img_resolution   side of an image in pixels, a power of two from 8
    channel_base     channels at resolution r are channel_base / r,
    channel_max      but no more than this
    num_fp16_res     number of the highest resolutions that compute in float16, on CUDA only
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
