"""The entropy of a sound along time: how evenly its power is spread over the spectrum."""

from fractions import Fraction

import numpy as np
from jaxtyping import Float64

from offline.timeline.meter import entropy_bits
from offline.video.soundtrack import Soundtrack

WINDOW = 2048  # samples at the soundtrack's own rate
LOWEST_HZ, HIGHEST_HZ = 20.0, 10000.0
FLOOR = 1e-10  # power of a window below which it counts as silent


def sound_entropies(soundtrack: Soundtrack | None, ticks: int, fps: Fraction) -> Float64[np.ndarray, "ticks"]:
    """Spectral entropy of each tick, 0 (one partial, or silence) to 1 (white noise); NaN without a sound.

    Shannon entropy of the power spectrum from 20 Hz to 10 kHz of the mean of all channels, over the logarithm of the number
    of its bins (Misra et al., ICASSP 2004). A Hann window of 2048 samples lies in the middle of the tick.
    """
    result = np.full(ticks, np.nan)
    if soundtrack is None:
        return result
    sound = np.concatenate([np.zeros(WINDOW, np.float32), *(block.mean(axis=1) for block in soundtrack.blocks())])
    sound = np.pad(sound, (0, WINDOW))
    frequencies = np.fft.rfftfreq(WINDOW, 1 / soundtrack.rate)
    band = (frequencies >= LOWEST_HZ) & (frequencies <= HIGHEST_HZ)
    taper = np.hanning(WINDOW)
    for tick in range(ticks):
        start = WINDOW // 2 + int((tick + Fraction(1, 2)) * soundtrack.rate / fps)  # zeros precede the sound
        window = sound[start : start + WINDOW]
        if len(window) < WINDOW:
            break
        power = np.square(np.abs(np.fft.rfft(window * taper)))[band]
        result[tick] = entropy_bits(power) / np.log2(band.sum()) if power.sum() > FLOOR else 0.0
    return result
