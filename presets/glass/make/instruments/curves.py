"""Tools for all instruments: breakpoints, notes, envelopes and smooth randomness."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import CubicSpline
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

SAMPLE_RATE = 44100
"""Samples per second."""

CONTROL = 64
"""Samples between two values of a slow curve: 1.5 ms."""

Sound: TypeAlias = Float64[np.ndarray, "samples"]
Line: TypeAlias = Sequence[tuple[float, float]]
"""Breakpoints (second, value), joined by straight lines."""
Melody: TypeAlias = str | Sequence[tuple[float, str]]
"""One note, or breakpoints (second, note): equal neighbours hold, unequal ones glide."""

_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"#": 1, "b": -1}


def samples(seconds: float) -> int:
    """The number of samples in a time in seconds."""
    return round(seconds * SAMPLE_RATE)


def controls(n: int) -> int:
    """The number of values, CONTROL samples apart, for n samples, including one beyond the end."""
    return (n - 1) // CONTROL + 2


def seconds_of(n: int) -> Sound:
    """The time in seconds of each of n samples."""
    return np.arange(n) / SAMPLE_RATE


def amplitude(level_db: float | Sound) -> Sound:
    """Decibels to a factor; scalars give a 0-dimensional array."""
    return np.asarray(10.0 ** (np.asarray(level_db) / 20.0))


def hertz(note: str) -> float:
    """Equal temperament, A4 = 440 Hz: "A4", "Eb5", "G#3"."""
    semitone = _SEMITONES[note[0]] + sum(_ACCIDENTALS[mark] for mark in note[1:-1]) + 12 * (int(note[-1]) - 4) - 9
    return float(440.0 * 2.0 ** (semitone / 12.0))


def line(points: float | Line, n: int) -> Sound:
    """Breakpoints as n samples; a single number is constant."""
    if isinstance(points, int | float):
        return np.full(n, float(points))
    at, values = zip(*points, strict=True)
    return np.asarray(np.interp(seconds_of(n), at, values))


def glide(melody: Melody, n: int) -> Sound:
    """A melody as n frequencies in Hz. Glissandi are straight lines in pitch with rounded ends, as a sliding finger plays them."""
    if isinstance(melody, str):
        return np.full(n, hertz(melody))
    at = np.array([second for second, _ in melody])
    octave = np.array([np.log2(hertz(note)) for _, note in melody])
    place = np.interp(seconds_of(n), at, np.arange(len(at)))
    step = np.minimum(place.astype(int), len(at) - 2)
    part = place - step
    # half a straight line and half a smooth step: no audible corners, and not much faster in the middle
    part = 0.5 * part + 0.5 * part * part * (3.0 - 2.0 * part)
    return np.asarray(2.0 ** (octave[step] * (1.0 - part) + octave[step + 1] * part))


def swell(n: int, attack_s: float, release_s: float) -> Sound:
    """An envelope of n samples that starts and ends at 0, with raised-cosine fades."""
    envelope = np.ones(n)
    rise, fall = min(samples(attack_s), n), min(samples(release_s), n)
    envelope[:rise] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)
    envelope[n - fall :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fall + 1) / fall)
    return envelope


def between_controls(values: Sound, n: int) -> Sound:
    """Linear interpolation of `controls(n)` values, CONTROL samples apart, to (n,)."""
    ramp = np.arange(CONTROL) / CONTROL
    return np.asarray(values[:-1, None] + np.diff(values)[:, None] * ramp).ravel()[:n]


def wander_controls(rng: np.random.Generator, count: int, rate_hz: float) -> Sound:
    """Like `wander`, but only every CONTROL-th sample, (count,)."""
    place = np.arange(count) * CONTROL / SAMPLE_RATE * rate_hz
    knots = int(place[-1]) + 3
    return np.asarray(CubicSpline(np.arange(knots), rng.standard_normal(knots))(place))


def wander(rng: np.random.Generator, n: int, rate_hz: float) -> Sound:
    """Smooth random numbers (n,) of deviation about 1 that change direction about `rate_hz` times a second: an unsteady hand."""
    return between_controls(wander_controls(rng, controls(n), rate_hz), n)


def band_noise(rng: np.random.Generator, centre_hz: Sound, octaves: float | Sound) -> Sound:
    """White noise through a moving Gaussian band over log frequency: centre `centre_hz` (n,), deviation `octaves`."""
    n = len(centre_hz)
    stft = ShortTimeFFT(hann(1024, sym=False), hop=256, fs=SAMPLE_RATE, scale_to="magnitude")
    spectrum = stft.stft(rng.standard_normal(n))
    at = np.clip((stft.t(n) * SAMPLE_RATE).astype(int), 0, n - 1)
    centre, width = centre_hz[at], np.broadcast_to(octaves, n)[at]
    distance = np.log2(np.maximum(stft.f, 10.0))[:, None] - np.log2(centre)[None, :]
    return np.asarray(stft.istft(spectrum * np.exp(-0.5 * (distance / width) ** 2), k1=n).real)


def loudest_at_one(sound: Sound) -> Sound:
    """The sound scaled so that its loudest sample is ±1."""
    return np.asarray(sound / np.max(np.abs(sound)))
