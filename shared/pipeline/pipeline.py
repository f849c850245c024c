"""Sound to pictures: the one pipeline that the stage and the studio drive.

    samples ─ gain ─ Analyzer ─ gate ─ Voice: standardise ─ smooth ─ decimate ─ weight, offset ─ regressor ─ smooth ─ Tick

A preset has a voice; in a cross-fade there are several. The `Painter` makes the image of `Tick.picture`.

Everything that a picture depends on stands in its tick, so that a picture left out on stage changes no other picture.
"""

from bisect import insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared import controls
from shared.audio.descriptors import DESCRIPTORS, Analyzer
from shared.audio.framing import tail
from shared.controls import ControlChange
from shared.mapping.decimation import ticks_within
from shared.mapping.gate import Gate
from shared.mapping.scaling import Standardizer
from shared.picture import Picture
from shared.pipeline.exchanges import Exchange, Steer, UseMapping, UseScaler
from shared.pipeline.state import LayerState, PipelineState, Waiting
from shared.pipeline.voice import Voice
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.preset.preset import Preset
from shared.stage import HOP, SAMPLE_RATE

BLACKOUT_SECONDS = Fraction(1, 2)  # from full brightness to black


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


@dataclass
class _Layer:
    """A preset that plays, or fades out under the one that was called after it."""

    preset: Preset
    voice: Voice
    values: dict[str, controls.Value]
    began: int
    """The tick at which its fade over the layer under it began."""
    fade: int
    """Ticks that the fade takes."""
    _vectors: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def set(self, name: str, value: controls.Value) -> None:
        """A control gets a value."""
        self.values[name] = value
        self._vectors = None

    @property
    def weight_and_offset(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of its inputs (d,), as its controls have them."""
        if self._vectors is None:
            inputs = self.preset.settings.inputs
            weight, offset = (
                np.array([self.values[f"{control}/{name}"] for name in inputs]) for control in ("weight", "offset")
            )
            self._vectors = weight, offset
        return self._vectors


class Pipeline:
    """Sound in blocks of any size to ticks; the sample count is the only clock.

    scaler: what standardises the sound from the beginning, as `UseScaler` does later; None: the presets' own.
    """

    def __init__(self, preset: Preset, fps: Fraction | int = 30, scaler: Standardizer | None = None) -> None:
        self.fps = Fraction(fps)
        self._values = {name: value for name, value in preset.controls.items() if not _belongs_to_preset(name)}
        self._waiting: dict[str, list[Waiting]] = {"samples": [], "frames": [], "ticks": []}
        self._asked = 0
        self._analyzer = Analyzer()
        self._scaler = scaler
        self._layers = [self._layer(preset, 0)]
        voice, columns = self._top.voice, _columns(preset)
        initial = np.zeros(len(DESCRIPTORS))
        if scaler is None:
            initial[columns] = voice.initial
        else:  # the mean sound is this source's
            initial[:] = scaler.mean
        self._gate = Gate(initial)
        self._sounding = initial  # the newest gated frame
        self._black = Fraction(0)  # how far a blackout has come, 0 to 1
        self._steer = Steer(None)
        self._last: Picture | None = None
        self._last_presets: tuple[Preset, ...] = ()
        self._first_change: int | None = None  # the sample of the earliest
        self.samples = self.frames = self.ticks = 0  # taken in, analysed, given out

    @property
    def latency(self) -> int:
        """Samples between the end of a tick's interval and the arrival of the last sample that it needs, at most."""
        return self._analyzer.latency + self._top.voice.latency

    @property
    def preset(self) -> Preset:
        """The one that plays."""
        return self._top.preset

    @property
    def values(self) -> Mapping[str, controls.Value]:
        """The controls as they stand now, by their full names."""
        return self._values | self._top.values

    @property
    def sounding(self) -> Float64[np.ndarray, "23"]:
        """The newest gated frame: raw descriptors."""
        return self._sounding

    @property
    def gate_open(self) -> bool:
        """Whether the newest frame was loud enough to pass the gate."""
        return self._gate.open

    @property
    def presets(self) -> tuple[Preset, ...]:
        """Those that are to be seen: the one that plays, in a cross-fade those under it, and those of a frozen picture."""
        return (*self._last_presets, *(layer.preset for layer in self._layers))

    def schedule(self, change: ControlChange) -> int:
        """A control changes at a sample that has not been taken in yet; SettingError for what the table does not allow.

        Gives the sample at which it acts: where the one that was named has gone by, the next one.
        """
        row, _ = controls.find_control(change.name, self._top.preset.settings.inputs)
        checked = replace(change, value=row.checked(change.value))
        return self._wait(row.acts_on, change.sample, checked)

    def exchange(self, sample: int, what: Exchange) -> int:
        """Exchange something larger than a control at a sample that has not been taken in yet; gives it, as `schedule`."""
        return self._wait("frames" if isinstance(what, Preset | UseScaler) else "ticks", sample, what)

    def process(self, block: Float32[np.ndarray, "n"]) -> list[Tick]:
        """Take in n samples; the ticks that are now complete."""
        ticks: list[Tick] = []
        while len(block):
            self._apply("samples", self.samples)
            later = self._waiting["samples"]
            n = min(len(block), later[0][0] - self.samples) if later else len(block)
            gain = self._number("gain")
            louder = block[:n] if gain == 0 else block[:n] * np.float32(10 ** (gain / 20))
            self.samples += n
            ticks += self._follow(self._analyzer.process(louder))
            block = block[n:]
        return ticks

    def process_frames(self, frames: Float64[np.ndarray, "m 23"]) -> list[Tick]:
        """Take in m frames of raw descriptors that were analysed elsewhere, each for 512 samples."""
        self.samples += len(frames) * HOP
        return self._follow(frames)

    def finish(self, pictures: int) -> list[Tick]:
        """The sound has ended: the ticks still owed, so that `pictures` have been given in all."""
        ticks: list[Tick] = []
        while self.ticks < pictures:
            ticks += self.process(np.zeros(tail(self.samples), np.float32))
        return [tick for tick in ticks if tick.number < pictures]

    def state(self) -> PipelineState:
        """Everything it remembers, between two blocks."""
        return PipelineState(
            self.fps,
            self.samples,
            self.frames,
            self.ticks,
            tuple(
                LayerState(
                    of.preset, of.voice.mapping, of.voice.pairs, of.voice.state(), {**of.values}, of.began, of.fade
                )
                for of in self._layers
            ),
            {**self._values},
            {level: tuple(entries) for level, entries in self._waiting.items()},
            self._first_change,
            self._analyzer.state(),
            self._gate.state(),
            self._sounding.copy(),
            self._scaler,
            self._black,
            self._steer,
            self._last,
            self._last_presets,
        )

    @classmethod
    def restored(cls, state: PipelineState, fps: Fraction | None = None) -> "Pipeline":
        """A pipeline that goes on where `state()` was taken; at another tick rate, with the same sound and the same fades."""
        pipeline = cls(state.layers[-1].preset, state.fps if fps is None else fps)
        pipeline._take_over(state)
        return pipeline

    def _take_over(self, state: PipelineState) -> None:
        other_rate = self.fps != state.fps
        self.samples, self.frames, self.ticks = state.samples, state.frames, state.ticks
        if other_rate:
            self.ticks = ticks_within(state.frames * HOP, self.fps)
        self._values = {**state.values}
        self._waiting = {level: list(entries) for level, entries in state.waiting.items()}
        self._asked = 1 + max((of.asked for entries in state.waiting.values() for of in entries), default=0)
        self._first_change = state.first_change
        self._analyzer.restore(state.analyzer)
        self._gate.restore(state.gate)
        self._sounding = state.sounding.copy()
        self._scaler = state.scaler
        self._black, self._steer = state.black, state.steer
        self._last, self._last_presets = state.last, state.last_presets
        speed = self.fps / state.fps
        self._layers = []
        for of in state.layers:
            voice = self._voice(of.preset, of.mapping, of.pairs)
            voice.restore(of.voice, state.frames if other_rate else None)
            fade = round(of.fade * speed) if self._layers else 0  # the lowest lies over nothing
            self._layers.append(_Layer(of.preset, voice, {**of.values}, int(of.began * speed), fade))

    def _follow(self, frames: Float64[np.ndarray, "m 23"]) -> list[Tick]:
        ticks: list[Tick] = []
        while len(frames):
            self._apply("frames", self.frames * HOP)
            later = self._waiting["frames"]
            n = min(len(frames), -(-later[0][0] // HOP) - self.frames) if later else len(frames)
            self._gate.threshold_db = self._number("gate")
            gated = self._gate.process(frames[:n])
            self._sounding = gated[-1].copy()
            self.frames += n
            layers = list(self._layers)  # a tick may end some
            rows = [layer.voice.ticks(gated, _float(layer.values["smoothing"])) for layer in layers]
            ticks += [self._tick(dict(zip(map(id, layers), row, strict=True))) for row in zip(*rows, strict=True)]
            frames = frames[n:]
        return ticks

    def _tick(self, rows: dict[int, Float64[np.ndarray, "d"]]) -> Tick:
        """The next tick; `rows`: the descriptors by the `id` of their layer."""
        last, rest = divmod((self.ticks + 1) * SAMPLE_RATE * self.fps.denominator, self.fps.numerator)
        self._apply("ticks", last)  # its end, down to a whole sample
        done = [n for n, layer in enumerate(self._layers) if self.ticks - layer.began >= layer.fade]
        self._layers = self._layers[done[-1] :]  # what lies under a complete layer is not seen any more
        level = self._level(last, last + (rest > 0))
        picture: Picture | None = None
        for layer in self._layers:
            row, values = rows[id(layer)], layer.values
            hold = values["range"] == "hold"
            reading = layer.voice.read(row, *layer.weight_and_offset, hold, _float(values["latent_smoothing"]))
            picture = self._look(layer, reading.latent, level, picture)
        assert picture is not None  # there is always a layer
        if self._values["freeze"] and self._last is not None:
            picture = replace(self._last, level=level)
        else:
            self._last_presets = tuple(layer.preset for layer in self._layers)
        self._last = picture
        self.ticks += 1
        return Tick(self.ticks - 1, row, picture, reading.nearest, reading.distance)

    def _look(
        self, layer: _Layer, latent: Float32[np.ndarray, "latent"], level: float, under: Picture | None
    ) -> Picture:
        space = layer.voice.mapping.space
        if layer is self._top and self._steer.latent is not None:
            latent, space = self._steer.latent, self._steer.space
        values, translate = layer.values, layer.values["translate"]
        assert isinstance(translate, tuple)
        mix = 1.0 if under is None else (self.ticks - layer.began) / layer.fade
        truncation, rotate = _float(values["truncation"]), _float(values["rotate"])
        return Picture(layer.preset.generator_sha256, latent, space, truncation, rotate, translate, level, under, mix)

    def _level(self, last: int, end: int) -> float:
        """Brightness of a tick that ends at a sample: down (the last that acts on it) and up to a whole one."""
        if self._values["blackout"] or self._black:
            step = 1 / (BLACKOUT_SECONDS * self.fps)
            up_or_down = step if self._values["blackout"] else -step
            self._black = min(max(self._black + up_or_down, Fraction(0)), Fraction(1))
        sounded = self._gate.first is not None and self._gate.first * HOP < end
        changed = self._first_change is not None and self._first_change <= last
        begun = sounded or changed or self._top.values["start"] != "black"
        return self._number("fade") * float(1 - self._black) if begun else 0.0

    @property
    def _top(self) -> _Layer:
        return self._layers[-1]

    def _layer(self, preset: Preset, fade: int) -> _Layer:
        values = {name: value for name, value in preset.controls.items() if _belongs_to_preset(name)}
        return _Layer(preset, self._voice(preset, preset.mapping, preset.pairs), values, 0, fade)

    def _voice(self, preset: Preset, mapping: LearnedMapping, pairs: Pairs) -> Voice:
        voice = Voice(mapping, pairs, _columns(preset), self.fps)
        voice.use_scaler(self._scaler)
        return voice

    def _wait(self, level: str, sample: int, what: ControlChange | Exchange) -> int:
        sample = max(sample, self.samples + 1 if self.samples else 0)
        insort(self._waiting[level], Waiting(sample, self._asked, what), key=lambda entry: entry[:2])
        self._asked += 1
        self._first_change = sample if self._first_change is None else min(sample, self._first_change)
        return sample

    def _apply(self, level: str, time: int) -> None:
        """Do what acts at or before a sample. What is meant for a preset that is still to come waits for it."""
        coming = min((asked for _, asked, what in self._waiting["frames"] if isinstance(what, Preset)), default=None)
        later = coming if level == "ticks" else None
        self._act(
            level, lambda of: of.sample <= time and not (later is not None and of.asked > later and _of_preset(of))
        )

    def _act(self, level: str, ready: Callable[[Waiting], bool]) -> None:
        if not (waiting := self._waiting[level]):
            return
        now = [of for of in waiting if ready(of)]
        self._waiting[level] = [of for of in waiting if not ready(of)]
        for sample, asked, what in now:
            match what:
                case ControlChange(name=name, value=value):
                    if name in self._values:
                        self._values[name] = value
                    elif name in self._top.values:  # a descriptor of a preset that has gone is nobody's
                        self._top.set(name, value)
                case Preset() as preset:
                    # what was asked for before is meant for the one that has played: it would act on the tick at work
                    self._act("ticks", partial(_before, sample=sample, asked=asked))
                    layer = self._layer(preset, round(_float(preset.controls["crossfade"]) * self.fps))
                    layer.voice.listen_to(self._sounding, self.frames)
                    layer.began = self.ticks
                    self._layers.append(layer)
                case Steer() as steer:
                    self._steer = steer
                case UseMapping(mapping, pairs):
                    self._top.voice.mapping, self._top.voice.pairs = mapping, pairs
                case UseScaler(scaler):
                    self._scaler = scaler
                    for layer in self._layers:
                        layer.voice.use_scaler(scaler)

    def _number(self, name: str) -> float:
        return _float(self._values[name])


def _of_preset(of: Waiting) -> bool:
    """Whether it acts on the preset that plays, and not on the show."""
    return isinstance(of.what, UseMapping) or (isinstance(of.what, ControlChange) and _belongs_to_preset(of.what.name))


def _before(of: Waiting, sample: int, asked: int) -> bool:
    return of.sample <= sample and of.asked < asked and _of_preset(of)


def _columns(preset: Preset) -> list[int]:
    return [DESCRIPTORS.index(name) for name in preset.settings.inputs]


def _belongs_to_preset(name: str) -> bool:
    return controls.CONTROLS[name.partition("/")[0]].home == "preset"


def _float(value: controls.Value) -> float:
    assert isinstance(value, float)
    return value
