"""Low-pass filters of the alias-free layers, designed in float64 and rounded to float32 (Karras et al. 2021, appendix C).

Both forms use a Kaiser window (Kaiser 1974) with attenuation A = 2.285 (n - 1) pi width/nyquist + 7.95 dB.
"""

import numpy as np
from jaxtyping import Float32, Float64

from shared.image.geometry import Layer


def separable_lowpass(taps: int, cutoff: float, half_width: float, rate: int) -> Float32[np.ndarray, "n"]:
    """Windowed sinc of `taps` points with unit gain at DC; cutoff, half the transition width and rate share a unit.

    tap_j = f/q sinc(f/q m_j) kaiser_j, m_j = j - (n - 1)/2, q = rate/2, as in scipy's firwin(taps, cutoff, width, fs).
    """
    relative = cutoff / (rate / 2)
    offset = np.arange(taps) - (taps - 1) / 2
    sinc = relative * np.sinc(relative * offset) * kaiser_window(taps, half_width, rate)
    return np.asarray(sinc / sinc.sum(), np.float32)


def radial_lowpass(taps: int, cutoff: float, half_width: float, rate: int) -> Float32[np.ndarray, "n n"]:
    """Windowed jinc, the isotropic low-pass: J1(2 pi f r) / (pi r) kaiser_a kaiser_b; `taps` is even."""
    from scipy.special import j1  # slow to import, and not needed for a file that stores its filters

    offset = (np.arange(taps) - (taps - 1) / 2) / rate
    radius = np.hypot(offset[:, None], offset[None, :])
    window = kaiser_window(taps, half_width, rate)
    jinc = j1(2 * np.pi * cutoff * radius) / (np.pi * radius) * np.outer(window, window)
    return np.asarray(jinc / jinc.sum(), np.float32)


def kaiser_window(taps: int, half_width: float, rate: int) -> Float64[np.ndarray, "n"]:
    """Symmetric Kaiser window for a transition of half_width on either side of the cutoff."""
    from scipy.special import i0

    attenuation_db = 2.285 * (taps - 1) * np.pi * (2 * half_width / (rate / 2)) + 7.95
    if attenuation_db > 50:
        beta = 0.1102 * (attenuation_db - 8.7)
    elif attenuation_db > 21:
        beta = 0.5842 * (attenuation_db - 21) ** 0.4 + 0.07886 * (attenuation_db - 21)
    else:
        beta = 0.0
    place = 2 * np.arange(taps) / (taps - 1) - 1
    window: Float64[np.ndarray, "n"] = i0(beta * np.sqrt(1 - place**2)) / i0(beta)
    return window


def up_filter(layer: Layer) -> Float32[np.ndarray, "n"]:
    """The layer's interpolation filter, for the band of its source; a single 1 if it has none."""
    if layer.up_taps == 1:
        return np.ones(1, np.float32)
    return separable_lowpass(layer.up_taps, layer.source.cutoff, layer.source.half_width, layer.rate)


def down_filter(layer: Layer) -> Float32[np.ndarray, "n"] | Float32[np.ndarray, "n n"]:
    """The layer's decimation filter, for the band of its target; a single 1 if it has none."""
    if layer.down_taps == 1:
        return np.ones(1, np.float32)
    design = radial_lowpass if layer.radial else separable_lowpass
    return design(layer.down_taps, layer.target.cutoff, layer.target.half_width, layer.rate)


def separable_terms(
    taps: Float32[np.ndarray, "n n"], negligible: float
) -> tuple[Float32[np.ndarray, "terms n"], Float32[np.ndarray, "terms n"]]:
    """Filters along y and along x whose products sum to `taps`, without singular values below `negligible` times the first.

    The result is scaled to the sum of `taps`, its gain at DC, as most of a map's energy is at low frequencies.
    """
    columns, values, rows = np.linalg.svd(taps.astype(np.float64))
    kept = max(1, int(np.sum(values > values[0] * negligible)))
    share = np.sqrt(values[:kept, None])
    along_y, along_x = columns.T[:kept] * share, rows[:kept] * share
    gain, truncated = taps.sum(dtype=np.float64), along_y.sum(axis=1) @ along_x.sum(axis=1)
    if abs(truncated - gain) < 0.1 * abs(gain):  # a low-pass filter
        along_y *= gain / truncated
    return np.ascontiguousarray(along_y, np.float32), np.ascontiguousarray(along_x, np.float32)
