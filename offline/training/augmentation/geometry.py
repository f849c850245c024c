"""Transforms that move pixels, done in one alias-free resampling (Karras et al. 2020, "ADA", appendix B)."""

import math

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from offline.training.augmentation.parameters import Draws
from offline.training.planes import filter_planes

SYM6 = np.array(
    [
        0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
        0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
        0.0017677118642428036, -0.007800708325034148,
    ]
)  # fmt: skip
"""The low-pass filter of Daubechies' least asymmetric wavelet with 6 vanishing moments (Daubechies 1992, table 6.3)."""
LOWPASS = torch.from_numpy((SYM6 / SYM6.sum()).astype(np.float32))
TAPS = len(SYM6)
MARGIN = TAPS // 4  # pixels that the low-pass reaches beyond an edge
MOST_SHIFT = 0.125  # of the image's size
SCALE_DEVIATION = 0.2  # octaves


def inverse_matrix(draws: Draws, width: int, height: int) -> Float32[Tensor, "n 3 3"]:
    """From places in the result to places in the image, in pixels from the centre, x right and y down."""
    matrix = torch.eye(3)[None].repeat(len(next(iter(draws.applied.values()))), 1, 1)
    if draws.on("xflip"):
        side = 1 - 2 * np.floor(draws.uniform["xflip"][:, 0] * 2)
        matrix = matrix @ _scaling(draws.where("xflip", side, 1), torch.ones(()))
    if draws.on("rotate90"):
        turns = np.floor(draws.uniform["rotate90"][:, 0] * 4)
        matrix = matrix @ _turn(draws.where("rotate90", turns, 0) * (math.pi / 2))
    if draws.on("xint"):
        shift = (draws.uniform["xint"] * 2 - 1) * MOST_SHIFT
        pixels = torch.round(draws.where("xint", shift, 0) * torch.tensor([width, height]))
        matrix = matrix @ _shift(-pixels)
    if draws.on("scale"):
        factor = draws.where("scale", np.exp2(draws.normal["scale"][:, 0] * SCALE_DEVIATION), 1)
        matrix = matrix @ _scaling(1 / factor, 1 / factor)
    if draws.on("rotate_before"):
        matrix = matrix @ _turn(_angle(draws, "rotate_before"))
    if draws.on("aniso"):
        factor = draws.where("aniso", np.exp2(draws.normal["aniso"][:, 0] * SCALE_DEVIATION), 1)
        matrix = matrix @ _scaling(1 / factor, factor)
    if draws.on("rotate_after"):
        matrix = matrix @ _turn(_angle(draws, "rotate_after"))
    if draws.on("xfrac"):
        widths = draws.where("xfrac", draws.normal["xfrac"] * MOST_SHIFT, 0)
        matrix = matrix @ _shift(-widths * torch.tensor([width, height]))
    return matrix


def resample(
    images: Float32[Tensor, "n c h w"], matrix: Float32[Tensor, "n 3 3"], margins: tuple[int, int, int, int]
) -> Float32[Tensor, "n c h w"]:
    """The images transformed by `matrix`, between two low-pass filters at twice the sampling rate.

    margins: see `margins`; larger ones change the rounding alone.
    """
    n, c, height, width = images.shape
    left, right, top, bottom = margins
    images = pad(images, [left, right, top, bottom], mode="reflect")
    centre = torch.tensor([(left - right) / 2, (top - bottom) / 2])
    matrix = _shift(centre) @ matrix
    doubled = _upsample(images)
    half = torch.full((2,), 0.5)
    # sample 2i of both doubled grids lies on the centre of pixel i
    matrix = _shift(-half) @ _scaling(torch.tensor(2.0), torch.tensor(2.0)) @ matrix
    matrix = matrix @ _scaling(half[0], half[0]) @ _shift(half)
    size = (2 * (height + 2 * MARGIN), 2 * (width + 2 * MARGIN))
    to_unit = _scaling(torch.tensor(2 / doubled.shape[3]), torch.tensor(2 / doubled.shape[2]))
    from_unit = _scaling(torch.tensor(size[1] / 2), torch.tensor(size[0] / 2))
    theta = (to_unit @ matrix @ from_unit)[:, :2].to(images.device)
    grid = affine_grid(theta, [n, c, *size], align_corners=False)
    moved = grid_sample(doubled, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return _downsample(moved[:, :, 1:-1, 1:-1])


def _angle(draws: Draws, name: str) -> Tensor:
    return draws.where(name, (draws.uniform[name][:, 0] * 2 - 1) * math.pi, 0)


def margins(matrix: Float32[Tensor, "n 3 3"], width: int, height: int) -> tuple[int, int, int, int]:
    """Pixels to add left, right, above and below, so that no corner of any result lies outside."""
    x, y = (width - 1) / 2, (height - 1) / 2
    corners = torch.tensor([[-x, -y, 1], [x, -y, 1], [x, y, 1], [-x, y, 1]])
    places = (matrix @ corners.T)[:, :2]  # (n, 2, 4)
    low, high = -places.amin(dim=(0, 2)), places.amax(dim=(0, 2))
    beyond = [low[0] - x, high[0] - x, low[1] - y, high[1] - y]
    most = [width - 1, width - 1, height - 1, height - 1]
    left, right, top, bottom = (
        math.ceil(min(max(float(side) + 2 * MARGIN, 0), limit)) for side, limit in zip(beyond, most, strict=True)
    )
    return left, right, top, bottom


def _upsample(images: Tensor) -> Tensor:
    n, c, h, w = images.shape
    stuffed = images.new_zeros((n, c, h, 2, w, 2))
    stuffed[:, :, :, 0, :, 0] = images
    planes = pad(stuffed.reshape(n, c, 2 * h, 2 * w), [TAPS // 2, TAPS // 2 - 1] * 2)
    return filter_planes(planes, LOWPASS.flip(0).to(images) * 2)


def _downsample(images: Tensor) -> Tensor:
    return filter_planes(images, LOWPASS.to(images))[:, :, ::2, ::2]


def _shift(xy: Tensor) -> Tensor:
    """A translation by xy (..., 2)."""
    matrix = torch.eye(3).expand(*xy.shape[:-1], 3, 3).clone()
    matrix[..., :2, 2] = xy
    return matrix


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    x, y = torch.broadcast_tensors(x, y)  # type: ignore[no-untyped-call]
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=-1))


def _turn(angle: Tensor) -> Tensor:
    """From the result to the image: places turn by the angle, from x towards y."""
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=-1).reshape(*angle.shape, 3, 3)
