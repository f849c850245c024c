"""Noise, and a square cut out (both off by default, as in the published code)."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from offline.training.augmentation.parameters import Draws

NOISE_DEVIATION = 0.1
CUTOUT_SIZE = 0.5  # of the image's size


def add_noise(
    images: Float32[Tensor, "n c h w"], draws: Draws, chances: Sequence[np.random.Generator]
) -> Float32[Tensor, "n c h w"]:
    """Gaussian noise with a random deviation for each image."""
    deviation = draws.where("noise", np.abs(draws.normal["noise"][:, 0]) * NOISE_DEVIATION, 0)
    noise = np.stack([chance.standard_normal(images.shape[1:], np.float32) for chance in chances])
    return images + torch.from_numpy(noise).to(images) * deviation.to(images)[:, None, None, None]


def cut_out(images: Float32[Tensor, "n c h w"], draws: Draws) -> Float32[Tensor, "n c h w"]:
    """A square of zeros around a random centre in each image."""
    _, _, h, w = images.shape
    centre = torch.from_numpy(draws.uniform["cutout"])
    half = draws.where("cutout", np.full(len(centre), CUTOUT_SIZE / 2), 0)
    x = ((torch.arange(w) + 0.5) / w - centre[:, :1]).abs() >= half[:, None]
    y = ((torch.arange(h) + 0.5) / h - centre[:, 1:]).abs() >= half[:, None]
    keep = x[:, None, None, :] | y[:, None, :, None]
    return images * keep.to(images)
