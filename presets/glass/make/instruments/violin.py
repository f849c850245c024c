"""Strings: bowed from tasto to ponticello, touched (harmonics), trembling, plucked.

The bowed tone is additive: partials of Helmholtz motion, weighted by the position of the bow and filtered by the modes of a
body, so vibrato makes each partial flicker as it moves across resonances. A friction model would be more realistic, but it is
chaotic: another machine could not make the same file.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from .curves import (
    CONTROL,
    SAMPLE_RATE,
    Line,
    Melody,
    Sound,
    amplitude,
    between_controls,
    controls,
    glide,
    hertz,
    line,
    loudest_at_one,
    samples,
    seconds_of,
    swell,
    wander,
    wander_controls,
)

SIGNATURE_MODES = ((275.0, 22.0, 0.9), (405.0, 28.0, 0.4), (460.0, 32.0, 1.0), (560.0, 34.0, 1.0), (700.0, 24.0, 0.6))
"""Frequency in Hz, Q and strength of a violin's low modes: A0, CBR, B1-, B1+ (Bissinger, JASA 124, 2008), and one near 700 Hz."""
BRIDGE_HILL_HZ = 2500.0
"""Centre of the band that the bridge transmits best (Jansson, Acustica 83, 1997)."""
HIGHEST_PARTIAL_HZ = 16000.0
HIGHEST_BODY_HZ = 14000.0


@cache
def body(size: float) -> Sound:
    """Impulse response of a body; size 1 is a violin, 1.2 a viola, 2 roughly a cello. Its gain is about 1 from 300 Hz to 4 kHz."""
    rng = np.random.default_rng(1716)
    low = np.array(SIGNATURE_MODES) / (size, 1.0, 1.0)
    high_hz = np.geomspace(1.17 * low[-1, 0], HIGHEST_BODY_HZ, 80) * 2.0 ** rng.uniform(-0.04, 0.04, 80)
    hill = 0.35 + 0.3 * np.exp(-0.5 * (np.log2(high_hz / BRIDGE_HILL_HZ) / 0.55) ** 2)
    beyond = np.minimum(1.0, (4000.0 / high_hz) ** 1.6)
    high = np.stack([high_hz, rng.uniform(20.0, 45.0, 80), hill * beyond * rng.uniform(0.6, 1.1, 80)], axis=1)
    t = seconds_of(samples(0.2))
    response = np.zeros(len(t))
    for f, q, strength in np.concatenate([low, high]):
        # a mode's peak gain is its strength times q / f; the factor f / q makes the peaks as high as the table's strengths
        response += (
            strength * f / q * rng.choice((-1.0, 1.0)) * np.sin(2.0 * np.pi * f * t) * np.exp(-np.pi * f / q * t)
        )
    gain = np.abs(np.fft.rfft(response))
    hz = np.fft.rfftfreq(len(t), 1.0 / SAMPLE_RATE)
    return np.asarray(response / np.sqrt(np.mean(gain[(hz > 300.0 / size) & (hz < 4000.0)] ** 2)))


def through_body(sound: Sound, size: float) -> Sound:
    """The sound of a force on the bridge, of the same length."""
    return np.asarray(fftconvolve(sound, body(size))[: len(sound)])


