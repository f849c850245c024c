"""The features of other systems: mel bands, chroma and onset strength, as librosa 0.11 defines them (docs/descriptors.md).

Filter banks are librosa's own (`librosa.filters`); they are computed when they are first needed, about 2 seconds. All
features come from the power spectrum of our frames, |X|² of the Hann-tapered 1024 samples.
"""

from functools import cache

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from shared.audio.kernel import COLUMNS, NUMBERS, ROWS, SPECTRA, VECTOR, kernel
from shared.audio.spectrum import HIGHEST_HZ, LOWEST_HZ
from shared.stage import SAMPLE_RATE, WINDOW, Stage, State

MEL_BANDS, ONSET_BANDS, PITCH_CLASSES = 40, 128, 12
ONSET_HIGHEST_HZ = 11_025.0
FLOOR = 1e-10  # of power, as in librosa.power_to_db
TINY = float(np.finfo(np.float64).tiny)


class MelBands:
    """Levels in dB of mel bands, slaney scale and norm: melspectrogram and power_to_db(ref=1, amin=1e-10, top_db=None)."""

    def __init__(self, bands: int, lowest_hz: float, highest_hz: float) -> None:
        self._weights = mel_filters(bands, lowest_hz, highest_hz)
        used = self._weights > 0
        self._first: Int64[np.ndarray, "b"] = np.argmax(used, axis=1)
        self._end = self._weights.shape[1] - np.argmax(used[:, ::-1], axis=1)

    def measure(self, power: Float64[np.ndarray, "m 513"], out: Float64[np.ndarray, "m b"]) -> None:
        """The level of each band (b) of each frame, into `out`."""
        band_levels(power, self._weights, self._first, self._end, out)


class OnsetStrength(Stage[NDArray[np.float64], NDArray[np.float64]]):
    """Power spectra (m, 513) in, onset strength (m, 1) out: the mean rise in dB of 128 mel bands since the frame before.

    librosa.onset.onset_strength of the mel spectrum in dB with lag 1, max_size 1 and center False; 0 for the first frame.
    """

    def __init__(self) -> None:
        self._bands = MelBands(ONSET_BANDS, 0.0, ONSET_HIGHEST_HZ)
        self._last = np.full(ONSET_BANDS, np.inf)  # nothing rises above it

    def process(self, block: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Onset strength of each frame."""
        out = np.empty((len(block), 1))
        self.measure(block, out)
        return out

    def measure(self, power: Float64[np.ndarray, "m 513"], out: Float64[np.ndarray, "m 1"]) -> None:
        """Like `process`, into the column `out` of a larger array."""
        levels = np.empty((len(power), ONSET_BANDS))
        self._bands.measure(power, levels)
        rises(levels, self._last, out)

    def reset(self) -> None:
        """Start with the first frame."""
        self._last[:] = np.inf

    def state(self) -> State:
        """The levels (128,) of the last frame; nothing before the first."""
        return {"onset": self._last.copy()} if np.isfinite(self._last[0]) else {}

    def restore(self, state: State, /) -> None:
        """Continue after that frame."""
        self._last[:] = state.get("onset", np.inf)


def chroma(power: Float64[np.ndarray, "m 513"], out: Float64[np.ndarray, "m 12"]) -> None:
    """Energy of the 12 pitch classes, C first, relative to the strongest: chroma_stft(tuning=0, norm=inf), into `out`."""
    pitch_classes(power, chroma_filters(), out)


@cache
def mel_filters(bands: int, lowest_hz: float, highest_hz: float) -> Float64[np.ndarray, "bands 513"]:
    """Triangular filters over the bins."""
    from librosa.filters import mel

    filters = mel(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=bands, fmin=lowest_hz, fmax=highest_hz, norm="slaney", htk=False)
    return np.ascontiguousarray(filters, np.float64)


@cache
def chroma_filters() -> Float64[np.ndarray, "12 513"]:
    """Weights of the bins for each pitch class."""
    from librosa.filters import chroma as filters

    return np.ascontiguousarray(filters(sr=SAMPLE_RATE, n_fft=WINDOW, tuning=0.0, n_chroma=PITCH_CLASSES), np.float64)


def mel_bands() -> MelBands:
    """The 40 bands of the descriptors, from 20 Hz to 10 kHz."""
    return MelBands(MEL_BANDS, LOWEST_HZ, HIGHEST_HZ)


@kernel(SPECTRA, ROWS, NUMBERS, NUMBERS, COLUMNS)
def band_levels(
    power: NDArray[np.float64],
    weights: NDArray[np.float64],
    first: NDArray[np.int64],
    end: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """10 log10 of the weighted sums of each row of `power` (m, 513), with weights (b, 513) from bin `first` to `end`."""
    for k in range(len(power)):
        for band in range(len(weights)):
            summed = 0.0
            for i in range(first[band], end[band]):
                summed += weights[band, i] * power[k, i]
            out[k, band] = 10.0 * np.log10(max(summed, FLOOR))


@kernel(ROWS, VECTOR, COLUMNS)
def rises(levels: NDArray[np.float64], last: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Mean positive difference of each row of `levels` (m, b) from the row before; `last` (b,) is updated."""
    bands = len(last)
    for k in range(len(levels)):
        summed = 0.0
        for band in range(bands):
            rise = levels[k, band] - last[band]
            if rise > 0.0:
                summed += rise
            last[band] = levels[k, band]
        out[k, 0] = summed / bands


@kernel(SPECTRA, ROWS, COLUMNS)
def pitch_classes(power: NDArray[np.float64], weights: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Weighted sums of each row of `power` (m, 513), divided by the largest; as they are where that is almost 0."""
    for k in range(len(power)):
        largest = 0.0
        for c in range(len(weights)):
            summed = 0.0
            for i in range(power.shape[1]):
                summed += weights[c, i] * power[k, i]
            out[k, c] = summed
            largest = max(largest, summed)
        if largest >= TINY:
            for c in range(len(weights)):
                out[k, c] = out[k, c] / largest
