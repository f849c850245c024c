"""Features of images without a trained network: responses of Gabor filters at two orders, and coarse colours.

After the scattering transform (Bruna and Mallat 2013): moduli of Gabor filters of four scales and six orientations, averaged
over the image; for luminance also the filters of the coarser scales applied to these moduli; and 4 x 4 mean colours.
"""

import math
from functools import lru_cache

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

SIZE = 64  # pixels; larger images are made smaller first
SCALES, ORIENTATIONS = 4, 6
HIGHEST = 0.35  # cycles per pixel, of the finest scale
BANDWIDTH = 0.4  # deviation over centre frequency
COLOURS = 4  # mean colours along each axis
OPPONENT = ((0.577, 0.577, 0.577), (0.707, -0.707, 0.0), (0.408, 0.408, -0.816))
"""Luminance, red against green, yellow against blue."""


def gabor_features(images: UInt8[Tensor, "n c h w"]) -> Float32[Tensor, "n features"]:
    """A row of features for each image, grey or in colour."""
    x = images.to(torch.float32) / 127.5 - 1
    if x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)
    if x.shape[2] > SIZE:
        x = interpolate(x, (SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
    x = torch.einsum("oc,nchw->nohw", torch.tensor(OPPONENT), x)
    bank = _bank(x.shape[2])  # (scales orientations, h, w)
    first = _responses(x, bank)
    parts = [first.mean(dim=(3, 4)).flatten(1), adaptive_avg_pool2d(x, COLOURS).flatten(1)]
    for scale in range(SCALES - 1):
        of_scale = slice(scale * ORIENTATIONS, (scale + 1) * ORIENTATIONS)
        coarser = bank[(scale + 1) * ORIENTATIONS :]
        second = _responses(first[:, 0, of_scale], coarser)  # (n, orientations, filters, h, w)
        parts.append(second.mean(dim=(3, 4)).mean(dim=1))
    return torch.cat(parts, dim=1)


def _responses(
    x: Float32[Tensor, "n c h w"], bank: Float32[Tensor, "filters h w"]
) -> Float32[Tensor, "n c filters h w"]:
    """The moduli of each channel's filter outputs; the image continues periodically."""
    spectrum = torch.fft.fft2(x)[:, :, None] * bank
    moduli: Tensor = torch.fft.ifft2(spectrum).abs()
    return moduli


@lru_cache(maxsize=8)
def _bank(size: int) -> Float32[Tensor, "filters size size"]:
    """Gabor filters in the frequency domain: Gaussians about their centre frequencies."""
    frequency = torch.fft.fftfreq(size)
    y, x = frequency[:, None], frequency[None, :]
    filters = []
    for scale in range(SCALES):
        centre = HIGHEST / 2**scale
        for orientation in range(ORIENTATIONS):
            angle = math.pi * orientation / ORIENTATIONS
            dx, dy = x - centre * math.cos(angle), y - centre * math.sin(angle)
            filters.append(torch.exp(-(dx**2 + dy**2) / (2 * (BANDWIDTH * centre) ** 2)))
    return torch.stack(filters)
