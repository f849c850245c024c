"""The player's desk: what is asked for by OSC or by a key, and what is done about it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from live import hall
from live.display import keys
from live.osc.endpoints import Endpoint
from live.osc.messages import PREFIX, Change, OscEvent, Query, Request
from live.osc.port import OscPort
from live.show.engine import AnalysedTick, Engine
from live.show.learning import Learning
from live.show.notices import Notices
from live.show.preset_library import PresetLibrary
from live.show.soundcheck import SoundCheckOnStage
from live.show.takes import Takes
from live.show.timing import Timing
from live.sound.descriptor_input import OscFrames
from live.sound.file_input import FileInput
from live.sound.source import Source
from live.soundcheck.findings import Findings
from shared import controls
from shared.background import Background, Then
from shared.controls import CONTROLS, STREAMS, Value
from shared.errors import SettingError, one_line
from shared.mapping.scaling import Standardizer
from shared.pipeline.exchanges import Steer, UseScaler
from shared.preset import Preset


@dataclass(frozen=True)
class ActionCall:
    """An action, who asked for it, and under which name; both empty for a key."""

    argument: str | float | bool | None = None
    address: str = ""
    sender: Endpoint | None = None


class ShowController:
    """Carries out requests, in their order; the main thread calls it. Errors go to whoever asked, or to the player.

    values: the controls as they were set last; they act on the sample at which they were set. `newest` is the newest tick.
    """

    def __init__(
        self,
        preset: Preset,
        *,
        source: Source,
        engine: Engine,
        timing: Timing,
        library: PresetLibrary,
        background: Background,
        port: OscPort,
        notices: Notices,
        takes: Takes,
        newest: Callable[[], AnalysedTick | None],
        on_stage: Callable[[], tuple[Preset, ...]],
        hall_file: Path | None = None,
        scaler: Standardizer | None = None,
    ) -> None:
        self._source, self._engine, self._timing, self._library = source, engine, timing, library
        self._background, self._port, self._notices, self.takes = background, port, notices, takes
        self._newest, self._on_stage, self._hall_file = newest, on_stage, hall_file
        self._scaler = scaler  # of the hall
        self.soundcheck = SoundCheckOnStage(source, engine, background, port, notices, self._use_findings)
        self.values: dict[str, Value] = {}
        self.quit = False
        self.preset_changes = 0
        self._shown = ""  # the name of the image that is shown instead of the sound's picture
        self._steering = False
        self.actions: Mapping[str, Callable[[ActionCall], None]] = {
            "preset": self._call_preset,
            "save": self._save,
            "hall/save": self._save_hall,
            "show": self._show,
            "pair": self._pair,
            "unpair": self._unpair,
            "train": self._train,
            "soundcheck": self._soundcheck,
            "record": self._record,
            "play": lambda _: self._file().play(),
            "pause": lambda _: self._file().pause(),
            "seek": self._seek,
        }
        self.questions: Mapping[str, Callable[[], Value]] = {
            "preset": lambda: self.preset.name,
            "show": lambda: self._shown,
            "soundcheck": lambda: self.soundcheck.phase,
            "record": lambda: self.takes.running,
            "seek": lambda: self._file().place_s,
        }
        self.streams: Mapping[str, Callable[[tuple[float, ...], float], None]] = {
            "in/latent": self._steer,
            "in/descriptors": self._hold_descriptors,
            "in/time": lambda numbers, arrived: self._file().chase(numbers[0], arrived),
        }
        self.keys: Mapping[keys.KeyAction, Callable[[keys.DisplayEvent], None]] = {
            "quit": lambda _: self._quit(),
            "play_pause": lambda _: self._play_or_pause(),
            "freeze": lambda _: self._switch("freeze"),
            "blackout": lambda _: self._switch("blackout"),
            "pair": lambda _: self._pair(ActionCall()),
            "record": lambda _: self._record(ActionCall(not self.takes.running)),
            "preset": lambda event: self._call_preset(ActionCall(float(event.number or 1))),
        }
        self._take_up(preset)

    def handle(self, event: OscEvent) -> None:
        """Something has come by OSC."""
        sender = None if isinstance(event, Change) else event.sender
        try:
            match event:
                case Query(name):
                    self._port.answer(event, self.questions[name]() if name in self.questions else self.values[name])
                case Request(name, argument):
                    self.actions[name](ActionCall(argument, PREFIX + name, sender))
                case Change(name, value, arrived) if name in STREAMS:
                    assert isinstance(value, tuple)
                    self.streams[name](value, arrived)
                case Change(name, value, arrived):
                    self._change(name, value, arrived)
        except Exception as error:  # an unforeseen one too: the show goes on
            self._refuse(PREFIX + event.name, sender, one_line(error))

    def do(self, then: Then) -> None:
        """What is left to do of a job in the background."""
        try:
            then()
        except Exception as error:  # as above
            self._notices.tell(one_line(error))

    def press(self, event: keys.DisplayEvent) -> None:
        """A key was pressed, or the window closed."""
        try:
            self.keys[event.action](event)
        except Exception as error:  # as above
            self._notices.tell(one_line(error))

    def _refuse(self, address: str, sender: Endpoint | None, why: str) -> None:
        """Something could not be done."""
        if sender is not None:
            self._port.error(address, why, sender)
        self._notices.tell(why, address, sent=sender is not None)

    def _do(self, asked: ActionCall, job: Callable[[], Then]) -> None:
        """In the background."""
        self._background.do(job, partial(self._refuse, asked.address, asked.sender))

    def _change(self, name: str, value: object, arrived: float) -> None:
        """A control gets a value; SettingError where the playing preset has no such control."""
        row, _ = controls.find_control(name, self.preset.settings.inputs)
        self.values[name] = row.checked(value)
        self._engine.change(name, self.values[name], arrived)
        if name in ("smoothing", "sync", "advance"):
            self._timing.follow(self.values)

    def _take_up(self, preset: Preset) -> None:
        """It plays from now on."""
        own = {name: value for name, value in preset.controls.items() if _row(name).home == "preset"}
        other = {name: value for name, value in (self.values or preset.controls).items() if _row(name).home != "preset"}
        self.preset, self.values = preset, own | other
        self.learning = Learning(preset)
        self._latent_size = preset.mapping.regressor.sizes[-1]
        self._port.expect(preset.settings.inputs, self._latent_size)
        self._timing.follow(self.values)

    def _call_preset(self, asked: ActionCall) -> None:
        which = asked.argument
        assert isinstance(which, str | float)

        def load() -> Then:
            preset = self._library.load(which, self._on_stage())
            return lambda: self._change_preset(preset)

        self._do(asked, load)

    def _change_preset(self, preset: Preset) -> None:
        if self.learning.unsaved:
            self._notices.tell(f"{self.preset.name}: pairs made while playing were not saved")
        if self.values["crossfade"] != self.preset.controls["crossfade"]:  # set while playing, for the changes to come
            preset = replace(preset, controls={**preset.controls, "crossfade": self.values["crossfade"]})
        now = time.monotonic()
        if self._steering:
            self._let_go(now)
        self._engine.exchange(preset, now)
        self._take_up(preset)
        self.preset_changes += 1

    def _save(self, asked: ActionCall) -> None:
        preset, values, learning = self.preset, dict(self.values), self.learning

        def save() -> Then:
            own = preset.save_controls(values)
            learning.save(own)
            self._library.moved(preset, own)
            return lambda: self._notices.tell(f"saved: {own.folder}", wrong=False)

        self._do(asked, save)

    def _save_hall(self, asked: ActionCall) -> None:
        file = self._hall_file if asked.argument is None else Path(str(asked.argument)).expanduser()
        if file is None:
            raise SettingError("no hall file is in use; name one that ends in .toml")
        values, scaler = dict(self.values), self._scaler

        def save() -> Then:
            hall.save(file, values, scaler)
            return lambda: self._notices.tell(f"saved: {file.absolute()}", wrong=False)

        self._do(asked, save)

    def _show(self, asked: ActionCall) -> None:
        if asked.argument is None:
            self._let_go(time.monotonic())
            return
        name, latent = self.learning.image(str(asked.argument))
        self._engine.exchange(Steer(latent, self.learning.pairs.space), time.monotonic())
        self._shown, self._steering = name, True

    def _steer(self, numbers: tuple[float, ...], arrived: float) -> None:
        if not numbers:
            self._let_go(arrived)
            return
        latent = np.array(numbers, np.float32)
        if len(latent) != self._latent_size or not np.isfinite(latent).all():
            raise SettingError(f"{len(latent)} numbers given; the generator takes {self._latent_size} of float32")
        self._engine.exchange(Steer(latent, self.preset.mapping.space), arrived)
        self._shown, self._steering = "", True

    def _let_go(self, at: float) -> None:
        """The sound has the picture back."""
        self._engine.exchange(Steer(None), at)
        self._shown, self._steering = "", False

    def _pair(self, asked: ActionCall) -> None:
        heard = self._newest()
        if heard is None:
            raise SettingError("nothing has been heard yet; pair when there is a picture")
        new = self.learning.pair(None if asked.argument is None else str(asked.argument), heard.tick)
        self._notices.tell(f"paired: {new}; /ponticello/train learns it", wrong=False)

    def _unpair(self, _: ActionCall) -> None:
        self._notices.tell(f"taken back: {self.learning.unpair()}", wrong=False)

    def _train(self, asked: ActionCall) -> None:
        learning = self.learning

        def learn() -> Then:
            learned = learning.learn()

            def use() -> None:
                if learning is not self.learning:
                    self._notices.tell(f"{learning.preset.name} plays no more: what was learned for it is let go")
                else:
                    self._engine.exchange(learned, time.monotonic())
                    self._notices.tell(f"{len(learned.pairs)} pairs learned", wrong=False)

            return use

        self._do(asked, learn)

    def _soundcheck(self, asked: ActionCall) -> None:
        if asked.argument:
            self.soundcheck.begin(lambda: self.preset, partial(self._refuse, asked.address, asked.sender))
        else:
            self.soundcheck.break_off()

    def _use_findings(self, found: Findings) -> None:
        now = time.monotonic()
        if found.gain_db is not None:
            self._change("gain", found.gain_db, now)
        self._change("gate", found.gate_db, now)
        self._scaler = found.scaler
        self._engine.exchange(UseScaler(found.scaler), now)

    def _record(self, asked: ActionCall) -> None:
        takes, name = self.takes, self.preset.name

        def begin_or_end() -> Then:
            takes.begin(name) if asked.argument else takes.end()
            return lambda: None

        self._do(asked, begin_or_end)

    def _seek(self, asked: ActionCall) -> None:
        assert isinstance(asked.argument, float)
        self._file().seek(asked.argument)

    def _hold_descriptors(self, numbers: tuple[float, ...], _: float) -> None:
        if not isinstance(self._source, OscFrames):
            raise SettingError(f"the input is {self._source.label}; descriptors are taken with --input osc")
        self._source.hold(numbers)

    def _file(self) -> FileInput:
        if not isinstance(self._source, FileInput):
            raise SettingError(f"the input is {self._source.label}, no sound file")
        return self._source

    def _play_or_pause(self) -> None:
        file = self._file()
        file.pause() if file.playing else file.play()

    def _switch(self, name: str) -> None:
        self._change(name, not self.values[name], time.monotonic())

    def _quit(self) -> None:
        self.quit = True


def _row(name: str) -> controls.Control:
    return CONTROLS[name.partition("/")[0]]
