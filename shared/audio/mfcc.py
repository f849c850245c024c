"""Mel-frequency cepstral coefficients: the coarse colour of a sound, independent of its level."""

import math

import numpy as np
from numpy.typing import NDArray

from shared.audio.kernel import COLUMNS, ROWS, kernel
from shared.audio.spectrum import BIN_HZ, HIGHEST_HZ, LOWEST_HZ, MAGNITUDES

BANDS = 40
COEFFICIENTS = 13  # 1 to 13, without coefficient 0, the level
FLOOR = float(np.finfo(np.float64).eps)


def mel(hz: float) -> float:
    """Hz to mel, with O'Shaughnessy's constants."""
    return 1127.01048 * math.log(1.0 + hz / 700.0)


def triangles() -> NDArray[np.float64]:
    """Weights (40, 233) of the bands over the bins: triangles of height 1, evenly spaced in mel from 20 Hz to 10 kHz."""
    edges = 700.0 * (np.exp(np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), BANDS + 2) / 1127.01048) - 1.0)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hz = BIN_HZ * np.arange(MAGNITUDES)
    return np.maximum(0.0, np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle)))


def cosines() -> NDArray[np.float64]:
    """The orthonormal DCT-II of 40 levels, coefficients 1 to 13: (40, 13)."""
    order, band = np.arange(1, COEFFICIENTS + 1)[None, :], np.arange(BANDS)[:, None]
    return math.sqrt(2.0 / BANDS) * np.cos(np.pi * order * (band + 0.5) / BANDS)


WEIGHTS = triangles()
FIRST_BINS = np.argmax(WEIGHTS > 0, axis=1)
END_BINS = MAGNITUDES - np.argmax(WEIGHTS[:, ::-1] > 0, axis=1)
COSINES = cosines()


@kernel(ROWS, COLUMNS)
def mfcc(magnitude: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Coefficients of each row of `magnitude` (m, 233) into `out` (m, 13), from band levels in dB."""
    coefficients = np.empty(COEFFICIENTS)
    for k in range(len(magnitude)):
        coefficients[:] = 0.0
        for band in range(BANDS):
            summed = 0.0
            for i in range(FIRST_BINS[band], END_BINS[band]):
                summed += WEIGHTS[band, i] * magnitude[k, i]
            level_db = 20.0 * math.log10(max(summed, FLOOR))
            for i in range(COEFFICIENTS):
                coefficients[i] += level_db * COSINES[band, i]
        for i in range(COEFFICIENTS):
            out[k, i] = coefficients[i]
