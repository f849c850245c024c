"""Transforms of colour: one affine map of (r, g, b) for each image."""

import math

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from offline.training.augmentation.parameters import Draws

BRIGHTNESS_DEVIATION = 0.2
CONTRAST_DEVIATION = 0.5  # octaves
SATURATION_DEVIATION = 1.0  # octaves
LUMA = torch.full((3,), 1 / math.sqrt(3))  # the axis of greys
PROJECTION = torch.outer(LUMA, LUMA)


def colour_map(draws: Draws, channels: int) -> tuple[Float32[Tensor, "n 3 3"], Float32[Tensor, "n 3"]]:
    """Matrix and offset of each image; hue and saturation are for colour images only."""
    n = len(next(iter(draws.applied.values())))
    matrix, offset = torch.eye(3)[None].repeat(n, 1, 1), torch.zeros(n, 3)
    if draws.on("brightness"):
        offset = offset + draws.where("brightness", draws.normal["brightness"] * BRIGHTNESS_DEVIATION, 0)
    if draws.on("contrast"):
        factor = draws.where("contrast", np.exp2(draws.normal["contrast"] * CONTRAST_DEVIATION), 1)
        matrix, offset = matrix * factor[:, :, None], offset * factor
    if draws.on("lumaflip"):
        flips = draws.where("lumaflip", np.floor(draws.uniform["lumaflip"] * 2), 0)
        matrix, offset = _after(torch.eye(3) - 2 * PROJECTION * flips[:, :, None], matrix, offset)
    if draws.on("hue") and channels > 1:
        angle = draws.where("hue", (draws.uniform["hue"][:, 0] * 2 - 1) * math.pi, 0)
        matrix, offset = _after(_about_luma(angle), matrix, offset)
    if draws.on("saturation") and channels > 1:
        factor = draws.where("saturation", np.exp2(draws.normal["saturation"] * SATURATION_DEVIATION), 1)
        matrix, offset = _after(PROJECTION + (torch.eye(3) - PROJECTION) * factor[:, :, None], matrix, offset)
    return matrix, offset


def recolour(
    images: Float32[Tensor, "n c h w"], matrix: Float32[Tensor, "n 3 3"], offset: Float32[Tensor, "n 3"]
) -> Float32[Tensor, "n c h w"]:
    """The images with their colours mapped; of grey ones, the mean of the mapped r, g and b."""
    n, c, h, w = images.shape
    matrix, offset = matrix.to(images), offset.to(images)
    if c == 1:
        factor = matrix.sum(dim=2).mean(dim=1)
        return images * factor[:, None, None, None] + offset.mean(dim=1)[:, None, None, None]
    return (matrix @ images.reshape(n, c, h * w) + offset[:, :, None]).reshape(n, c, h, w)


def _after(step: Tensor, matrix: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    return step @ matrix, (step @ offset[:, :, None])[:, :, 0]


def _about_luma(angle: Float32[Tensor, "n"]) -> Float32[Tensor, "n 3 3"]:
    """Right-handed rotations about the axis of greys (Rodrigues' formula)."""
    x, y, z = LUMA.tolist()
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    c, s = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return c * torch.eye(3) + s * cross + (1 - c) * PROJECTION
