"""Breath: noise in a moving band, as of air in a bottle or a mouth."""

from dataclasses import dataclass

import numpy as np

from .curves import Line, Sound, amplitude, band_noise, line, loudest_at_one, samples, swell, wander


@dataclass(frozen=True)
class Breath:
    """Noise around `centre_hz`, `octaves` wide: a narrow band whistles, a wide one hisses."""

    seconds: float
    centre_hz: float | Line
    octaves: float | Line = 0.8
    level_db: float | Line = 0.0
    attack_s: float = 0.3
    release_s: float = 0.4

    def play(self, rng: np.random.Generator) -> Sound:
        """The breath, (samples,)."""
        n = samples(self.seconds)
        noise = band_noise(rng, line(self.centre_hz, n), line(self.octaves, n))
        sound = noise * amplitude(line(self.level_db, n)) * (1.0 + 0.15 * wander(rng, n, 5.0))
        return loudest_at_one(np.asarray(sound * swell(n, self.attack_s, self.release_s)))
