"""When a picture is shown: as soon as it is there, or so much earlier or later that it lands on the sound."""

import heapq
import itertools
import math
import threading
from collections.abc import Mapping
from fractions import Fraction

from live.show.picture_thread import PaintedImage
from live.sound.file_input import FileInput
from live.sound.source import Source
from shared.controls import Value
from shared.stage import HOP, SAMPLE_RATE

FURTHEST_S = 1.0  # that a file is read ahead: a command to it is analysed so late
STEP_S = 0.004  # by which the generator's time has to change before pictures are shown earlier or later


class Timing:
    """The due times of ticks, from the controls `sync`, `advance` and `smoothing` and the generator's measured time.

    A microphone's pictures are shown when they are painted; only a negative `advance` makes them wait. A file is read ahead
    of the ear by the delay of the chain: smoothing (a leaky integrator with coefficient c delays by c / (1 - c) hops on
    average), half a tick, the wait for a tick's last sample, and the generator.
    """

    def __init__(self, source: Source, fps: Fraction, latency: int, generator_s: float) -> None:
        self._source, self._fps, self._latency = source, fps, latency
        self._generator_s = generator_s
        self._values: Mapping[str, Value] = {}
        self.lead_s = 0.0
        """How much earlier than a microphone's pictures are shown (below 0: later)."""

    def follow(self, values: Mapping[str, Value]) -> None:
        """The controls have changed."""
        self._values = dict(values)
        advance = self._number("advance") / 1000
        if isinstance(self._source, FileInput):
            self.lead_s = min(self._sync_s() + advance, FURTHEST_S)
            self._source.ahead_samples = max(0, round(self.lead_s * SAMPLE_RATE))
        else:
            self.lead_s = min(advance, 0.0)

    def measured(self, generator_s: float) -> None:
        """The generator takes this long at present."""
        if abs(generator_s - self._generator_s) > STEP_S:
            self._generator_s = generator_s
            self.follow(self._values)

    def due(self, number: int) -> float:
        """When the picture of this tick is to be shown (s, monotonic); long ago where it is as soon as it can."""
        if self.lead_s == 0:
            return -math.inf
        end = Fraction((number + 1) * SAMPLE_RATE) / self._fps + self._latency + self._source.delay_samples
        return self._source.time_of(float(end)) + self._generator_s - self.lead_s

    def interval_end(self, number: int) -> float:
        """When the end of this tick's interval was at the microphone, or the ear (s, monotonic)."""
        return self._source.time_of(float(Fraction((number + 1) * SAMPLE_RATE) / self._fps))

    @property
    def clock(self) -> str:
        """What the show goes by, in a word or two."""
        if not isinstance(self._source, FileInput):
            return "live" if self.lead_s == 0 else f"later by {-1000 * self.lead_s:.0f} ms"
        return f"ahead {1000 * self.lead_s:.0f} ms" if self.lead_s else "natural"

    def _sync_s(self) -> float:
        sync = self._values["sync"]
        if sync == "natural":
            return 0.0
        if isinstance(sync, float):
            return sync / 1000
        c = self._number("smoothing")
        samples = c / (1 - c) * HOP + self._latency + float(Fraction(SAMPLE_RATE) / self._fps / 2)
        return samples / SAMPLE_RATE + self._generator_s

    def _number(self, name: str) -> float:
        value = self._values[name]
        assert isinstance(value, float)
        return value


class PresentationQueue:
    """Images that wait for their time, filled by one thread, emptied by another."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, PaintedImage]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._newest = -1  # that has been taken

    def put(self, painted: PaintedImage, due: float) -> None:
        """Keep it until then (s, monotonic)."""
        with self._lock:
            heapq.heappush(self._heap, (due, next(self._order), painted))

    def take(self, now: float) -> tuple[float, PaintedImage] | None:
        """The newest that is due, with its time; older ones are let go."""
        taken = None
        with self._lock:
            while self._heap and self._heap[0][0] <= now:
                due, _, painted = heapq.heappop(self._heap)
                if painted.analysed.tick.number > self._newest:  # else a newer one was due before it
                    taken, self._newest = (due, painted), painted.analysed.tick.number
        return taken

    def next_due(self) -> float:
        """When the next one is; infinity where none waits."""
        with self._lock:
            return self._heap[0][0] if self._heap else math.inf
