"""How far a picture is from the one that was wanted: where, how sharp, of what texture."""

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, leaky_relu

BLACK = 0.995
"""Of -1..1: what is as dark, or as bright, counts as cut off."""


def difference(picture: Tensor, wanted: Tensor) -> Tensor:
    """Picture - wanted, but nothing where both are cut off: black may be blacker than black, white whiter."""
    beyond = ((wanted <= -BLACK) & (picture < wanted)) | ((wanted >= BLACK) & (picture > wanted))
    return (picture - wanted).masked_fill(beyond, 0.0)


def slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbours along x and along y."""
    return x[..., :, 1:] - x[..., :, :-1], x[..., 1:, :] - x[..., :-1, :]


def picture_loss(picture: Float32[Tensor, "n 3 h w"], wanted: Float32[Tensor, "n 3 h w"]) -> Tensor:
    """Absolute and squared differences, the first also of halved and quartered pictures and of slopes.

    The median that absolute differences ask for is dark where thin bright lines are uncertain; the square brings them back.
    """
    d = difference(picture, wanted)
    loss = d.abs().mean() + 2.5 * d.square().mean()
    halved = avg_pool2d(d, 2)
    loss = loss + 0.2 * (halved.abs().mean() + avg_pool2d(halved, 2).abs().mean())
    return loss + 0.5 * sum((slope.abs().mean() for slope in slopes(d)), torch.zeros(()))


class TextureLoss:
    """Compares local means and deviations of random features at two sizes: sharpness counts even where its place is missed."""

    def __init__(self, seed: int, features: int = 16, window: int = 8) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.window = window
        first = torch.randn(features, 3, 3, 3, generator=generator)
        first -= first.mean(dim=(2, 3), keepdim=True) * (torch.arange(features) >= 4)[:, None, None, None]
        self.first: Tensor = first / first.flatten(1).norm(dim=1)[:, None, None, None]
        second = torch.randn(features, features, 3, 3, generator=generator)
        self.second: Tensor = second / second.flatten(1).norm(dim=1)[:, None, None, None]

    def statistics(self, picture: Float32[Tensor, "n 3 h w"]) -> list[Tensor]:
        """Means and deviations in windows, of the first layer's features and of the second's."""
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
        """Mean absolute difference of the statistics; both pictures are cut off at black and white first."""
        given = self.statistics(picture.clamp(-1.02, 1.02))
        with torch.no_grad():
            asked = self.statistics(wanted)
        return sum(((a - b).abs().mean() for a, b in zip(given, asked, strict=True)), torch.zeros(()))
