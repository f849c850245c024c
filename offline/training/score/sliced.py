"""Sliced Wasserstein distance of small patches at three scales (Rabin et al. 2011; Karras et al. 2018, section 5)."""

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

PATCH = 7  # pixels
PATCHES = 64  # per image and scale
DIRECTIONS = 256
SCALES = (64, 32, 16)  # pixels; those larger than the images are left out
SEED = 0


def sliced_wasserstein(real: UInt8[Tensor, "n c h w"], fake: UInt8[Tensor, "m c h w"]) -> float:
    """Mean distance of the patches of both sets along random directions, over the scales; 0 for equal sets.

    Both sets are cut to the same number of images.
    """
    count = min(len(real), len(fake))
    distances = []
    for size in SCALES:
        if size <= real.shape[2]:
            patches = [_patches(_resized(images[:count], size)) for images in (real, fake)]
            distances.append(_distance(*patches))
    return sum(distances) / len(distances)


def _resized(images: UInt8[Tensor, "n c h w"], size: int) -> Float32[Tensor, "n c size size"]:
    x = images.to(torch.float32) / 127.5 - 1
    return x if x.shape[2] == size else interpolate(x, (size, size), mode="bilinear", antialias=True)


def _patches(images: Float32[Tensor, "n c s s"]) -> Float32[Tensor, "k numbers"]:
    """Patches at the same random places of every set."""
    generator = torch.Generator().manual_seed(SEED)
    n, _, size, _ = images.shape
    places = torch.randint(size - PATCH + 1, (PATCHES, 2), generator=generator).tolist()
    return torch.cat([images[:, :, y : y + PATCH, x : x + PATCH].reshape(n, -1) for y, x in places])


def _distance(one: Float32[Tensor, "k numbers"], other: Float32[Tensor, "k numbers"]) -> float:
    generator = torch.Generator().manual_seed(SEED)
    directions = torch.randn(one.shape[1], DIRECTIONS, generator=generator)
    directions /= directions.norm(dim=0)
    sorted_one, sorted_other = ((patches @ directions).sort(dim=0).values for patches in (one, other))
    return float((sorted_one - sorted_other).abs().mean())
