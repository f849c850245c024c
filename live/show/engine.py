"""The thread between sound and ticks: every block passes through the pipeline, whatever happens to the pictures."""

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from live.show.notices import Notices
from live.show.recorder import Recorder
from live.show.silence import SilenceWatch
from live.sound.source import Block, FrameBlock, Source
from shared.audio.framing import tail
from shared.controls import ControlChange, Value
from shared.errors import one_line
from shared.mapping.decimation import ticks_within
from shared.pipeline import Pipeline, Tick
from shared.pipeline.exchanges import Exchange
from shared.preset import Preset
from shared.stage import HOP, SAMPLE_RATE

READ_S = 0.05  # longest wait for sound before checking whether the show is over
MAX_AHEAD = SAMPLE_RATE  # samples: a change that a clock places further ahead acts after so many
METER_HOPS = 10  # time constant of the level meter


@dataclass(frozen=True, eq=False)
class AnalysedTick:
    """A tick, with what the show reports about it."""

    tick: Tick
    arrived: float
    """When the last sound that it needed arrived (s, monotonic)."""
    ready: float
    """When it was handed on (s, monotonic)."""
    descriptors: Float64[np.ndarray, "set"]
    """In their own units, after the gate: the set of the preset that plays."""
    latent_speed: float
    """Speed of the latent vector, per second."""


@dataclass(frozen=True)
class _Record:
    recorder: Recorder | None


class Engine:
    """Reads the source, drives the pipeline, hands on every tick. Once started, only its thread touches the pipeline.

    on_tick: called in that thread; it must neither wait nor raise.
    """

    def __init__(
        self, pipeline: Pipeline, source: Source, on_tick: Callable[[AnalysedTick], None], notices: Notices
    ) -> None:
        self.pipeline, self._source = pipeline, source
        self._on_tick, self._notices = on_tick, notices
        self._requests: queue.SimpleQueue[tuple[float, tuple[str, Value] | Exchange] | _Record] = queue.SimpleQueue()
        self._recorder: Recorder | None = None
        self._newest_sample = 0  # at which a request acts: later requests act no earlier
        self.listener: Callable[[Block | FrameBlock], None] | None = None
        """Receives every block as it arrives, in the engine's thread."""
        self.newest: AnalysedTick | None = None
        """The newest tick."""
        self._silence = SilenceWatch(source, notices)
        self._latent: np.ndarray | None = None
        self._stop: float = math.inf  # number of the first tick after the show
        self._mean_square = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def ticks(self) -> int:
        """Ticks handed on so far."""
        return int(min(self.pipeline.ticks, self._stop))

    @property
    def frames(self) -> int:
        """Frames analysed so far."""
        return self.pipeline.frames

    @property
    def presets(self) -> tuple[Preset, ...]:
        """The presets that are visible."""
        return self.pipeline.presets

    @property
    def layers(self) -> int:
        """The layers of a cross-fade, see `Pipeline.layers`."""
        return self.pipeline.layers

    @property
    def level_db(self) -> float:
        """RMS of the sound with the time constant of a meter."""
        return float(10 * np.log10(max(self._mean_square, 1e-16)))

    @property
    def gate_open(self) -> bool:
        """Whether the newest frame passed the loudness gate."""
        return self.pipeline.gate_open

    def start(self) -> None:
        """Start the thread; the source has been started."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait until that is done."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def change(self, name: str, value: Value, arrived: float) -> None:
        """Set a control on the sample that sounds at this time (s, monotonic), or on the next one that arrives."""
        self._requests.put((arrived, (name, value)))

    def exchange(self, replacement: Exchange, arrived: float) -> None:
        """Exchange something larger than a control, at a time as in `change`."""
        self._requests.put((arrived, replacement))

    def record(self, recorder: Recorder | None) -> None:
        """Record from the next block on, with None not any more; a running recorder ends."""
        self._requests.put(_Record(recorder))

    def _run(self) -> None:
        while not self._over.is_set():
            blocks = self._source.read(READ_S)
            now = time.monotonic()
            self._take_requests()
            for block in blocks:
                with self._going_on("analysis", "the show goes on with the next sound"):
                    self._process(block, now)
        self._take_requests()
        self._finish()

    @contextmanager
    def _going_on(self, task: str, consequence: str) -> Iterator[None]:
        """Report an error, of whatever kind, instead of ending this thread."""
        try:
            yield
        except Exception as error:
            self._notices.tell(f"{task}: {one_line(error)}; {consequence}")

    def _finish(self) -> None:
        """Complete the last tick, as a render of this sound does."""
        samples = self.pipeline.samples
        self._stop = ticks_within(samples, self.pipeline.fps)
        if self._source.gives == "samples" and self.pipeline.ticks < self._stop:
            with self._going_on("the last tick", "the show ends without it"):
                self._process(Block(samples, np.zeros(tail(samples), np.float32)), time.monotonic())
        with self._going_on("recording", "it has no end mark"):
            self._change_recorder(None, samples)

    def _change_recorder(self, recorder: Recorder | None, sample: int) -> None:
        ended, self._recorder = self._recorder, None
        if ended is not None:
            ended.end(sample)
        if recorder is not None:
            recorder.begin(self.pipeline.state(), self._source.gives)
            self._recorder = recorder

    def _take_requests(self) -> None:
        while not self._requests.empty():
            request, now = self._requests.get(), self.pipeline.samples
            if isinstance(request, _Record):
                with self._going_on("recording", "the show goes on without it"):
                    self._change_recorder(request.recorder, now)
                continue
            try:
                self._schedule(*request, now)
            except Exception as error:  # the show goes on with the last good value
                self._notices.tell(one_line(error))

    def _schedule(self, arrived: float, replacement: tuple[str, Value] | Exchange, now: int) -> None:
        sample = min(round(self._source.sample_at(arrived)), now + MAX_AHEAD)
        self._newest_sample = sample = max(sample, self._newest_sample, now + 1 if now else 0)
        if isinstance(replacement, tuple):
            change = ControlChange(sample, *replacement)
            self._log(self.pipeline.schedule(change), change)
        else:
            self._log(self.pipeline.exchange(sample, replacement), replacement)

    def _log(self, sample: int, change: ControlChange | Exchange) -> None:
        if self._recorder is not None:
            self._recorder.change(sample, change)

    def _process(self, block: Block | FrameBlock, now: float) -> None:
        """Per hop, so that reported values match the tick."""
        if self._recorder is not None:
            self._recorder.block(block)
        if (listener := self.listener) is not None:
            listener(block)
        if isinstance(block, FrameBlock):
            for frame in block.frames:
                self._hand_on(self.pipeline.process_frames(frame[None]), now)
            return
        self._silence.take(block.samples)
        for start in range(0, len(block.samples), HOP):
            hop = block.samples[start : start + HOP]
            self._mean_square += (float(np.square(hop).mean()) - self._mean_square) / METER_HOPS
            self._hand_on(self.pipeline.process(hop), now)

    def _hand_on(self, ticks: list[Tick], now: float) -> None:
        for tick in ticks:
            if tick.number >= self._stop:
                return
            latent, last = tick.picture.latent, self._latent
            self._latent = latent
            moved = last is not None and last.shape == latent.shape
            speed = float(np.linalg.norm(latent - last)) * float(self.pipeline.fps) if moved else 0.0
            self.newest = AnalysedTick(tick, now, time.monotonic(), self.pipeline.sounding, speed)
            self._on_tick(self.newest)
