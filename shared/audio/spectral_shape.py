"""Seven numbers for the shape of a magnitude spectrum: moments, rolloff, flatness and crest."""

import math

import numpy as np
from numpy.typing import NDArray

from shared.audio.kernel import COLUMNS, ROWS, kernel
from shared.audio.spectrum import BIN_HZ, HIGHEST_HZ, LOWEST_HZ

FIRST_BIN = math.ceil(LOWEST_HZ / BIN_HZ)
END_BIN = int(HIGHEST_HZ / BIN_HZ)  # excluded
COUNT = END_BIN - FIRST_BIN  # 231 bins, 1 to 231
# As in FluCoMa, the axis runs from the first bin to the end bin inclusive, so each frequency is up to one bin too high.
FREQUENCIES_HZ = np.linspace(FIRST_BIN * BIN_HZ, END_BIN * BIN_HZ, COUNT)
ROLLOFF = 0.95  # of the summed magnitudes
FLOOR = float(np.finfo(np.float64).eps)
STRETCH = 33  # 231 = 7 * 33
"""Seven magnitudes are multiplied before the logarithm: between 2e-16 and 2e41 (the loudest float32) that cannot overflow."""


@kernel(ROWS, COLUMNS)
def spectral_shape(magnitude: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Shape of each row of `magnitude` (m, 233) into `out` (m, 7).

    Centroid, spread (Hz), skewness, kurtosis (3 for a bell), rolloff (Hz), flatness, crest (dB). Weights are magnitudes,
    not powers, at least FLOOR each, so silence gives a white spectrum's values.
    """
    weight = np.empty(COUNT)
    for k in range(len(magnitude)):
        total = moment = peak = 0.0
        for i in range(COUNT):
            weight[i] = max(magnitude[k, FIRST_BIN + i], FLOOR)
            total += weight[i]
            moment += weight[i] * FREQUENCIES_HZ[i]
            peak = max(peak, weight[i])
        centroid = moment / total

        second = third = fourth = 0.0
        for i in range(COUNT):
            distance = FREQUENCIES_HZ[i] - centroid
            square = distance * distance
            second += weight[i] * square
            third += weight[i] * square * distance
            fourth += weight[i] * square * square
        variance = second / total
        spread = math.sqrt(variance)

        threshold = ROLLOFF * total
        reached = weight[0]
        last = 0
        while reached < threshold and last < COUNT - 1:
            last += 1
            reached += weight[last]
        rolloff = FREQUENCIES_HZ[last]
        if last > 0:
            rolloff -= (rolloff - FREQUENCIES_HZ[last - 1]) * (reached - threshold) / weight[last]

        logarithms = 0.0
        for i in range(STRETCH):
            product = weight[i]
            for j in range(i + STRETCH, COUNT, STRETCH):
                product *= weight[j]
            logarithms += math.log(product)
        mean = total / COUNT

        out[k, 0] = centroid
        out[k, 1] = spread
        out[k, 2] = third / (total * variance * spread)
        out[k, 3] = fourth / (total * variance * variance)
        out[k, 4] = rolloff
        out[k, 5] = 20.0 * math.log10(max(math.exp(logarithms / COUNT) / mean, FLOOR))
        out[k, 6] = 20.0 * math.log10(max(peak / mean, FLOOR))
