"""The spectrum that shape, MFCC and pitch share: one Fourier transform a frame."""

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.audio.kernel import FRAMES, ROWS, kernel
from shared.stage import SAMPLE_RATE, WINDOW

BIN_HZ = SAMPLE_RATE / WINDOW  # 43.07 Hz from bin to bin
BINS = WINDOW // 2 + 1  # 0 Hz to 22050 Hz, both included
LOWEST_HZ, HIGHEST_HZ = 20.0, 10_000.0  # the range of shape, MFCC and pitch
MAGNITUDES = int(HIGHEST_HZ / BIN_HZ) + 1  # bins 0 to 232, the last one below 10 kHz

HANN = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)  # periodic, no normalisation


def power_and_magnitude(
    frames: Float32[np.ndarray, "m 1024"],
) -> tuple[Float64[np.ndarray, "m 513"], Float64[np.ndarray, "m 233"]]:
    """|X|² of all 513 bins and |X| of those up to 10 kHz, X the transform of the Hann-tapered frame (no scaling).

    A full-scale sine in the middle of a bin has |X| = 256.
    """
    m = len(frames)
    tapered = np.empty((m, WINDOW))
    taper(frames, tapered)
    spectrum = np.fft.rfft(tapered)  # row by row: one frame alone gives the same bits as among others
    power, magnitude = np.empty((m, BINS)), np.empty((m, MAGNITUDES))
    measure(spectrum.view(np.float64), power, magnitude)
    return power, magnitude


@kernel(FRAMES, ROWS)
def taper(frames: NDArray[np.float32], tapered: NDArray[np.float64]) -> None:
    """`frames` (m, 1024) times the Hann taper, into `tapered`."""
    for k in range(len(frames)):
        for i in range(WINDOW):
            tapered[k, i] = frames[k, i] * HANN[i]


@kernel(ROWS, ROWS, ROWS)
def measure(spectrum: NDArray[np.float64], power: NDArray[np.float64], magnitude: NDArray[np.float64]) -> None:
    """Power (m, 513) and magnitude (m, 233) of `spectrum` (m, 1026), in which real and imaginary parts alternate."""
    for k in range(len(spectrum)):
        for i in range(BINS):
            power[k, i] = spectrum[k, 2 * i] * spectrum[k, 2 * i] + spectrum[k, 2 * i + 1] * spectrum[k, 2 * i + 1]
        for i in range(MAGNITUDES):
            magnitude[k, i] = np.sqrt(power[k, i])
