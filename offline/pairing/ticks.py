"""The ticks of a sound of the corpus, one by one in any order: the pictures that `ponticello render` makes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from shared.controls import Order, Value, weight_and_offset
from shared.mapping.decimation import ticks_within
from shared.mapping.kernels import Smoothing
from shared.picture import Picture
from shared.pipeline.dynamics import Dynamics
from shared.pipeline.playing import STILL, Motion, input_columns, moved, shown_label
from shared.pipeline.voice import Heard, Reading, Voice
from shared.preset import Preset
from shared.preset.corpus import Corpus
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.stage import HOP, SAMPLE_RATE, State

FPS = Fraction(30)
FRAMES_AT_ONCE = 4096  # analysed between two looks at `is_wanted`
KEPT_EVERY = 256  # ticks: states to go back to, where pictures depend on those before


@dataclass(frozen=True, eq=False)
class Score:
    """All that decides the pictures of a sound. settings: every control of the preset, by full name."""

    preset: Preset
    corpus: Corpus
    sound: int
    mapping: LearnedMapping
    pairs: Pairs
    settings: Mapping[str, Value]

    def sounds_like(self, other: "Score | None") -> bool:
        """Whether the smoothed descriptors of the ticks are the same."""
        return (
            other is not None
            and (self.corpus, self.sound) == (other.corpus, other.sound)
            and self.mapping.scaler.equals(other.mapping.scaler)
            and self.hearing == other.hearing
        )

    @cached_property
    def dynamics(self) -> Dynamics:
        """How the voice moves."""
        return Dynamics.from_values(self.settings, self.preset.settings.inputs)

    @property
    def hearing(self) -> tuple[Order, Smoothing]:
        """What decides the descriptors of the ticks."""
        return self.dynamics.order, self.dynamics.smoothing

    def looks_like(self, other: "Score | None") -> bool:
        """Whether the pictures are the same."""
        return (
            other is not None
            and self.sounds_like(other)
            and self.mapping is other.mapping
            and (self.pairs is other.pairs or self.pairs.digest == other.pairs.digest)
            and self.settings == other.settings
        )


class StudioTick(NamedTuple):
    """A picture, and the name of the pair nearest to its sound."""

    picture: Picture
    nearest: str


class Ticks:
    """Pictures of the ticks of a score. Analysed as far as they are asked for; what is known is kept.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._score: Score | None = None
        self._rows: list[Heard] = []
        self._states: dict[int, State] = {}
        self._speed: tuple[Value, Value] | None = None
        self._motions: list[Motion] = []  # by tick, at this drift and spin

    def tick(self, score: Score, number: int, is_wanted: Callable[[], bool] = lambda: True) -> StudioTick | None:
        """The picture of tick `number` at 30 a second; the last one where the sound is shorter.

        is_wanted: asked now and then; None is returned where it says no. A seek far ahead takes 0.1 ms for each second.
        """
        if not score.sounds_like(self._score):
            self._listen(score)
        if not score.looks_like(self._score):
            self._states = {}
            self._reader = self._voice(score)
            self._next = 0
        self._score = score
        number = min(number, ticks_within(len(self._frames) * HOP, FPS) - 1)
        while len(self._rows) <= number:
            block = self._frames[self._heard : self._heard + FRAMES_AT_ONCE]
            self._rows += self._listener.ticks(block, score.dynamics)
            self._heard += len(block)
            if not is_wanted():
                return None
        reading = self._read(score, number, is_wanted)
        return None if reading is None else StudioTick(self._picture(score, number, reading), reading.nearest)

    def _listen(self, score: Score) -> None:
        """Begin with another sound, or another smoothing."""
        rows = score.corpus.frames_of(score.sound)
        self._frames: Float64[np.ndarray, "n 23"] = score.corpus.descriptors[rows]
        self._listener = self._voice(score)
        first = int(score.corpus.frame[rows[0]])
        initial = np.zeros(self._frames.shape[1])
        initial[input_columns(score.preset)] = self._listener.initial
        self._frames[:first] = initial  # as the gate holds it before the first sound
        self._first_sample = first * HOP
        self._rows, self._heard = [], 0

    @staticmethod
    def _voice(score: Score) -> Voice:
        pairs = score.pairs.standardised_by(score.mapping.scaler)
        return Voice(score.mapping, pairs, input_columns(score.preset), FPS)

    def _read(self, score: Score, number: int, is_wanted: Callable[[], bool]) -> Reading | None:
        dynamics = score.dynamics
        weight, offset = weight_and_offset(score.settings, score.preset.settings.inputs)
        if not dynamics.depends_on_ticks_before:
            return self._reader.read(self._rows[number], weight, offset, dynamics)
        if number < self._next:
            self._go_back(score, number)
        reading = None
        for tick in range(self._next, number + 1):
            reading = self._reader.read(self._rows[tick], weight, offset, dynamics)
            self._next = tick + 1
            if self._next % KEPT_EVERY == 0:
                self._states[self._next] = self._reader.state()
                if not is_wanted():
                    return None
        return reading

    def _go_back(self, score: Score, number: int) -> None:
        start = number // KEPT_EVERY * KEPT_EVERY
        self._reader = self._voice(score)
        self._next = 0
        if start and start in self._states:
            self._reader.restore(self._states[start])
            self._next = start

    def _picture(self, score: Score, number: int, reading: Reading) -> Picture:
        end = -(-(number + 1) * SAMPLE_RATE * FPS.denominator // FPS.numerator)  # up to a whole sample
        has_begun = self._first_sample < end or score.settings["start"] != "black"
        translate = score.settings["translate"]
        assert isinstance(translate, tuple)
        x, y, angle = self._motion(score, number)
        return Picture(
            score.preset.generator_sha256,
            reading.latent,
            score.mapping.space,
            _float(score.settings["truncation"]),
            _float(score.settings["rotate"]) + angle,
            (translate[0] + x, translate[1] + y),
            1.0 if has_begun else 0.0,
            label=shown_label(reading.label, score.settings["label"]),
        )

    def _motion(self, score: Score, number: int) -> Motion:
        """Where drift and spin have brought the content at a tick."""
        speed = score.settings["drift"], score.settings["spin"]
        if speed != self._speed:
            self._speed, self._motions = speed, [STILL]
        while len(self._motions) <= number:
            self._motions.append(moved(self._motions[-1], *speed, FPS))
        return self._motions[number]


def _float(value: Value) -> float:
    assert isinstance(value, float)
    return value
