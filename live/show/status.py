"""How a show is doing: the rate of pictures, latency, drops; and whether the generator is too slow."""

import math
from collections import deque
from dataclasses import asdict
from typing import Any

from live.show.engine import Engine
from live.show.picture_thread import PaintedImage, PictureThread
from live.show.stats import Times
from live.show.timing import Timing
from live.sound.source import Source
from shared.stage import SAMPLE_RATE

SPAN_S = 4.0  # over which drops are counted
TOO_MANY = 0.1  # share of dropped ticks from which on the generator is too slow


class Status:
    """Measures the pictures shown and reports once a second; only the main thread calls it."""

    def __init__(self, source: Source, engine: Engine, pictures: PictureThread, timing: Timing) -> None:
        self._source, self._engine, self._pictures, self._timing = source, engine, pictures, timing
        self.times = Times()
        self._shown: deque[float] = deque(maxlen=120)  # times of the newest pictures
        self._history: deque[tuple[float, int, int]] = deque(maxlen=int(SPAN_S) + 2)  # time, ticks, drops; each second
        self._told_slow = False
        self._longest_gap_s = 0.0

    def shown(self, painted: PaintedImage, due: float, taken: float, shown: float, swap_s: float) -> None:
        """A picture that was due, taken and shown at these times (s, monotonic). swap_s: seconds of its swap."""
        if self._shown:
            self._longest_gap_s = max(self._longest_gap_s, shown - self._shown[-1])
        self._shown.append(shown)
        self.times.add(painted, self._timing.interval_end(painted.number), due, taken, shown, swap_s)

    def rate(self, now: float) -> float:
        """Pictures shown in the last second."""
        return float(sum(now - shown < 1 for shown in self._shown))

    def report(self, now: float) -> tuple[float, float, int, int, int]:
        """Values of the OSC output `status`; also passes the generator's time on to the timing."""
        if self.times.generator.count:
            self._timing.measured(self.times.generator.recent(75) / 1000)
        latency, counters = self.times.latency.recent(50), self._source.counters
        latency = 0.0 if math.isnan(latency) else latency
        return self.rate(now), latency, self._pictures.dropped, counters.overflows, counters.xruns

    def slow_line(self, now: float) -> str | None:
        """A line for the player, once, when the generator cannot keep up. Call it every second."""
        self._history.append((now, self._engine.ticks, self._pictures.dropped))
        then, ticks, dropped = self._history[0]
        if self._told_slow or now - then < SPAN_S or not self._pictures.painted:
            return None
        if self._pictures.dropped - dropped <= TOO_MANY * (self._engine.ticks - ticks):
            return None
        self._told_slow = True
        return (
            f"the generator makes {self.rate(now):.1f} pictures a second of {float(self._engine.pipeline.fps):g}: the newest "
            "are shown, the others dropped; a faster --device or a smaller generator makes more"
        )

    def summary(self) -> dict[str, Any]:
        """The measurements for `--stats`."""
        return {
            "input": self._source.label,
            "ticks": self._engine.ticks,
            "pictures": self._pictures.painted,
            "dropped": self._pictures.dropped,
            "frames": self._engine.frames,
            "sound_seconds": round(self._engine.pipeline.samples / SAMPLE_RATE, 3),
            **asdict(self._source.counters),
            **self.times.summary(),
            "longest_gap_ms": round(1000 * self._longest_gap_s, 1),
            "lead_ms": round(1000 * self._timing.lead_s, 1),
        }
