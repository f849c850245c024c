"""A preset while it plays: its voice, its controls as they stand, its place in a cross-fade."""

from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from jaxtyping import Float32, Float64

from shared.audio.descriptors import WIDE
from shared.controls import Value, weight_and_offset
from shared.mapping.scaling import Standardizer
from shared.pipeline.dynamics import Dynamics
from shared.pipeline.schedule import belongs_to_preset
from shared.pipeline.state import PlayingPresetState
from shared.pipeline.voice import Voice, without_outputs
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.preset.preset import Preset

Vector = Float64[np.ndarray, "d"]
Motion = tuple[float, float, float]
"""Of the content: picture widths right and down, degrees counter-clockwise."""
STILL: Motion = (0.0, 0.0, 0.0)


@dataclass
class PlayingPreset:
    """A preset that plays, or that fades out below the next one."""

    preset: Preset
    voice: Voice
    values: dict[str, Value]
    start_tick: int
    """The tick at which it begins to fade in over the preset below."""
    fade_ticks: int
    """Length of that fade."""
    motion: Motion = STILL
    """Where drift and spin have brought the content."""
    _vectors: tuple[Vector, Vector] | None = field(default=None, repr=False)
    _dynamics: Dynamics | None = field(default=None, repr=False)

    @classmethod
    def start(cls, preset: Preset, fps: Fraction, scaler: Standardizer | None) -> "PlayingPreset":
        """A preset as its file has it, from tick 0 on."""
        values = _preset_values(preset)
        voice = _new_voice(preset, preset.mapping, preset.pairs, fps, scaler)
        return cls(preset, voice, values, 0, 0)

    def state(self) -> PlayingPresetState:
        """A copy of everything that it remembers."""
        mapping, pairs = self.voice.mapping, self.voice.pairs
        return PlayingPresetState(
            self.preset,
            mapping,
            pairs,
            self.voice.state(),
            {**self.values},
            self.start_tick,
            self.fade_ticks,
            self.motion,
        )

    @classmethod
    def restored(
        cls,
        state: PlayingPresetState,
        fps: Fraction,
        scaler: Standardizer | None,
        speed: Fraction,
        frames: int | None,
    ) -> "PlayingPreset":
        """Go on where `state()` was taken. speed: `fps` over the rate of the state; frames: see `Voice.restore`."""
        voice = _new_voice(state.preset, state.mapping, state.pairs, fps, scaler)
        voice.restore(state.voice, frames)
        start_tick, fade_ticks = int(state.start_tick * speed), round(state.fade_ticks * speed)
        values = {**_preset_values(state.preset), **state.values}  # an older recording lacks newer controls
        return cls(state.preset, voice, values, start_tick, fade_ticks, state.motion)

    def with_mapping(
        self, mapping: LearnedMapping, pairs: Pairs, fps: Fraction, scaler: Standardizer | None
    ) -> "PlayingPreset":
        """The same preset, as it plays now, with another mapping."""
        state = self.state()
        voice = state.voice
        if mapping.regressor.sizes[-1] != self.voice.mapping.regressor.sizes[-1]:
            voice = without_outputs(voice)
        return self.restored(replace(state, mapping=mapping, pairs=pairs, voice=voice), fps, scaler, Fraction(1), None)

    def set(self, name: str, value: Value) -> None:
        """Change one of its controls."""
        self.values[name] = value
        self._vectors = self._dynamics = None

    def advance(self, fps: Fraction) -> None:
        """Let drift and spin act for the length of a tick."""
        self.motion = moved(self.motion, self.values["drift"], self.values["spin"], fps)

    @property
    def dynamics(self) -> Dynamics:
        """How its voice moves."""
        if self._dynamics is None:
            self._dynamics = Dynamics.from_values(self.values, self.preset.settings.inputs)
        return self._dynamics

    @property
    def weight_and_offset(self) -> tuple[Vector, Vector]:
        """Weight and offset of its inputs, each (d,)."""
        if self._vectors is None:
            self._vectors = weight_and_offset(self.values, self.preset.settings.inputs)
        return self._vectors


def moved(motion: Motion, drift: Value, spin: Value, fps: Fraction) -> Motion:
    """A motion one tick later, with values of the controls `drift` and `spin`."""
    assert isinstance(drift, tuple)
    assert isinstance(spin, float)
    x, y, angle = motion
    seconds = float(1 / fps)
    return x + drift[0] * seconds, y + drift[1] * seconds, (angle + spin * seconds) % 360


def input_columns(preset: Preset) -> list[int]:
    """The columns of an analysed frame that a preset takes as inputs."""
    return [WIDE.index(name) for name in preset.settings.inputs]


def _preset_values(preset: Preset) -> dict[str, Value]:
    return {name: value for name, value in preset.controls.items() if belongs_to_preset(name)}


def _new_voice(
    preset: Preset, mapping: LearnedMapping, pairs: Pairs, fps: Fraction, scaler: Standardizer | None
) -> Voice:
    voice = Voice(mapping, pairs, input_columns(preset), fps)
    voice.use_scaler(scaler)
    return voice


def shown_label(learned: Float32[np.ndarray, "classes"] | None, value: Value) -> Float32[np.ndarray, "classes"] | None:
    """Weights of the classes: those of the sound, or by a number as value of the control `label`; None without classes."""
    if learned is None or not isinstance(value, float):
        return learned
    # Between two numbers both classes take part; above the last one, the last alone.
    distance = np.abs(np.arange(len(learned)) - min(value, len(learned) - 1))
    return np.asarray(np.maximum(1 - distance, 0), np.float32)
