"""Shows for tests: real ones without a window, paced by the clock, in a thread of the test."""

import contextlib
import hashlib
import threading
import time
from dataclasses import replace

import numpy as np
import soundfile

from live.display.base import OffscreenDisplay
from live.hall import Hall
from live.osc.port import OscPort
from live.show.options import ShowOptions
from live.show.performance import Performance
from live.sound.open_input import open_input
from shared.controls import ControlChange
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.preset import Preset
from tests.live.osc_client import Client, until


class Show:
    """A show and its results: `asked` has the scheduled changes, as (sample, change)."""

    def __init__(self, presets, source, hashes, controls=(), painter=None, hall=None, **options):
        loaded = [Preset.load(preset) for preset in presets]
        first = replace(loaded[0], controls={**loaded[0].controls, **dict(controls)})
        self.stopped = threading.Event()
        self.display = OffscreenDisplay()
        self.port = OscPort(first.settings.inputs, port=0, targets=())
        self.source, self.first = source, first
        self.performance = Performance(
            loaded,
            first,
            source=source,
            display=self.display,
            port=self.port,
            painter=painter or Painter(),
            stopped=self.stopped,
            hall=hall or Hall(),
            options=ShowOptions(hashes=hashes, **options),
        )
        self.asked = []
        pipeline = self.performance.engine.pipeline
        schedule, exchange = pipeline.schedule, pipeline.exchange
        pipeline.schedule = lambda change: (self.asked.append((change.sample, change)), schedule(change))[1]
        pipeline.exchange = lambda sample, what: (self.asked.append((sample, what)), exchange(sample, what))[1]
        self.numbers = None
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,))
        self._thread.start()
        assert started.wait(10)
        self.client = Client(self.port.port)

    def _run(self, started):
        self.numbers = self.performance.run(started.set)

    @property
    def hashes(self):
        return dict(self.performance.hashes)

    @property
    def values(self):
        return self.performance.controller.values

    @property
    def ticks(self):
        return self.performance.engine.ticks

    def until_tick(self, number, seconds=10):
        assert until(lambda: self.ticks > number, seconds), f"{self.ticks} ticks"

    def ask(self, name, seconds=3):
        """The value of a control or an action."""
        self.client.send(name, "?")
        answer = self.hear("value", seconds)
        assert answer[1] == "/ponticello/" + name
        return answer[2:] if len(answer) > 3 else answer[2]

    def hear(self, name, seconds=3):
        """The next message of this name."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            heard = self.client.hear(deadline - time.monotonic())
            if heard is not None and heard[0] == name:
                return heard
        raise AssertionError(f"no {name}")

    def end(self):
        self.stopped.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.client.socket.close()
        return self.numbers


@contextlib.contextmanager
def show(presets, sound, tmp_path, loop=False, **options):
    """A show of presets with a sound file that no sound card plays."""
    playing = Show(presets, open_input(str(sound), play=False, loop=loop), tmp_path / "hashes.csv", **options)
    try:
        yield playing
    finally:
        playing.end()


def replayed(playing, sound):
    """The hashes of all pictures of the sound file and the silence after it, with the changes of the show."""
    pipeline, painter = Pipeline(playing.first), Painter()
    painter.load(playing.first)
    for sample, what in playing.asked:
        if isinstance(what, ControlChange):
            pipeline.schedule(what)
        else:
            if isinstance(what, Preset):
                painter.load(what)
            pipeline.exchange(sample, what)
    samples, rate = soundfile.read(sound, dtype="float32")
    assert rate == 44100
    assert samples.ndim == 1
    last = max(playing.performance.hashes)
    samples = np.concatenate([samples, np.zeros(max(0, (last + 3) * 1470 + 2048 - len(samples)), np.float32)])
    ticks = [tick for block in np.split(samples, [100, 5000, 30000]) for tick in pipeline.process(block)]
    return {t.number: digest(painter.paint(t.picture).numpy()) for t in ticks if t.number <= last}


def digest(image):
    return hashlib.sha256(image.tobytes()).hexdigest()
