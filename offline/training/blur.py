"""The blur that fades in at the start of a run of configuration R (Karras et al. 2021, appendix D.2)."""

import math

import torch
from jaxtyping import Float32
from torch import Tensor

from offline.training.planes import filter_planes

INITIAL_SIGMA = 10.0  # pixels
FADE_KIMG = 200.0  # at a batch of 32; in proportion to the batch


def sigma(images: int, batch: int, initial: float = INITIAL_SIGMA, fade_kimg: float | None = None) -> float:
    """The blur's width in pixels after so many images; it falls linearly to 0 within fade_kimg (default 200 · batch / 32)."""
    fade = (FADE_KIMG * batch / 32 if fade_kimg is None else fade_kimg) * 1000
    return initial * max(1 - images / fade, 0.0) if fade else 0.0


def radius(sigma: float) -> int:
    """Taps on each side of the middle."""
    return math.floor(3 * sigma)


def blur(images: Float32[Tensor, "n c h w"], sigma: float) -> Float32[Tensor, "n c h w"]:
    """Images with taps 2^(-(i / sigma)^2), i = -radius..radius, along both axes; zeros lie outside the image."""
    r = radius(sigma)
    if not r:
        return images
    taps = torch.arange(-r, r + 1, device=images.device).div(sigma).square().neg().exp2()
    return filter_planes(images, (taps / taps.sum()).to(images.dtype), padding=r)
