"""The room and the output: reverberation made of noise, limiting, and 16-bit samples."""

import numpy as np
from jaxtyping import Int16
from scipy.signal import butter, fftconvolve, sosfilt

from .curves import SAMPLE_RATE, Sound, amplitude, samples, seconds_of

HALL_BANDS = ((60.0, 400.0, 0.9), (400.0, 2500.0, 1.1), (2500.0, 9000.0, 0.7))
"""Lower edge, upper edge (Hz) and time to decay by 60 dB (s): air and curtains absorb the treble."""
BEFORE_HALL_S = 0.014
KNEE = 0.6
"""The part of full scale above which samples are compressed towards 1."""


def in_hall(dry: Sound, wet_db: float, rng: np.random.Generator) -> Sound:
    """The sound with reverberation: noise that decays at a different rate in each band (Moorer, Computer Music Journal 3(2),
    1979). Keeps its length.
    """
    t = seconds_of(samples(1.4))
    hall = np.zeros(len(t))
    for low_hz, high_hz, fall_s in HALL_BANDS:
        band = sosfilt(
            butter(2, (low_hz, high_hz), "bandpass", fs=SAMPLE_RATE, output="sos"), rng.standard_normal(len(t))
        )
        hall += band * np.exp(-6.91 / fall_s * t)
    hall *= np.minimum(1.0, t / 0.01)
    hall /= np.sqrt(np.sum(hall**2))
    late = np.concatenate([np.zeros(samples(BEFORE_HALL_S)), fftconvolve(dry, hall)])
    return np.asarray(dry + amplitude(wet_db) * late[: len(dry)])


def without_dc(sound: Sound) -> Sound:
    """The sound without frequencies below 25 Hz."""
    return np.asarray(sosfilt(butter(2, 25.0, "highpass", fs=SAMPLE_RATE, output="sos"), sound))


def rounded_peaks(sound: Sound) -> Sound:
    """Soft limiting above the knee, with a continuous slope."""
    over = np.maximum(np.abs(sound) - KNEE, 0.0)
    return np.asarray(np.sign(sound) * (np.minimum(np.abs(sound), KNEE) + (1.0 - KNEE) * np.tanh(over / (1.0 - KNEE))))


def to_16_bit(sound: Sound, peak_dbfs: float) -> Int16[np.ndarray, "samples"]:
    """The sound with its loudest sample at `peak_dbfs`. Undithered: silence stays silence."""
    return np.asarray(np.round(sound / np.max(np.abs(sound)) * amplitude(peak_dbfs) * 32767.0), dtype=np.int16)
