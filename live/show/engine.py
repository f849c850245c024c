"""The thread between sound and ticks: every block goes through the pipeline, whatever happens to the pictures."""

import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from live.show.notices import Notices
from live.show.recorder import Recorder
from live.sound.source import Block, FrameBlock, Source
from shared.audio.framing import tail
from shared.controls import ControlChange, Value
from shared.errors import PonticelloError, one_line
from shared.mapping.decimation import ticks_within
from shared.pipeline import Pipeline, Tick
from shared.pipeline.exchanges import Exchange
from shared.stage import HOP, SAMPLE_RATE

READ_S = 0.05  # how long to wait for sound before looking whether the show is over
FURTHEST = SAMPLE_RATE  # samples: a change that a clock puts further ahead acts then
METER_HOPS = 10  # time constant of the level meter


@dataclass(frozen=True, eq=False)
class AnalysedTick:
    """A tick, with what the show needs to know of the moment."""

    tick: Tick
    at: float
    """When the last sound that it needed came in (s, monotonic)."""
    ready: float
    """When it was handed on."""
    sounding: Float64[np.ndarray, "23"]
    """The descriptors in their own units, behind the gate."""
    speed: float
    """Of the latent vector, per second."""


@dataclass(frozen=True)
class _Record:
    recorder: Recorder | None


class Engine:
    """Reads the source, drives the pipeline, hands on every tick. Only its thread touches the pipeline once it has started.

    on_tick: called in that thread; it must neither wait nor raise.
    """

    def __init__(
        self, pipeline: Pipeline, source: Source, on_tick: Callable[[AnalysedTick], None], notices: Notices
    ) -> None:
        self._pipeline, self._source = pipeline, source
        self._on_tick, self._notices = on_tick, notices
        self._asked: queue.SimpleQueue[tuple[float, tuple[str, Value] | Exchange] | _Record] = queue.SimpleQueue()
        self._recorder: Recorder | None = None
        self._newest_sample = 0  # that something was asked for: what comes later acts no earlier
        self.listener: Callable[[Block | FrameBlock], None] | None = None
        """Hears every block as it comes in, in the engine's thread."""
        self._latent: np.ndarray | None = None
        self._stop: float = math.inf  # the number of the first tick that is none of the show's
        self._mean_square = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def ticks(self) -> int:
        """Handed on so far."""
        return int(min(self._pipeline.ticks, self._stop))

    @property
    def frames(self) -> int:
        """Analysed so far."""
        return self._pipeline.frames

    @property
    def level_db(self) -> float:
        """RMS of the sound, as a meter shows it."""
        return float(10 * np.log10(max(self._mean_square, 1e-16)))

    @property
    def gate_open(self) -> bool:
        """Whether the newest frame sounds."""
        return self._pipeline.gate_open

    def start(self) -> None:
        """Begin; the source has been started."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait until that is done."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def change(self, name: str, value: Value, arrived: float) -> None:
        """A control gets a value, on the sample that sounds at this time (s, monotonic), or the next that comes in."""
        self._asked.put((arrived, (name, value)))

    def exchange(self, what: Exchange, arrived: float) -> None:
        """The same with something larger."""
        self._asked.put((arrived, what))

    def record(self, recorder: Recorder | None) -> None:
        """From the next block on, this one is told everything; the one before, if any, ends. None: none is."""
        self._asked.put(_Record(recorder))

    def _run(self) -> None:
        while not self._over.is_set():
            blocks = self._source.read(READ_S)
            now = time.monotonic()
            self._take_in_what_was_asked()
            for block in blocks:
                try:
                    self._follow(block, now)
                except Exception as error:  # the sound goes on, and with it the show
                    self._notices.tell(f"analysis: {one_line(error)}; the show goes on with the next sound")
        self._take_in_what_was_asked()
        self._finish()

    def _finish(self) -> None:
        """The show ends: the tick that is still owed comes, as in a render of this sound."""
        samples = self._pipeline.samples
        self._stop = ticks_within(samples, self._pipeline.fps)
        try:
            if self._source.gives == "samples" and self._pipeline.ticks < self._stop:
                self._follow(Block(samples, np.zeros(tail(samples), np.float32)), time.monotonic())
        finally:
            self._change_recorder(None, samples)

    def _change_recorder(self, recorder: Recorder | None, sample: int) -> None:
        if self._recorder is not None:
            self._recorder.end(sample)
        self._recorder = recorder
        if recorder is not None:
            recorder.begin(self._pipeline.state(), self._source.gives)

    def _take_in_what_was_asked(self) -> None:
        while not self._asked.empty():
            asked, now = self._asked.get(), self._pipeline.samples
            if isinstance(asked, _Record):
                self._change_recorder(asked.recorder, now)
                continue
            arrived, what = asked
            sample = min(round(self._source.sample_at(arrived)), now + FURTHEST)
            self._newest_sample = sample = max(sample, self._newest_sample, now + 1 if now else 0)
            try:
                if isinstance(what, tuple):
                    change = ControlChange(sample, *what)
                    self._told(self._pipeline.schedule(change), change)
                else:
                    self._told(self._pipeline.exchange(sample, what), what)
            except PonticelloError as error:
                self._notices.tell(one_line(error))

    def _told(self, sample: int, what: ControlChange | Exchange) -> None:
        if self._recorder is not None:
            self._recorder.change(sample, what)

    def _follow(self, block: Block | FrameBlock, now: float) -> None:
        """Hop by hop, so that what is told of a tick is of its moment."""
        if self._recorder is not None:
            self._recorder.block(block)
        if (listener := self.listener) is not None:
            listener(block)
        if isinstance(block, FrameBlock):
            for frame in block.frames:
                self._hand_on(self._pipeline.process_frames(frame[None]), now)
            return
        for start in range(0, len(block.samples), HOP):
            hop = block.samples[start : start + HOP]
            self._mean_square += (float(np.square(hop).mean()) - self._mean_square) / METER_HOPS
            self._hand_on(self._pipeline.process(hop), now)

    def _hand_on(self, ticks: list[Tick], now: float) -> None:
        for tick in ticks:
            if tick.number >= self._stop:
                return
            latent, last = tick.picture.latent, self._latent
            self._latent = latent
            moved = last is not None and last.shape == latent.shape
            speed = float(np.linalg.norm(latent - last)) * float(self._pipeline.fps) if moved else 0.0
            self._on_tick(AnalysedTick(tick, now, time.monotonic(), self._pipeline.sounding, speed))
