"""The generator's input: plane waves that w and the user can rotate and translate (Karras et al. 2021, section 3)."""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import linear

from shared.image.geometry import Signal


@dataclass(frozen=True)
class FourierFeatures:
    """v_c = amplitude_c sin(2 pi (f_c . g + phase_c)) at grid points g, mixed by a square matrix; always float32.

    An affine layer computes (c, s, a, b) from w; all four are divided by |(c, s)|. The waves' frequencies (rows) and phases become

        M = [[c, -s, 0], [s, c, 0], [0, 0, 1]] [[1, 0, -a], [0, 1, -b], [0, 0, 1]] U
        f' = f M[:2, :2],    phase' = phase + f M[:2, 2],    U the user's transform,

    and amplitude = clamp(1 - (|f'| - f0) / (rate/2 - f0), 0, 1) with the band limit f0: waves that a zoom moves towards
    the Nyquist frequency fade out. The picture spans -0.5..0.5 of the grid; the margin lies outside.
    """

    mixing: Float32[Tensor, "outputs channels"]
    frequencies: Float32[Tensor, "channels 2"]
    phases: Float32[Tensor, "channels"]
    size: int
    """Samples a side of the square's map."""
    sampling_rate: int
    """Samples per width of the square."""
    band_limit: float
    _coordinates: dict[int, Tensor] = field(default_factory=dict)
    """By number of samples; kept for good, as graphs on a card refer to their memory."""

    @classmethod
    def prepare(
        cls,
        weight: Float32[Tensor, "channels channels"],
        frequencies: Float32[Tensor, "channels 2"],
        phases: Float32[Tensor, "channels"],
        signal: Signal,
    ) -> "FourierFeatures":
        """signal: the map to make; weight: as stored (this multiplies it by its gain, 1/sqrt(channels))."""
        return cls(
            mixing=weight / math.sqrt(signal.channels),
            frequencies=frequencies,
            phases=phases,
            size=signal.size,
            sampling_rate=signal.sampling_rate,
            band_limit=signal.cutoff,
        )

    def __call__(
        self, motion: Float32[Tensor, "n 4"], transform: Float32[Tensor, "*n 3 3"], extra: tuple[int, int] = (0, 0)
    ) -> Float32[Tensor, "n outputs rows columns"]:
        """The map for each row (c, s, a, b) of `motion`, channels last in memory; `transform` (3, 3), or one per row.

        extra: samples by which the map is higher and wider than the square's, half of them on each side; even.
        """
        matrix = motion_matrix(motion) @ transform
        frequencies = self.frequencies @ matrix[:, :2, :2]
        phases = self.phases + (self.frequencies @ matrix[:, :2, 2:])[:, :, 0]
        excess = (frequencies.norm(dim=2) - self.band_limit) / (self.sampling_rate / 2 - self.band_limit)
        amplitude = (1 - excess).clamp(0, 1)
        places_y, places_x = (self._places(self.size + samples) for samples in extra)
        along_x = places_x[:, None] * frequencies[:, None, :, 0]
        along_y = places_y[:, None] * frequencies[:, None, :, 1] + phases[:, None]
        # sin(x + y) from the sines and cosines of x and of y: a few per axis instead of one per sample
        x, y = along_x * (2 * math.pi), along_y * (2 * math.pi)
        sin_y, cos_y = (wave(y) * amplitude[:, None] for wave in (torch.sin, torch.cos))
        waves = x.cos()[:, None] * sin_y[:, :, None]
        waves = torch.addcmul(waves, x.sin()[:, None], cos_y[:, :, None])
        return linear(waves, self.mixing).permute(0, 3, 1, 2)

    def _places(self, count: int) -> Float32[Tensor, "count"]:
        """Coordinates of the samples along an axis, in widths of the square, about its centre."""
        if count not in self._coordinates:
            places = (torch.arange(count, dtype=torch.float64) + 0.5 - count / 2) / self.sampling_rate
            self._coordinates[count] = places.to(self.mixing)
        return self._coordinates[count]


def motion_matrix(motion: Float32[Tensor, "n 4"]) -> Float32[Tensor, "n 3 3"]:
    """Rotation times translation for (c, s, a, b), all four divided by |(c, s)|; for column vectors."""
    c, s, a, b = (motion / motion[:, :2].norm(dim=1, keepdim=True)).unbind(1)
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    rows = (c, -s, s * b - c * a, s, c, -s * a - c * b, zero, zero, one)
    return torch.stack(rows, dim=1).reshape(-1, 3, 3)