@dataclass(frozen=True)
class Bowed:
    """A bowed note.

    bow: position, from tasto (0) over ordinario (0.5) to ponticello (1). tremolo_hz: above 0, short strokes.
    touch: n > 1 for a finger that leaves only every n-th partial of the string, a harmonic; `pitch` is its sounding pitch.
    vibrato_cents: deviation to each side; it begins `vibrato_after_s` into the note.
    """

    seconds: float
    pitch: Melody
    bow: float | Line = 0.5
    level_db: float | Line = 0.0
    attack_s: float = 0.12
    release_s: float = 0.15
    vibrato_cents: float = 20.0
    vibrato_hz: float = 5.6
    vibrato_after_s: float = 0.4
    tremolo_hz: float | Line = 0.0
    touch: int = 1
    size: float = 1.0

    def play(self, rng: np.random.Generator) -> Sound:
        """The note, (samples,)."""
        n = samples(self.seconds)
        bow = line(self.bow, n)
        level_db = line(self.level_db, n)
        f = glide(self.pitch, n) * 2.0 ** (self._cents(rng, n) / 1200.0)
        phase = 2.0 * np.pi * np.cumsum(f) / SAMPLE_RATE
        stroke, scrape = self._strokes(rng, n)
        tone = self._partials(rng, f, phase, bow, level_db) * stroke
        rustle = self._bow_noise(rng, phase, bow) * scrape
        hand = 1.0 + 0.07 * wander(rng, n, 9.0)
        sound = through_body((tone + rustle) * amplitude(level_db) * hand, self.size)
        return loudest_at_one(sound * swell(n, self.attack_s, self.release_s))

    def _cents(self, rng: np.random.Generator, n: int) -> Sound:
        """Deviation from the pitch: delayed, uneven vibrato, a drifting finger, and a scoop at the onset."""
        t = seconds_of(n)
        arrives = np.clip((t - self.vibrato_after_s) / 0.5, 0.0, 1.0)
        rate_hz = self.vibrato_hz * (1.0 + 0.05 * wander(rng, n, 1.5))
        swing = self.vibrato_cents * arrives * (1.0 + 0.15 * wander(rng, n, 2.0))
        vibrato = swing * np.sin(2.0 * np.pi * np.cumsum(rate_hz) / SAMPLE_RATE)
        unrest = 2.5 * wander(rng, n, 3.0) + 1.2 * wander(rng, n, 25.0)
        return np.asarray(vibrato + unrest - 30.0 * np.exp(-t / 0.045))

    def _strokes(self, rng: np.random.Generator, n: int) -> tuple[Sound, Sound]:
        """Envelopes of tone and bow noise: steady, or an arch for each stroke with a scrape where the bow turns."""
        onset = np.exp(-seconds_of(n) / 0.05)
        rate_hz = line(self.tremolo_hz, n)
        if not np.any(rate_hz):
            return np.ones(n), 1.0 + 2.5 * onset
        place = np.cumsum(rate_hz * (1.0 + 0.08 * wander(rng, n, 8.0))) / SAMPLE_RATE
        accent = 1.0 + 0.18 * rng.standard_normal(int(place[-1]) + 2)
        arch = np.abs(np.sin(np.pi * place))
        return np.asarray(arch**0.6 * accent[place.astype(int)]), np.asarray(0.5 + 2.0 * (1.0 - arch) ** 2)

    def _partials(self, rng: np.random.Generator, f: Sound, phase: Sound, bow: Sound, level_db: Sound) -> Sound:
        """Partials of Helmholtz motion: h has strength sin(pi h beta) / h for a bow at the fraction beta of the string."""
        n = len(f)
        at = np.minimum(CONTROL * np.arange(controls(n)), n - 1)
        f_c, bow_c, level_c = f[at], bow[at], level_db[at]
        beta = 0.21 * (0.024 / 0.21) ** bow_c
        # the corner of Helmholtz motion is sharper near the bridge and under a heavy bow
        corner_hz = 900.0 * 12.0**bow_c * 2.0 ** (np.maximum(level_c, -30.0) / 18.0)
        flicker = 0.1 + 0.55 * np.clip(2.0 * bow_c - 1.0, 0.0, 1.0)
        count = int(HIGHEST_PARTIAL_HZ / np.min(f))
        sine, before, twice_cosine = np.sin(phase), np.zeros(n), 2.0 * np.cos(phase)
        sound, power = np.zeros(n), np.zeros(len(at))
        for h in range(1, count + 1):
            hz = h * f_c
            place = np.abs(np.sin(np.pi * h * self.touch * beta)) / np.sin(np.pi * self.touch * beta)
            strength = (0.12 + 0.88 * place) / h / (1.0 + (hz / corner_hz) ** 2) * (hz < HIGHEST_PARTIAL_HZ)
            strength = strength * (1.0 / h if self.touch > 1 else 1.0)
            power += strength**2
            strength = strength * np.exp(flicker * wander_controls(rng, len(at), 14.0))
            sound += between_controls(strength, n) * sine
            sine, before = twice_cosine * sine - before, sine  # sin((h+1)x) = 2 cos(x) sin(hx) - sin((h-1)x)
        return np.asarray(sound / between_controls(np.sqrt(power), n))

    def _bow_noise(self, rng: np.random.Generator, phase: Sound, bow: Sound) -> Sound:
        """Noise in a burst for each period, while the string slips; louder near the bridge."""
        n = len(phase)
        slip = 0.3 + 0.7 * (0.5 + 0.5 * np.cos(phase)) ** 3
        hiss = sosfilt(butter(2, (900.0, 9000.0), "bandpass", fs=SAMPLE_RATE, output="sos"), rng.standard_normal(n))
        return np.asarray(hiss * slip * amplitude(-30.0 + 20.0 * bow**2))


@dataclass(frozen=True)
class Pizzicato:
    """A plucked string: Karplus and Strong's loop with tuning and pick position (Jaffe and Smith, Computer Music Journal 7(2), 1983).

    ring_s: time to decay by 60 dB. snap: level of the string slapping the fingerboard (Bartók pizzicato).
    """

    pitch: str
    ring_s: float = 0.9
    pluck_at: float = 0.22
    snap: float = 0.0
    size: float = 1.0

    def play(self, rng: np.random.Generator) -> Sound:
        """The note, (samples,)."""
        f = hertz(self.pitch)
        n = samples(1.3 * self.ring_s + 0.1)
        period = SAMPLE_RATE / f
        finger = lfilter([0.35], [1.0, -0.65], rng.standard_normal(int(period)))
        pluck = np.zeros(n)
        pluck[: len(finger)] = finger
        pick = max(1, round(self.pluck_at * period))
        pluck[pick : pick + len(finger)] -= finger
        # the loop: a delay of one period minus the low pass's one sample, with its fraction split between two taps
        whole = int(period - 1.0)
        share = period - 1.0 - whole
        gain = 10.0 ** (-3.0 / (self.ring_s * f))
        taps = gain * np.convolve([0.16, 0.68, 0.16], [1.0 - share, share])
        string = lfilter([1.0], np.concatenate([[1.0], np.zeros(whole - 1), -taps]), pluck)
        sound = loudest_at_one(through_body(string, self.size))
        if self.snap:
            t = seconds_of(n)
            wood = sosfilt(butter(2, (700.0, 6000.0), "bandpass", fs=SAMPLE_RATE, output="sos"), rng.standard_normal(n))
            sound = sound + self.snap * loudest_at_one(wood * np.exp(-t / 0.006))
        return loudest_at_one(sound * swell(n, 0.002, 0.1))
