"""Glass: struck, rubbed, cracking, falling in pieces. All sounds are made of modes: decaying sines at inharmonic ratios."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from .curves import (
    SAMPLE_RATE,
    Line,
    Melody,
    Sound,
    amplitude,
    band_noise,
    glide,
    hertz,
    line,
    loudest_at_one,
    samples,
    seconds_of,
    swell,
    wander,
)

GLASS_MODES = (1.0, 2.32, 4.25, 6.63, 9.38)
"""Modes of a wine glass relative to the lowest: 2, 3, 4, ... waves around the rim (French, American Journal of Physics 51, 1983)."""
HIGHEST_MODE_HZ = 17000.0


def ring(n: int, hz: float, fall_s: float, phase: float) -> Sound:
    """One mode of n samples that decays by 60 dB in `fall_s`: the impulse response of a pair of poles; a zero sets the phase.

    Its first 0.3 ms fade in, because a contact takes time even between hard things.
    """
    radius, angle = 10.0 ** (-3.0 / (fall_s * SAMPLE_RATE)), 2.0 * np.pi * hz / SAMPLE_RATE
    impulse = np.zeros(n)
    impulse[0] = 1.0
    zero = [np.sin(phase), radius * np.sin(angle - phase)]
    sound = lfilter(zero, [1.0, -2.0 * radius * np.cos(angle), radius * radius], impulse)
    contact = min(n, samples(0.0003))
    sound[:contact] *= np.arange(contact) / contact
    return np.asarray(sound)


@dataclass(frozen=True)
class Struck:
    """A drinking glass struck with something hard. Its lowest mode rings for `ring_s` (to -60 dB), higher ones for less."""

    pitch: str
    ring_s: float = 2.0
    hardness: float = 0.5

    def play(self, rng: np.random.Generator) -> Sound:
        """The note, (samples,)."""
        n = samples(self.ring_s)
        sound = np.zeros(n)
        for k, ratio in enumerate(GLASS_MODES):
            hz = hertz(self.pitch) * ratio
            if hz > HIGHEST_MODE_HZ:
                break
            # no glass is perfectly round: each mode is a pair of frequencies that beat
            phase, fall_s = rng.uniform(0.0, 6.28), self.ring_s / ratio**0.8
            sound += self.hardness**k * ring(n, hz, fall_s, phase)
            sound += 0.4 * self.hardness**k * ring(n, hz * (1.0 + rng.uniform(0.0008, 0.0025)), fall_s, phase)
        return loudest_at_one(sound * swell(n, 0.0005, 0.3 * self.ring_s))


@dataclass(frozen=True)
class Rubbed:
    """A wet finger, or a bow, on a rim: one mode kept sounding by friction, which beats with its twin as the finger circles."""

    seconds: float
    pitch: Melody
    level_db: float | Line = 0.0
    attack_s: float = 0.6
    release_s: float = 0.5
    turns_hz: float = 0.9
    beat_hz: float = 1.7
    grit_db: float = -38.0

    def play(self, rng: np.random.Generator) -> Sound:
        """The note, (samples,)."""
        n = samples(self.seconds)
        f = glide(self.pitch, n) * 2.0 ** (3.0 * wander(rng, n, 2.0) / 1200.0)
        phase = 2.0 * np.pi * np.cumsum(f) / SAMPLE_RATE
        twin = phase + 2.0 * np.pi * self.beat_hz * seconds_of(n) + rng.uniform(0.0, 6.28)
        turn = 2.0 * np.pi * self.turns_hz * seconds_of(n) + 0.6 * wander(rng, n, 1.0)
        tone = (0.8 + 0.2 * np.cos(turn)) * np.sin(phase) + 0.35 * np.sin(twin)
        # stick and slip is not quite sinusoidal: faint true harmonics, and the rim's second mode
        for ratio, level_db in ((2.0, -26.0), (3.0, -34.0), (GLASS_MODES[1], -40.0)):
            tone += amplitude(level_db) * np.sin(ratio * phase) * (f * ratio < HIGHEST_MODE_HZ)
        grit = band_noise(rng, np.minimum(4.0 * f, 6000.0), 0.9)
        grit *= amplitude(self.grit_db) / np.std(grit) * (1.0 + 0.6 * np.cos(turn + 1.0))
        sound = (tone + grit) * amplitude(line(self.level_db, n)) * (1.0 + 0.06 * wander(rng, n, 6.0))
        return loudest_at_one(sound * swell(n, self.attack_s, self.release_s))


@dataclass(frozen=True)
class Shards:
    """Pieces that strike the floor one by one, bounce and settle (Warren and Verbrugge 1984: breaking is many bounces out of step).

    thinning_s: time in which their density falls to 1/e; a negative value makes it grow, as gathering cracks do.
    pitch_hz: around which the lowest modes of the pieces lie. It rises when large pieces come to rest before small ones.
    """

    seconds: float
    count: int
    pitch_hz: Line
    thinning_s: float = 0.6
    level_db: float | Line = 0.0
    ring_s: float = 0.25
    bounces: int = 3
    spread_octaves: float = 0.55

    def play(self, rng: np.random.Generator) -> Sound:
        """The fall, (samples,)."""
        n = samples(self.seconds)
        sound = np.zeros(n)
        share = np.expm1(-self.seconds / self.thinning_s)
        falls_s = np.sort(-self.thinning_s * np.log1p(rng.uniform(0.0, 1.0, self.count) * share))
        pitch_hz, level = line(self.pitch_hz, n), amplitude(line(self.level_db, n))
        for fall_s in falls_s:
            at = min(samples(fall_s), n - 1)
            shard = self._shard(rng, pitch_hz[at] * 2.0 ** (self.spread_octaves * rng.standard_normal()))
            strength = np.exp(0.7 * rng.standard_normal())
            wait_s = rng.uniform(0.03, 0.12)
            for _ in range(rng.integers(1, self.bounces + 1)):
                end = min(n, at + len(shard))
                sound[at:end] += strength * level[at] * shard[: end - at]
                at += samples(wait_s)
                if at >= n:
                    break
                strength, wait_s = 0.55 * strength, 0.62 * wait_s  # each bounce is weaker and shorter
        return loudest_at_one(sound * swell(n, 0.0005, min(0.15, 0.5 * self.seconds)))

    def _shard(self, rng: np.random.Generator, lowest_hz: float) -> Sound:
        """The ring of one piece: a few modes of an irregular free plate; the high ones are short."""
        fall_s = self.ring_s * (2000.0 / lowest_hz) ** 0.5 * np.exp(0.4 * rng.standard_normal())
        n = samples(min(1.2 * fall_s, 1.5))
        sound = np.zeros(n)
        hz = lowest_hz
        for k in range(6):
            if hz > HIGHEST_MODE_HZ:
                break
            sound += (
                rng.uniform(0.3, 1.0)
                / (1.0 + 0.5 * k)
                * ring(n, hz, fall_s * (lowest_hz / hz) ** 0.7, rng.uniform(0.0, 6.28))
            )
            hz *= rng.uniform(1.25, 1.9)
        return np.asarray(sound * swell(n, 0.0001, 0.2 * n / SAMPLE_RATE))


@dataclass(frozen=True)
class Blow:
    """A blow that breaks a pane: the crack, a burst of all frequencies, and the pane's low modes before it breaks."""

    lowest_hz: float = 95.0
    burst_s: float = 0.09

    def play(self, rng: np.random.Generator) -> Sound:
        """The blow, (samples,)."""
        n = samples(1.2)
        t = seconds_of(n)
        pane = np.zeros(n)
        hz = self.lowest_hz
        for _ in range(7):
            pane += rng.uniform(0.5, 1.0) * ring(n, hz, 0.5 * (self.lowest_hz / hz) ** 0.5, rng.uniform(0.0, 6.28))
            hz *= rng.uniform(1.3, 1.7)
        burst = sosfilt(butter(1, 700.0, "highpass", fs=SAMPLE_RATE, output="sos"), rng.standard_normal(n))
        burst *= np.exp(-t / self.burst_s) + 3.0 * np.exp(-t / 0.004)
        return loudest_at_one((0.9 * loudest_at_one(pane) + loudest_at_one(burst)) * swell(n, 0.0005, 0.5))
