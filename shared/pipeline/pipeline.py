"""Sound to pictures: the one pipeline that the stage and the studio drive.

    samples ─ gain ─ Analyzer ─ gate ─ Voice: standardise ─ smooth ─ decimate ─ weight, offset ─ infer ─ follow ─ Tick

The `order` of a preset may exchange smoothing, decimation and inference: see `Dynamics`. A preset has a voice; in a
cross-fade there are several. The `Painter` makes the image of `Tick.picture`.

A tick holds everything that its picture depends on: a picture that is skipped on stage changes no other picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from jaxtyping import Float32, Float64

from shared import controls
from shared.audio.descriptors import DESCRIPTORS, SETS, WIDE, Analyzer
from shared.audio.framing import tail
from shared.controls import ControlChange
from shared.errors import PresetError, pasted
from shared.mapping.decimation import ticks_within
from shared.mapping.gate import Gate
from shared.mapping.scaling import Standardizer
from shared.picture import Picture
from shared.pipeline.exchanges import Exchange, Steer, UseMapping, UseScaler
from shared.pipeline.playing import PlayingPreset, input_columns, shown_label
from shared.pipeline.schedule import Level, Schedule, begins_fade, belongs_to_preset
from shared.pipeline.state import PipelineState
from shared.pipeline.voice import Heard, Reading
from shared.preset.preset import Preset
from shared.stage import HOP, SAMPLE_RATE

LOUDNESS = DESCRIPTORS.index("loudness")
BLACKOUT_SECONDS = Fraction(1, 2)  # from full brightness to black


@dataclass(frozen=True, eq=False)
class Tick:
    """One control-rate step: its number, the smoothed standardised descriptors (d,), and the picture they ask for."""

    number: int
    descriptors: Float64[np.ndarray, "d"]
    picture: Picture
    nearest: str
    """Name of the nearest pair."""
    distance: float
    """Distance to that pair, in deviations."""


class Pipeline:
    """Sound in blocks of any size to ticks; the sample count is the only clock.

    scaler: standardises the sound from the beginning, as `UseScaler` does later; None: the presets' own scalers.
    heard: the columns to analyse the sound for, more than the preset needs where later presets need more; None: the preset's.
    """

    def __init__(
        self,
        preset: Preset,
        fps: Fraction | int = 30,
        scaler: Standardizer | None = None,
        heard: tuple[str, ...] | None = None,
    ) -> None:
        self.fps = Fraction(fps)
        self._values = {name: value for name, value in preset.controls.items() if not belongs_to_preset(name)}
        self._schedule = Schedule()
        self._analyzer = Analyzer(heard or preset.settings.heard)
        self._scaler = scaler
        self._playing = [PlayingPreset.start(preset, self.fps, scaler)]  # the lowest of a cross-fade first
        initial = np.zeros(len(self.heard))
        initial[input_columns(preset)] = self._top.voice.initial
        if scaler is not None:  # the mean sound is this source's
            initial[: len(DESCRIPTORS)] = scaler.mean
        self._gate = Gate(initial, loudness=LOUDNESS)
        self._sounding = initial  # the newest gated frame
        self._black = Fraction(0)  # progress of a blackout, 0 to 1
        self._steer = Steer(None)
        self._last: Picture | None = None
        self._last_presets: tuple[Preset, ...] = ()
        self._first_change: int | None = None  # the sample of the earliest
        self.samples = self.frames = self.ticks = 0  # taken in, analysed, emitted

    @property
    def latency(self) -> int:
        """Samples between the end of a tick's interval and the arrival of the last sample that it needs, at most."""
        return self._analyzer.latency + self._top.voice.latency

    @property
    def preset(self) -> Preset:
        """The preset that plays."""
        return self._top.preset

    @property
    def values(self) -> Mapping[str, controls.Value]:
        """The current values of the controls, by full name."""
        return self._values | self._top.values

    @property
    def heard(self) -> tuple[str, ...]:
        """The columns that the sound is analysed for."""
        return self._analyzer.names

    @property
    def sounding(self) -> Float64[np.ndarray, "set"]:
        """The newest gated frame: the raw descriptors of the set of the preset that plays."""
        names = SETS[self.preset.settings.descriptors]
        if names == self.heard:
            return self._sounding
        return self._sounding[[self.heard.index(name) for name in names]]

    @property
    def gate_open(self) -> bool:
        """Whether the newest frame was loud enough to pass the gate."""
        return self._gate.open

    @property
    def presets(self) -> tuple[Preset, ...]:
        """The visible presets: the one that plays, those below it in a cross-fade, and those of a frozen picture."""
        return (*self._last_presets, *(playing.preset for playing in self._playing))

    @property
    def layers(self) -> int:
        """The presets and mappings that a cross-fade mixes, with those that are scheduled to fade in; 1 outside of one."""
        return len(self._playing) + sum(entry.begins_fade for entry in self._schedule.entries["frames"])

    def schedule(self, change: ControlChange) -> int:
        """Change a control at a sample that has not arrived yet; SettingError for a name or value outside the table.

        Returns the sample at which the change acts: the next one, where the given sample has passed.
        """
        row, _ = controls.find_control(change.name, self._top.preset.settings.inputs)
        checked = replace(change, value=row.checked(change.value))
        return self._add(row.acts_on, change.sample, checked)

    def exchange(self, sample: int, replacement: Exchange) -> int:
        """Exchange something larger than a control; sample and result as in `schedule`.

        PresetError for a preset of a descriptor set that the sound is not analysed for.
        """
        if isinstance(replacement, Preset):
            check_heard(replacement, self.heard)
        acts_on_frames = begins_fade(replacement) or isinstance(replacement, UseScaler)
        return self._add("frames" if acts_on_frames else "ticks", sample, replacement)

    def process(self, block: Float32[np.ndarray, "n"]) -> list[Tick]:
        """Take in n samples; return the ticks that they complete."""
        ticks: list[Tick] = []
        while len(block):
            self._apply_due("samples", self.samples)
            change = self._schedule.next_sample("samples")
            n = len(block) if change is None else min(len(block), change - self.samples)
            gain = self._number("gain")
            amplified = block[:n] if gain == 0 else block[:n] * np.float32(10 ** (gain / 20))
            self.samples += n
            ticks += self._process_analysed(self._analyzer.process(amplified))
            block = block[n:]
        return ticks

    def process_frames(self, frames: Float64[np.ndarray, "m 23"]) -> list[Tick]:
        """Take in m frames of the 23 raw descriptors that were analysed elsewhere, each for 512 samples."""
        self.samples += len(frames) * HOP
        return self._process_analysed(frames)

    def finish(self, pictures: int) -> list[Tick]:
        """At the end of the sound: the remaining ticks, up to `pictures` in all."""
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
            tuple(playing.state() for playing in self._playing),
            {**self._values},
            self._schedule.entries,
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
        """A pipeline that continues where `state()` was taken; at another tick rate with the same sound and fades."""
        heard = DESCRIPTORS if len(state.sounding) == len(DESCRIPTORS) else WIDE
        pipeline = cls(state.playing[-1].preset, state.fps if fps is None else fps, heard=heard)
        pipeline._restore(state)
        return pipeline

    def _restore(self, state: PipelineState) -> None:
        is_other_rate = self.fps != state.fps
        self.samples, self.frames, self.ticks = state.samples, state.frames, state.ticks
        if is_other_rate:
            self.ticks = ticks_within(state.frames * HOP, self.fps)
        self._values |= state.values  # an older recording lacks newer controls
        self._schedule = Schedule(state.scheduled)
        self._first_change = state.first_change
        self._analyzer.restore(state.analyzer)
        self._gate.restore(state.gate)
        self._sounding = state.sounding.copy()
        self._scaler = state.scaler
        self._black, self._steer = state.black, state.steer
        self._last, self._last_presets = state.last, state.last_presets
        speed, frames = self.fps / state.fps, state.frames if is_other_rate else None
        self._playing = [
            PlayingPreset.restored(playing, self.fps, self._scaler, speed, frames) for playing in state.playing
        ]
        self._playing[0].fade_ticks = 0  # there is nothing below it

    def _process_analysed(self, frames: Float64[np.ndarray, "m columns"]) -> list[Tick]:
        ticks: list[Tick] = []
        while len(frames):
            self._apply_due("frames", self.frames * HOP)
            change = self._schedule.next_sample("frames")
            n = len(frames) if change is None else min(len(frames), -(-change // HOP) - self.frames)
            self._gate.threshold_db = self._number("gate")
            gated = self._gate.process(frames[:n])
            self._sounding = gated[-1].copy()
            self.frames += n
            playing = list(self._playing)  # a tick may end some
            rows = [each.voice.ticks(gated, each.dynamics) for each in playing]
            ticks += [self._tick(dict(zip(map(id, playing), row, strict=True))) for row in zip(*rows, strict=True)]
            frames = frames[n:]
        return ticks

    def _tick(self, rows: dict[int, Heard]) -> Tick:
        """The next tick. rows: what each playing preset heard, by its `id`."""
        last, rest = divmod((self.ticks + 1) * SAMPLE_RATE * self.fps.denominator, self.fps.numerator)
        self._apply_due("ticks", last)  # its end, down to a whole sample
        complete = [n for n, each in enumerate(self._playing) if self.ticks - each.start_tick >= each.fade_ticks]
        self._playing = self._playing[complete[-1] :]  # what lies below a complete preset is invisible
        level = self._level(last, last + (rest > 0))
        picture: Picture | None = None
        for playing in self._playing:
            heard = rows[id(playing)]
            reading = playing.voice.read(heard, *playing.weight_and_offset, playing.dynamics)
            picture = self._picture(playing, reading, level, picture)
            playing.advance(self.fps)
        assert picture is not None  # there is always a preset
        if self._values["freeze"] and self._last is not None:
            picture = replace(self._last, level=level, aspect=picture.aspect)
        else:
            self._last_presets = tuple(playing.preset for playing in self._playing)
        self._last = picture
        self.ticks += 1
        return Tick(self.ticks - 1, heard.row, picture, reading.nearest, reading.distance)

    def _picture(self, playing: PlayingPreset, reading: Reading, level: float, under: Picture | None) -> Picture:
        latent, space = reading.latent, playing.voice.mapping.space
        label = shown_label(reading.label, playing.values["label"])
        if playing is self._top and self._steer.latent is not None:
            latent, space = self._steer.latent, self._steer.space
            label = label if self._steer.label is None else self._steer.label
        values, translate = playing.values, playing.values["translate"]
        assert isinstance(translate, tuple)
        x, y, angle = playing.motion
        mix = 1.0 if under is None else (self.ticks - playing.start_tick) / playing.fade_ticks
        return Picture(
            playing.preset.generator_sha256,
            latent,
            space,
            _float(values["truncation"]),
            _float(values["rotate"]) + angle,
            (translate[0] + x, translate[1] + y),
            level,
            under,
            mix,
            controls.aspect_ratio(self._values["shape"]),
            label if space == "z" else None,
        )

    def _level(self, last: int, end: int) -> float:
        """Brightness of a tick that ends at a sample: rounded down (the last one that acts on it) and rounded up."""
        if self._values["blackout"] or self._black:
            step = 1 / (BLACKOUT_SECONDS * self.fps)
            up_or_down = step if self._values["blackout"] else -step
            self._black = min(max(self._black + up_or_down, Fraction(0)), Fraction(1))
        has_sounded = self._gate.first is not None and self._gate.first * HOP < end
        has_changed = self._first_change is not None and self._first_change <= last
        has_begun = has_sounded or has_changed or self._top.values["start"] != "black"
        return self._number("fade") * float(1 - self._black) if has_begun else 0.0

    @property
    def _top(self) -> PlayingPreset:
        return self._playing[-1]

    def _add(self, level: Level, sample: int, change: ControlChange | Exchange) -> int:
        sample = max(sample, self.samples + 1 if self.samples else 0)
        self._schedule.add(level, sample, change)
        self._first_change = sample if self._first_change is None else min(sample, self._first_change)
        return sample

    def _apply_due(self, level: Level, sample: int) -> None:
        """Apply the changes that act at or before a sample."""
        for entry in self._schedule.take_due(level, sample):
            if entry.begins_fade:
                for earlier in self._schedule.take_for_previous(entry):
                    self._apply(earlier.change)
            self._apply(entry.change)

    def _apply(self, change: ControlChange | Exchange) -> None:
        match change:
            case ControlChange(name=name, value=value):
                if name in self._values:
                    self._values[name] = value
                elif name in self._top.values:  # else it was for a descriptor that this preset does not take
                    self._top.set(name, value)
            case Preset() as preset:
                playing = PlayingPreset.start(preset, self.fps, self._scaler)
                playing.voice.listen_to(self._sounding, self.frames, playing.dynamics)
                self._fade_in(playing, preset.controls["crossfade"])
            case Steer() as steer:
                self._steer = steer
            case UseMapping(mapping, pairs, crossfades=True):
                playing = self._top.with_mapping(mapping, pairs, self.fps, self._scaler)
                # A latent vector from outside is on show, and stays: there is nothing to fade to.
                self._fade_in(playing, 0.0 if self._steer.latent is not None else self._top.values["crossfade"])
            case UseMapping(mapping, pairs):
                self._top.voice.mapping, self._top.voice.pairs = mapping, pairs
            case UseScaler(scaler):
                self._scaler = scaler
                for playing in self._playing:
                    playing.voice.use_scaler(scaler)

    def _fade_in(self, playing: PlayingPreset, seconds: controls.Value) -> None:
        """Let a preset, or another mapping of one, play over what did until now."""
        playing.start_tick, playing.fade_ticks = self.ticks, round(_float(seconds) * self.fps)
        self._playing.append(playing)

    def _number(self, name: str) -> float:
        return _float(self._values[name])


def check_heard(preset: Preset, heard: tuple[str, ...]) -> None:
    """PresetError for a preset of a descriptor set that the sound is not analysed for."""
    if not set(preset.settings.heard) <= set(heard):
        raise PresetError(
            f"{preset.name} hears the descriptor set {preset.settings.descriptors}, for which the sound is not analysed; "
            f"name it on the command line: ponticello live ... {pasted(preset.folder)}"
        )


def _float(value: controls.Value) -> float:
    assert isinstance(value, float)
    return value
