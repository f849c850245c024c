"""Losses between a picture and its target: pixels, slopes and texture."""

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, leaky_relu

BLACK = 0.995
"""Target values beyond ±BLACK count as clipped."""


def difference(picture: Tensor, wanted: Tensor) -> Tensor:
    """The difference picture - wanted, but 0 where a picture exceeds a clipped target."""
    beyond = ((wanted <= -BLACK) & (picture < wanted)) | ((wanted >= BLACK) & (picture > wanted))
    return (picture - wanted).masked_fill(beyond, 0.0)


def slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbours along x and along y."""
    return x[..., :, 1:] - x[..., :, :-1], x[..., 1:, :] - x[..., :-1, :]


def picture_loss(picture: Float32[Tensor, "n 3 h w"], wanted: Float32[Tensor, "n 3 h w"]) -> Tensor:
    """Absolute and squared differences; the absolute ones also at 1/2 and 1/4 of the size, and of slopes.

    Absolute differences alone favour the median, which is dark where the place of thin bright lines is uncertain; squared
    differences bring the lines back.
    """
    d = difference(picture, wanted)
    loss = d.abs().mean() + 2.5 * d.square().mean()
    halved = avg_pool2d(d, 2)
    loss = loss + 0.2 * (halved.abs().mean() + avg_pool2d(halved, 2).abs().mean())
    return loss + 0.5 * sum((slope.abs().mean() for slope in slopes(d)), torch.zeros(()))


class TextureLoss:
    """Compares local means and deviations of random features at two scales, which rewards sharpness even if it is misplaced."""

    def __init__(self, seed: int, features: int = 16, window: int = 8) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.window = window
        first = torch.randn(features, 3, 3, 3, generator=generator)
        first -= first.mean(dim=(2, 3), keepdim=True) * (torch.arange(features) >= 4)[:, None, None, None]
        self.first: Tensor = first / first.flatten(1).norm(dim=1)[:, None, None, None]
        second = torch.randn(features, features, 3, 3, generator=generator)
        self.second: Tensor = second / second.flatten(1).norm(dim=1)[:, None, None, None]

    def statistics(self, picture: Float32[Tensor, "n 3 h w"]) -> list[Tensor]:
        """Means and deviations in windows, of the features of both layers."""
        found = []
        x = picture
        for kernel in (self.first, self.second):
            x = leaky_relu(conv2d(x, kernel, padding=1), 0.2)
            mean = avg_pool2d(x, self.window)
            deviation = (avg_pool2d(x.square(), self.window) - mean.square()).clamp(min=0).add(1e-4).sqrt()
            found += [mean, deviation]
            x = avg_pool2d(x, 2)
        return found

    def __call__(self, picture: Float32[Tensor, "n 3 h w"], wanted: Float32[Tensor, "n 3 h w"]) -> Tensor:
        """Mean absolute difference of the statistics, with both pictures clipped to black and white first."""
        given = self.statistics(picture.clamp(-1.02, 1.02))
        with torch.no_grad():
            asked = self.statistics(wanted)
        return sum(((a - b).abs().mean() for a, b in zip(given, asked, strict=True)), torch.zeros(()))
