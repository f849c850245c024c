"""Overlap-add of short grains: play, scrub, loop and slow motion differ only in where the next grain begins.

Grains of 2048 samples, tapered by a Hann window, begin every 512 samples of the output; the four that overlap add up to one.
At speed 1 the sound is therefore itself again, to float32 rounding. At lower speeds the pitch stays (Roads 2001,
Microsound, chapter 3).

The sound card's process finds this module by its path: it imports nothing of the program.
"""

from typing import Any

import numpy as np

HOP, GRAIN = 512, 2048
OVERLAP = GRAIN // HOP
TAPER = ((1 - np.cos(2 * np.pi * np.arange(GRAIN) / GRAIN)) / OVERLAP).astype(np.float32)
"""A periodic Hann window, scaled: four of them, 512 samples apart, add up to one."""
SLOWEST, FASTEST = 1 / 8, 1.0
SPREAD = 400  # samples to either side: grains of a still point that were all alike would buzz at 86 Hz
GOLDEN = (np.sqrt(5) - 1) / 2  # its multiples, modulo 1, spread evenly at any length


class Grains:
    """A sound (n,) float32 at 44.1 kHz, heard in blocks of 512 samples.

    mode       "stopped", "playing" or "scrubbing"
    position   samples: of the sound at the beginning of the next block
    speed      1/8 to 1; 1 is as recorded
    loop       samples (first, end), or None
    """

    def __init__(self, samples: Any) -> None:
        self.samples = samples
        self.mode = "stopped"
        self.position = 0.0
        self.speed = 1.0
        self.loop: tuple[int, int] | None = None
        self._sum = np.zeros(GRAIN, np.float32)  # of the grains, from the next sample on
        self._still = 0  # grains of a still point so far

    def play(self, position: float) -> None:
        """Play from a sample on. From the very first one, it sounds in full at once; from elsewhere it fades in over 35 ms."""
        self.position, self.mode = float(position), "playing"
        if position < HOP and self.speed == 1:
            for before in range(OVERLAP - 1, 0, -1):  # grains that would have begun before the sound
                tail = self._grain(int(position) - before * HOP)[before * HOP :]
                self._sum[: len(tail)] += tail

    def scrub(self, position: float) -> None:
        """Stay at a sample and hear it."""
        self.position, self.mode = float(position), "scrubbing"

    def stop(self) -> None:
        """Begin no more grains; those that sound fade out within 35 ms."""
        self.mode = "stopped"

    def block(self) -> Any:
        """The next 512 samples, float32."""
        if self.mode == "playing":
            # in slow motion what is heard is the middle of grains that lie closer than they follow each other
            self._sum += self._grain(int(self.position - GRAIN / 2 * (1 - self.speed)))
            self._move()
        elif self.mode == "scrubbing":
            self._still += 1
            offset = ((self._still * GOLDEN) % 1 - 0.5) * 2 * SPREAD
            self._sum += self._grain(int(self.position - GRAIN / 2 + offset))
        out = self._sum[:HOP].copy()
        self._sum[:-HOP] = self._sum[HOP:]
        self._sum[-HOP:] = 0
        return out

    @property
    def is_silent(self) -> bool:
        """Whether nothing sounds and nothing will."""
        return self.mode == "stopped" and not self._sum.any()

    def _move(self) -> None:
        self.position += HOP * self.speed
        end = len(self.samples) if self.loop is None else min(self.loop[1], len(self.samples))
        if self.position < end:
            return
        if self.loop is None or self.loop[0] >= end:
            self.mode, self.position = "stopped", float(max(0, end - 1))
        else:
            self.position = self.loop[0] + (self.position - end) % (end - self.loop[0])

    def _grain(self, start: int) -> Any:
        """A tapered grain from this sample on; outside the sound there is silence."""
        first, last = max(start, 0), min(start + GRAIN, len(self.samples))
        grain = np.zeros(GRAIN, np.float32)
        if first < last:
            part = slice(first - start, last - start)
            grain[part] = TAPER[part] * self.samples[first:last]
        return grain
