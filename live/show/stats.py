"""Measurements of a show (`--stats`)."""

import json
import math
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from live.show.picture_thread import PaintedImage
from shared.atomic import written_atomically

BIN_MS = 0.1
LOWEST_MS, HIGHEST_MS = -3000.0, 7000.0  # values outside count as the nearest end
RECENT = 60  # values
STAGES = ("analysis", "turn", "hand_over", "display", "copy", "swap")


class Distribution:
    """A histogram of times in bins of 0.1 ms: constant memory, however long the show."""

    def __init__(self) -> None:
        self._bins = np.zeros(round((HIGHEST_MS - LOWEST_MS) / BIN_MS), np.int64)
        self._largest = -math.inf
        self._recent: deque[float] = deque(maxlen=RECENT)
        self.count = 0

    def add(self, ms: float) -> None:
        """Count a time in ms."""
        place = math.floor((ms - LOWEST_MS) / BIN_MS)
        self._bins[min(max(place, 0), len(self._bins) - 1)] += 1
        self._largest = max(self._largest, ms)
        self._recent.append(ms)
        self.count += 1

    def percentile(self, percent: float) -> float | None:
        """The time in ms, to 0.1 ms, that `percent` of all do not exceed; None if there are none."""
        if not self.count:
            return None
        earliest = max(1, math.ceil(self.count * percent / 100))
        place = int(np.searchsorted(np.cumsum(self._bins), earliest))
        return round(LOWEST_MS + place * BIN_MS, 1)

    def recent(self, percent: float) -> float:
        """The same for the newest 60; NaN if there are none."""
        values = list(self._recent)
        return float(np.percentile(values, percent)) if values else math.nan

    def summary(self) -> dict[str, float | None]:
        """Median, 95th percentile and maximum."""
        largest = round(self._largest, 1) if self.count else None
        return {"p50": self.percentile(50), "p95": self.percentile(95), "max": largest}


class Times:
    """Times of every picture shown.

    latency     from the end of the tick's interval, at the microphone (or the ear, for a file), to the buffer swap
    excess      from the arrival of the last sound that the tick needed to the swap, without intended waiting. Its stages:
    analysis    sound to latent
    turn        wait for the generator to finish the previous picture
    generator   latent to image
    hand_over   wait for the main thread, from when the image is ready and due
    display     image to swap
    copy        from the card's memory to the host's, a part of `generator`; 0 without a card
    swap        the swap itself, a part of `display`; 0 without a window
    """

    def __init__(self) -> None:
        self.latency, self.excess, self.generator = Distribution(), Distribution(), Distribution()
        self.analysis, self.turn, self.hand_over, self.display = (Distribution() for _ in range(4))
        self.copy, self.swap = Distribution(), Distribution()

    def add(
        self,
        painted: PaintedImage,
        interval_end: float,
        due: float,
        taken: float,
        shown: float,
        swap_s: float = 0.0,
    ) -> None:
        """A picture that was due, taken and shown at these times (s, monotonic). swap_s: seconds of the swap that showed it."""
        analysed, start, earliest = painted.analysed, painted.ready - painted.generator_s, max(painted.ready, due)
        for distribution, seconds in (
            (self.latency, shown - interval_end),
            (self.excess, shown - analysed.arrived - (earliest - painted.ready)),
            (self.analysis, analysed.ready - analysed.arrived),
            (self.turn, start - analysed.ready),
            (self.generator, painted.generator_s),
            (self.hand_over, taken - earliest),
            (self.display, shown - taken),
            (self.copy, painted.copy_s),
            (self.swap, swap_s),
        ):
            distribution.add(1000 * seconds)

    def summary(self) -> dict[str, Any]:
        """The measurements as written to the file."""
        return {
            "latency_ms": self.latency.summary(),
            "excess_ms": self.excess.summary(),
            "generator_ms": self.generator.summary(),
            "stages_ms": {name: getattr(self, name).summary() for name in STAGES},
        }


def save(path: Path, numbers: dict[str, Any]) -> None:
    """Write a JSON file."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(numbers, indent=2) + "\n", "utf-8")
