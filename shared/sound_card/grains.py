"""Overlap-add of short grains: play, scrub, loop and slow motion differ only in where the next grain begins.

Grains of 2048 samples, tapered by a Hann window, begin every 512 samples of the output; four overlapping windows add up to
one. At speed 1 the output therefore equals the sound, to float32 rounding. Lower speeds keep the pitch (Roads 2001,
Microsound, chapter 3).

The sound card's process loads this module by its path, so it imports nothing else of the program.
"""

import mmap
from queue import SimpleQueue
from typing import Any

import numpy as np
import soxr

RATE = 44100  # Hz
HOP, GRAIN = 512, 2048
OVERLAP = GRAIN // HOP
TAPER = ((1 - np.cos(2 * np.pi * np.arange(GRAIN) / GRAIN)) / OVERLAP).astype(np.float32)
"""A periodic Hann window, scaled: four of them, 512 samples apart, add up to one."""
SLOWEST, FASTEST = 1 / 8, 1.0
SPREAD = 400  # samples to either side; identical grains of a still point would buzz at 86 Hz
GOLDEN = (np.sqrt(5) - 1) / 2  # its multiples modulo 1 are evenly distributed for any count


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
        self._sum = np.zeros(GRAIN, np.float32)  # sum of the grains, from the next sample on
        self._still = 0  # number of grains of a still point so far

    def play(self, position: float) -> None:
        """Play from a sample on. Sample 0 starts at full level; other positions fade in over 35 ms."""
        self.position, self.mode = float(position), "playing"
        if position < HOP and self.speed == 1:
            for before in range(OVERLAP - 1, 0, -1):  # the grains that overlap the beginning of the sound
                tail = self._grain(int(position) - before * HOP)[before * HOP :]
                self._sum[: len(tail)] += tail

    def scrub(self, position: float) -> None:
        """Stay at a sample and hear it."""
        self.position, self.mode = float(position), "scrubbing"

    def stop(self) -> None:
        """Start no more grains; the present ones fade out within 35 ms."""
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
        """Whether nothing sounds, and nothing is about to."""
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
        """A tapered grain from this sample on, with silence outside the sound."""
        first, last = max(start, 0), min(start + GRAIN, len(self.samples))
        grain = np.zeros(GRAIN, np.float32)
        if first < last:
            part = slice(first - start, last - start)
            grain[part] = TAPER[part] * self.samples[first:last]
        return grain


class GrainVoice:
    """Grains controlled by commands, in blocks at the device's rate (Hz). Commands act at the beginning of a block.

    last       the last result of `fill`: command number, position, speed, whether it moves
    """

    def __init__(self, rate: int) -> None:
        self._commands: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.last = (0, 0.0, 0.0, False)
        self._engine, self._number = Grains(np.zeros(0, np.float32)), 0
        self._volume = self._wanted = 1.0
        self._resampler = None if rate == RATE else soxr.ResampleStream(RATE, rate, 1, dtype="float32")
        self._made = np.zeros(0, np.float32)  # resampled, not played yet

    def command(self, command: dict[str, Any]) -> None:
        """Give a command (see process.py) from another thread than that of `fill`.

        A file is opened and read ahead here, so that `fill`, which must not be late, does not wait for the disk.
        """
        if "load" in command:
            with open(command["load"], "rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if hasattr(mmap, "MADV_WILLNEED"):
                content.madvise(mmap.MADV_WILLNEED)
            command = {**command, "load": np.frombuffer(content, np.float32)}
        self._commands.put(command)

    def fill(self, outdata: Any) -> tuple[int, float, float, bool] | None:
        """Fill (n, channels). Return number, position, speed and whether it moves; None if nothing is new."""
        is_new = False
        while not self._commands.empty():
            self._obey(self._commands.get())
            is_new = True
        engine = self._engine
        was_silent = engine.is_silent
        report = (self._number, engine.position, engine.speed * (engine.mode == "playing"), engine.mode != "stopped")
        if was_silent and not len(self._made):
            outdata[:] = 0
            self._volume = self._wanted
        else:
            samples = self._samples(len(outdata))
            ramp = np.linspace(self._volume, self._wanted, len(outdata), endpoint=False, dtype=np.float32)
            self._volume = self._wanted
            outdata[:] = (samples * ramp)[:, None]
        is_new = is_new or not was_silent
        self.last = report
        return report if is_new else None

    def _samples(self, count: int) -> Any:
        if self._resampler is None:
            return self._engine.block()  # as long as a block
        while len(self._made) < count:
            piece = self._resampler.resample_chunk(self._engine.block())
            self._made = np.concatenate([self._made, piece])
        samples, self._made = self._made[:count], self._made[count:]
        if self._engine.is_silent:
            self._made = self._made[:0]
        return samples

    def _obey(self, command: dict[str, Any]) -> None:
        engine = self._engine
        self._number = command["number"]
        if "load" in command:
            engine.stop()
            engine.samples = command["load"]
        if "speed" in command:
            engine.speed = command["speed"]
        if "loop" in command:
            engine.loop = None if command["loop"] is None else tuple(command["loop"])
        self._wanted = command.get("volume", self._wanted)
        if "play" in command:
            engine.play(command["play"])
        elif "scrub" in command:
            engine.scrub(command["scrub"])
        elif "stop" in command:
            engine.stop()
