"""Amplifies and damps four frequency bands of an image (off by default, as in the published code)."""

import math

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor
from torch.nn.functional import conv2d, pad

from offline.training.augmentation.parameters import Draws

SYM2 = np.array([1 - math.sqrt(3), 3 - math.sqrt(3), 3 + math.sqrt(3), 1 + math.sqrt(3)]) / (4 * math.sqrt(2))
"""The low-pass filter of Daubechies' wavelet with 2 vanishing moments."""
BANDS = 4
POWER = np.array([10.0, 1.0, 1.0, 1.0]) / 13
"""How the power of photographs is shared among the bands, the lowest first."""
DEVIATION = 1.0  # octaves


def _dilated(taps: np.ndarray, factor: int) -> np.ndarray:
    out = np.zeros((len(taps) - 1) * factor + 1)
    out[::factor] = taps
    return out


def _centred(taps: np.ndarray, size: int) -> np.ndarray:
    return np.pad(taps, (size - len(taps)) // 2)


def band_filters() -> Float64[np.ndarray, "4 taps"]:
    """Four filters of zero phase that add up to the identity, the lowest band first.

    Each octave splits what is left below with the wavelet's squared low-pass and high-pass; lower octaves use the same
    filters with zeros between their taps.
    """
    alternate = np.where(np.arange(len(SYM2)) % 2, -1.0, 1.0)
    low = np.convolve(SYM2, SYM2[::-1]) / 2
    high = np.convolve(SYM2 * alternate, (SYM2 * alternate)[::-1]) / 2
    filters, rest = [], np.ones(1)
    for octave in range(BANDS - 1):
        filters.append(np.convolve(rest, _dilated(high, 2**octave)))
        rest = np.convolve(rest, _dilated(low, 2**octave))
    return np.stack([_centred(each, len(rest)) for each in (rest, *reversed(filters))])


FILTERS = band_filters()
REACH = FILTERS.shape[1] // 2


def band_gains(draws: Draws) -> Float64[np.ndarray, "n 4"]:
    """The gain of each band; the expected power of a photograph stays the same."""
    applied, normal = draws.applied["imgfilter"], draws.normal["imgfilter"]
    gains = np.ones(applied.shape)
    for band in range(BANDS):
        step = np.ones(applied.shape)
        step[:, band] = np.where(applied[:, band], np.exp2(normal[:, band] * DEVIATION), 1)
        gains *= step / np.sqrt((POWER * step**2).sum(axis=1, keepdims=True))
    return gains


def filter_bands(images: Float32[Tensor, "n c h w"], gains: Float64[np.ndarray, "n 4"]) -> Float32[Tensor, "n c h w"]:
    """The images with their bands' gains; they must be larger than the filters reach (21 pixels)."""
    n, c, h, w = images.shape
    if min(h, w) <= REACH:
        raise ValueError(f"images of {w} x {h} pixels; imgfilter needs more than {REACH} on each side")
    taps = torch.from_numpy((gains @ FILTERS).astype(np.float32)).to(images).repeat_interleave(c, dim=0)
    planes = pad(images, [REACH] * 4, mode="reflect").reshape(1, n * c, h + 2 * REACH, w + 2 * REACH)
    planes = conv2d(planes, taps[:, None, None, :], groups=n * c)
    return conv2d(planes, taps[:, None, :, None], groups=n * c).reshape(n, c, h, w)
