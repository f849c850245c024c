"""Pitch by YIN, its autocorrelation taken from the power spectrum (YinFFT: P. Brossier, 2007; YIN: de Cheveigné, Kawahara, 2002)."""

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from shared.audio.kernel import COLUMNS, ROWS, kernel
from shared.audio.spectrum import BINS, HIGHEST_HZ, LOWEST_HZ
from shared.stage import SAMPLE_RATE, WINDOW

FIRST_LAG = round(SAMPLE_RATE / HIGHEST_HZ)  # samples
END_LAG = min(
    round(SAMPLE_RATE / LOWEST_HZ), BINS - FIRST_LAG - 1
)  # excluded; limited by the window rather than by the 20 Hz


def pitch(power: Float64[np.ndarray, "m 513"], out: Float64[np.ndarray, "m 2"]) -> None:
    """Pitch in Hz (87 to 9800; 0: none) and confidence (about 0 to 1) of each row of `power` into `out`."""
    autocorrelation = np.fft.irfft(power, WINDOW, norm="forward")  # circular, as nothing is padded
    deepest_dip(power, autocorrelation, out)


@kernel(ROWS, ROWS, COLUMNS)
def deepest_dip(power: NDArray[np.float64], autocorrelation: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """The lag at which the cumulative mean normalised difference (de Cheveigné, Kawahara, eq. 8) dips deepest."""
    difference = np.empty(END_LAG)
    for k in range(len(power)):
        energy = 0.0
        for i in range(BINS):
            energy += 2.0 * power[k, i]  # 0 Hz and Nyquist doubled like the others, as in FluCoMa

        summed = 0.0
        for lag in range(1, END_LAG):
            plain = energy - autocorrelation[k, lag]
            summed += plain
            difference[lag] = lag * plain / summed if summed > 0.0 else 1.0

        best, hz = -np.inf, 0.0
        for lag in range(FIRST_LAG + 1, END_LAG - 1):
            if difference[lag] < difference[lag - 1] and difference[lag] < difference[lag + 1]:
                before, here, after = -difference[lag - 1], -difference[lag], -difference[lag + 1]
                shift = (
                    0.5 * (before - after) / (before - 2.0 * here + after)
                )  # the top of the parabola through the three
                height = here - 0.25 * (before - after) * shift
                if height > best:
                    best, hz = height, SAMPLE_RATE / (lag + shift)
        out[k, 0] = hz
        out[k, 1] = max(0.0, 1.0 + best)
