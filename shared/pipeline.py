"""Sound to pictures: the one pipeline that the stage and the studio drive.

    samples ─ gain ─ Analyzer ─ gate ─ select ─ standardise ─ smooth ─ decimate ─ weight, offset ─ regressor ─ smooth ─ Tick
                                                                                                                  │
                                                                                               Painter: Tick.picture ─ image

Everything that a picture depends on stands in its tick, so that a picture left out on stage changes no other picture.
"""

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared import controls
from shared.audio.descriptors import DESCRIPTORS, Analyzer
from shared.audio.framing import tail
from shared.controls import ControlChange
from shared.errors import PresetError
from shared.image.latents import transform_matrix
from shared.mapping.decimation import Decimator
from shared.mapping.gate import Gate
from shared.mapping.learned import LearnedMapping
from shared.mapping.pairs import LatentSpace
from shared.mapping.smoothing import LeakyIntegrator
from shared.preset import Preset
from shared.stage import HOP, SAMPLE_RATE

if TYPE_CHECKING:
    import torch

    from shared.image.generator import Generator

BLACKOUT_SECONDS = Fraction(1, 2)  # from full brightness to black


@dataclass(frozen=True, eq=False)
class Picture:
    """All that an image is a function of, besides the generator."""

    latent: Float32[np.ndarray, "latent"]
    space: LatentSpace
    truncation: float
    rotate: float
    translate: tuple[float, float]
    level: float
    """Brightness from 0 (black) to 1."""


@dataclass(frozen=True, eq=False)
class Tick:
    """One control-rate step: its number, the smoothed standardised descriptors (d,), and the picture they ask for."""

    number: int
    descriptors: Float64[np.ndarray, "d"]
    picture: Picture
    nearest: str
    """The name of the nearest pair."""
    distance: float
    """From it, in deviations."""


