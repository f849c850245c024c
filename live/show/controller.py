"""Carries out what the player asks for, by OSC or by key: one table for each kind of request."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

from live import hall
from live.display import keys
from live.osc.messages import PREFIX, Change, OscEvent, Query, Request
from live.show.actions.context import ActionCall, ShowContext
from live.show.actions.learning import LearningActions
from live.show.actions.presets import PresetActions
from live.show.actions.soundcheck import SoundCheckOnStage
from live.show.actions.steering import Steering
from live.show.actions.transport import Transport
from live.show.picture_shape import PictureShape
from live.show.preset_library import PresetLibrary
from live.show.takes import Takes
from live.soundcheck.findings import Findings
from shared.background import Then
from shared.controls import CONTROLS, STREAMS, Control, Value
from shared.errors import SettingError, one_line
from shared.pipeline.exchanges import UseScaler
from shared.preset import Preset

SAVE_HALL_EVERY_S = 1.0
BEGIN_EVERY_S = 2.0  # from one recording to the next


class ShowController:
    """Carries out requests in order; only the main thread calls it. Errors go to the sender and to the player.

    values: the controls as set last, by full name; each acts on the sample at which it was set.
    """

    def __init__(
        self,
        preset: Preset,
        context: ShowContext,
        library: PresetLibrary,
        takes: Takes,
        room: hall.Hall,
        shape: PictureShape,
        restore: bool = False,
    ) -> None:
        self._context, self._takes, self._hall, self._scaler = context, takes, room, room.scaler
        self._transport = Transport(context.source)
        self._steering = Steering(context.engine)
        self._shape = shape
        self._learning = LearningActions(context, library, restore)
        self._presets = PresetActions(
            context, library, self._change_preset, self._crossfade_s, self._learning.wait_for_save
        )
        self.soundcheck = SoundCheckOnStage(context, self._use_findings)
        self.values: dict[str, Value] = {}
        self.quit = False
        self._ignored_keys: set[str] = set()
        self.actions: Mapping[str, Callable[[ActionCall], None]] = {
            "preset": self._presets.call,
            "save": self._save,
            "hall/save": self._save_hall,
            "show": self._show,
            "pair": self._learning.pair,
            "unpair": self._learning.unpair,
            "train": self._learning.train,
            "regressor": self._learning.change_regressor,
            "soundcheck": self._soundcheck,
            "record": self._record,
            "play": lambda _: self._transport.file.play(),
            "pause": lambda _: self._transport.file.pause(),
            "seek": self._seek,
        }
        self.queries: Mapping[str, Callable[[], Value]] = {
            "preset": lambda: self.preset.name,
            "show": lambda: self._steering.shown,
            "regressor": lambda: self._learning.regressor,
            "soundcheck": lambda: self.soundcheck.phase,
            "record": lambda: takes.running,
            "seek": lambda: self._transport.file.place_s,
        }
        self.streams: Mapping[str, Callable[[tuple[float, ...], float], None]] = {
            "in/latent": self._steer,
            "in/descriptors": self._transport.hold_descriptors,
            "in/time": self._transport.chase,
        }
        self.keys: Mapping[keys.KeyAction, Callable[[keys.DisplayEvent], None]] = {
            "quit": lambda _: self._quit(),
            "ignored": self._tell_ignored,
            "play_pause": lambda _: self._transport.toggle(),
            "freeze": lambda _: self._toggle("freeze"),
            "blackout": lambda _: self._toggle("blackout"),
            "pair": lambda _: self._learning.pair(ActionCall()),
            "unpair": lambda _: self._learning.unpair(ActionCall()),
            "train": lambda _: self._learning.train(ActionCall()),
            "save": lambda _: self._save(ActionCall()),
            "record": lambda _: self._record(ActionCall(not takes.wanted)),
            "preset": lambda event: self._presets.call(ActionCall(float(event.number or 1))),
        }
        self._play(preset)

    @property
    def preset_changes(self) -> int:
        """Preset changes so far."""
        return self._presets.changes

    def handle(self, event: OscEvent) -> None:
        """Carry out an OSC event."""
        sender = None if isinstance(event, Change) else event.sender
        try:
            match event:
                case Query(name):
                    self._context.port.answer(
                        event, self.queries[name]() if name in self.queries else self.values[name]
                    )
                case Request(name, argument):
                    self.actions[name](ActionCall(argument, PREFIX + name, sender))
                case Change(name, tuple() as numbers, arrived) if name in STREAMS:
                    self.streams[name](numbers, arrived)
                case Change(name, value, arrived):
                    self._change(name, cast(Value, value), arrived)
        except Exception as error:  # unexpected ones, too: the show goes on
            argument = event.argument if isinstance(event, Request) else None
            self._context.refuse(ActionCall(argument, PREFIX + event.name, sender), one_line(error))

    def do(self, then: Then) -> None:
        """Finish a background job in the main thread."""
        try:
            then()
        except Exception as error:  # as above
            self._context.notices.tell(one_line(error))

    def press(self, event: keys.DisplayEvent) -> None:
        """Carry out a key press, or the closing of the window."""
        try:
            self.keys[event.action](event)
        except Exception as error:  # as above
            self._context.notices.tell(one_line(error))

    def close(self) -> None:
        """The show ends: stop training."""
        self._learning.close()

    def finish(self) -> None:
        """Everything in the background is done: keep what was not saved."""
        self._learning.finish()

    def _change(self, name: str, value: Value, arrived: float) -> None:
        """Set a control. The value was checked when it was read; the preset may have changed since."""
        if name not in self.values:
            raise SettingError(f"the preset {self.preset.name} has no control '{name}'")
        self.values[name] = value
        if name == "shape":
            self._shape.change(value)
            return
        self._context.engine.change(name, value, arrived)
        if name in ("smoothing", "sync", "advance"):
            self._context.timing.follow(self.values)

    def _play(self, preset: Preset) -> None:
        """A preset plays from now on: its own controls take its values, all others keep theirs."""
        own = {name: value for name, value in preset.controls.items() if _row(name).home == "preset"}
        other = {name: value for name, value in (self.values or preset.controls).items() if _row(name).home != "preset"}
        self.preset, self.values = preset, own | other
        self._learning.follow(preset)
        self._context.port.expect(preset.settings.inputs, preset.mapping.latent_size)
        self._context.timing.follow(self.values)

    def _change_preset(self, preset: Preset) -> None:
        now = time.monotonic()
        self._steering.release_if_active(now)
        self._context.engine.exchange(preset, now)
        self._play(preset)

    def _crossfade_s(self, preset: Preset) -> Value:
        """The time that was set in the show, for the presets to come; else the preset's own."""
        current = self.values["crossfade"]
        return preset.controls["crossfade"] if current == self.preset.controls["crossfade"] else current

    def _save(self, call: ActionCall) -> None:
        self._learning.save(call, dict(self.values))

    def _save_hall(self, call: ActionCall) -> None:
        file = self._hall.file_named(None if call.argument is None else str(call.argument))
        values, scaler = dict(self.values), self._scaler

        def save() -> Then:
            hall.save(file, values, scaler)
            return lambda: self._context.notices.tell(f"saved: {file}", wrong=False)

        self._context.run(self._context.lanes.writing, call, save, "hall", SAVE_HALL_EVERY_S)

    def _show(self, call: ActionCall) -> None:
        now = time.monotonic()
        if call.argument is None:
            self._steering.release(now)
        else:
            self._steering.show(self._learning.learning, str(call.argument), now)

    def _steer(self, numbers: tuple[float, ...], arrived: float) -> None:
        self._steering.steer(self._learning.learning, numbers, arrived)

    def _soundcheck(self, call: ActionCall) -> None:
        if call.argument:
            self.soundcheck.begin(lambda: self.preset, partial(self._context.refuse, call))
        else:
            self.soundcheck.cancel()

    def _use_findings(self, findings: Findings) -> None:
        now = time.monotonic()
        if findings.gain_db is not None:
            self._change("gain", findings.gain_db, now)
        self._change("gate", findings.gate_db, now)
        self._scaler = findings.scaler
        self._context.engine.exchange(UseScaler(findings.scaler), now)

    def _record(self, call: ActionCall) -> None:
        on, takes, name, lane = bool(call.argument), self._takes, self.preset.name, self._context.lanes.writing
        takes.wanted = on

        def record() -> Then:
            takes.begin(name) if on else takes.end()
            return lambda: None

        if on:
            self._context.run(lane, call, record, "begin a take", BEGIN_EVERY_S)
        else:
            self._context.run(lane, call, record, "end a take")

    def _seek(self, call: ActionCall) -> None:
        assert isinstance(call.argument, float)
        self._transport.file.seek(call.argument)

    def _toggle(self, name: str) -> None:
        self._change(name, not self.values[name], time.monotonic())

    def _tell_ignored(self, event: keys.DisplayEvent) -> None:
        """Tell the player once that a key does nothing in full screen."""
        if event.key not in self._ignored_keys:
            self._ignored_keys.add(event.key)
            self._context.notices.tell(keys.ignored_hint(event.key), wrong=False)

    def _quit(self) -> None:
        self.quit = True


def _row(name: str) -> Control:
    return CONTROLS[name.partition("/")[0]]