class Pipeline:
    """Sound in blocks of any size to ticks; the sample count is the only clock."""

    def __init__(self, preset: Preset, fps: Fraction | int = 30) -> None:
        self.fps = Fraction(fps)
        self.inputs = preset.settings.inputs
        self.mapping = preset.mapping
        self.pairs = preset.pairs
        self._columns = [DESCRIPTORS.index(name) for name in self.inputs]
        self._values = dict(preset.controls)
        self._waiting: dict[str, list[ControlChange]] = {"samples": [], "frames": [], "ticks": []}
        initial = np.zeros(len(DESCRIPTORS))
        initial[self._columns] = self.mapping.scaler.mean
        self._analyzer = Analyzer()
        self._gate = Gate(initial, float(self._number("gate")))
        self._smoothing = LeakyIntegrator(self._number("smoothing"))
        self._decimator = Decimator(self.fps)
        self._latent_smoothing = LeakyIntegrator(self._number("latent_smoothing"))
        self._black = Fraction(0)  # how far a blackout has come, 0 to 1
        self._frozen: Picture | None = None
        self._within_reach: NDArray[np.float32] | None = None  # the last latent of a sound like those that were paired
        self._first_change: int | None = None  # the sample of the earliest
        self.samples = self.frames = self.ticks = 0  # taken in, analysed, given out

    @property
    def latency(self) -> int:
        """Samples between the end of a tick's interval and the arrival of the last sample that it needs, at most."""
        return self._analyzer.latency + self._decimator.latency

    @property
    def values(self) -> Mapping[str, controls.Value]:
        """The controls as they stand now, by their full names."""
        return dict(self._values)

    def schedule(self, change: ControlChange) -> None:
        """A control changes at a sample that has not been taken in yet; SettingError for what the table does not allow."""
        row, _ = controls.find(change.name, self.inputs)
        checked = replace(
            change, value=row.checked(change.value), sample=max(change.sample, self.samples + 1 if self.samples else 0)
        )
        insort(self._waiting[row.acts_on], checked, key=lambda c: c.sample)
        self._first_change = min(checked.sample, checked.sample if self._first_change is None else self._first_change)

    def process(self, block: Float32[np.ndarray, "n"]) -> list[Tick]:
        """Take in n samples; the ticks that are now complete."""
        ticks: list[Tick] = []
        while len(block):
            self._apply("samples", self.samples)
            later = self._waiting["samples"]
            n = min(len(block), later[0].sample - self.samples) if later else len(block)
            gain = self._number("gain")
            louder = block[:n] if gain == 0 else block[:n] * np.float32(10 ** (gain / 20))
            self.samples += n
            ticks += self.process_frames(self._analyzer.process(louder))
            block = block[n:]
        return ticks

    def process_frames(self, frames: Float64[np.ndarray, "m 23"]) -> list[Tick]:
        """Take in m analysis frames (raw descriptors), from `process` or analysed elsewhere."""
        ticks: list[Tick] = []
        while len(frames):
            self._apply("frames", self.frames * HOP)
            later = self._waiting["frames"]
            n = min(len(frames), -(-later[0].sample // HOP) - self.frames) if later else len(frames)
            self._gate.threshold_db = self._number("gate")
            self._smoothing.coefficient = self._number("smoothing")
            sounding = self._gate.process(frames[:n])[:, self._columns]
            self.frames += n
            smooth = self._smoothing.process(self.mapping.scaler.process(sounding))
            ticks += [self._tick(row) for row in self._decimator.process(smooth)]
            frames = frames[n:]
        return ticks

    def finish(self, pictures: int) -> list[Tick]:
        """The sound has ended: the ticks still owed, so that `pictures` have been given in all."""
        ticks: list[Tick] = []
        while self.ticks < pictures:
            ticks += self.process(np.zeros(tail(self.samples), np.float32))
        self.ticks -= max(0, self.ticks - pictures)
        return [tick for tick in ticks if tick.number < pictures]

    def _tick(self, descriptors: Float64[np.ndarray, "d"]) -> Tick:
        end = Fraction((self.ticks + 1) * SAMPLE_RATE) / self.fps
        self._apply("ticks", end)
        weight = np.array([self._number(f"weight/{name}") for name in self.inputs])
        offset = np.array([self._number(f"offset/{name}") for name in self.inputs])
        latent = self.mapping.regressor.process((descriptors * weight + offset)[None])[0]
        nearest, distance = self.pairs.nearest(descriptors)
        if self._values["range"] == "free" or distance <= self.mapping.reach or self._within_reach is None:
            self._within_reach = latent
        self._latent_smoothing.coefficient = self._number("latent_smoothing")
        picture = self._look(self._latent_smoothing.process(self._within_reach[None])[0], end)
        self.ticks += 1
        return Tick(self.ticks - 1, descriptors, picture, self.pairs.names[nearest], distance)

    def _look(self, latent: Float32[np.ndarray, "latent"], end: Fraction) -> Picture:
        step = 1 / (BLACKOUT_SECONDS * self.fps)
        up_or_down = step if self._values["blackout"] else -step
        self._black = min(max(self._black + up_or_down, Fraction(0)), Fraction(1))
        level = self._number("fade") * float(1 - self._black) if self._begun(end) else 0.0
        if self._values["freeze"] and self._frozen is not None:
            return replace(self._frozen, level=level)
        translate = self._values["translate"]
        assert isinstance(translate, tuple)
        self._frozen = Picture(
            latent, self.mapping.space, self._number("truncation"), self._number("rotate"), translate, level
        )
        return self._frozen

    def _begun(self, end: Fraction) -> bool:
        """Whether anything sounded or changed before the end of a tick, or the preset does not start in black."""
        sounded = self._gate.first is not None and self._gate.first * HOP < end
        changed = self._first_change is not None and self._first_change <= end
        return sounded or changed or self._values["start"] != "black"

    def _apply(self, level: str, time: int | Fraction) -> None:
        waiting = self._waiting[level]
        while waiting and waiting[0].sample <= time:
            change = waiting.pop(0)
            self._values[change.name] = change.value

    def _number(self, name: str) -> float:
        value = self._values[name]
        assert isinstance(value, float)
        return value


class Painter:
    """Pictures to images: the generator, and what comes after it."""

    def __init__(self, generator: "Generator", mapping: LearnedMapping) -> None:
        wanted = {"z": generator.z_dim, "w": generator.w_dim}[mapping.space]
        if mapping.regressor.sizes[-1] != wanted:
            raise PresetError(
                f"the mapping gives {mapping.regressor.sizes[-1]} numbers, the generator takes {wanted} in {mapping.space}; "
                "pair and train with this generator"
            )
        self.generator = generator

    def paint(self, picture: Picture) -> "torch.Tensor":
        """The image (H, W, 3) uint8, on the generator's device."""
        import torch

        latent = torch.from_numpy(picture.latent)[None]
        if picture.space == "z":
            w = self.generator.map(latent, psi=picture.truncation)
        else:
            w = self.generator.truncate(self.generator.broadcast(latent), picture.truncation)
        moved = picture.rotate != 0 or picture.translate != (0.0, 0.0)
        image = self.generator.synthesize(w, transform_matrix(picture.rotate, picture.translate) if moved else None)
        if picture.level >= 1:
            return image
        return (image.to(torch.float32) * picture.level + 0.5).to(torch.uint8)
