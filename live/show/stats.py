"""How a show went, in numbers (`--stats`)."""

import json
import math
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from live.show.picture_thread import PaintedImage
from shared.atomic import written_atomically

BIN_MS = 0.1
LOWEST_MS, HIGHEST_MS = -3000.0, 7000.0  # beyond, values count as the nearest end
RECENT = 60  # values
STAGES = ("analysis", "turn", "hand_over", "display", "copy", "swap")


class Distribution:
    """Times in ms, counted in bins of 0.1 ms: the same small memory for a minute and for a night."""

    def __init__(self) -> None:
        self._bins = np.zeros(round((HIGHEST_MS - LOWEST_MS) / BIN_MS), np.int64)
        self._largest = -math.inf
        self._recent: deque[float] = deque(maxlen=RECENT)
        self.count = 0

    def add(self, ms: float) -> None:
        """Count a time."""
        place = math.floor((ms - LOWEST_MS) / BIN_MS)
        self._bins[min(max(place, 0), len(self._bins) - 1)] += 1
        self._largest = max(self._largest, ms)
        self._recent.append(ms)
        self.count += 1

    def percentile(self, percent: float) -> float | None:
        """The smallest time, to 0.1 ms, that `percent` of all do not exceed; None where there are none."""
        if not self.count:
            return None
        wanted = max(1, math.ceil(self.count * percent / 100))
        place = int(np.searchsorted(np.cumsum(self._bins), wanted))
        return round(LOWEST_MS + place * BIN_MS, 1)

    def recent(self, percent: float) -> float:
        """The same of the newest 60; NaN where there are none."""
        values = list(self._recent)
        return float(np.percentile(values, percent)) if values else math.nan

    def summary(self) -> dict[str, float | None]:
        """Median, 95th percentile and the largest."""
        largest = round(self._largest, 1) if self.count else None
        return {"p50": self.percentile(50), "p95": self.percentile(95), "max": largest}


class Times:
    """What is measured of every picture that is shown.

    latency     from the end of the tick's interval, at the microphone (or the ear, for a file), to the swap
    excess      from the arrival of the last sound that the tick needed to the swap, less waiting on purpose. Its stages:
    analysis    sound to latent
    turn        until the generator is done with the picture before
    generator   latent to image
    hand_over   until the main thread has the image, or, where it has to wait for its time, from then on
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
        """A picture that was due, taken and shown at these times (s, monotonic); where due is over, as soon as made.

        swap_s: seconds of the swap that showed it.
        """
        analysed, began, wanted = painted.analysed, painted.at - painted.took_s, max(painted.at, due)
        for distribution, seconds in (
            (self.latency, shown - interval_end),
            (self.excess, shown - analysed.at - (wanted - painted.at)),
            (self.analysis, analysed.ready - analysed.at),
            (self.turn, began - analysed.ready),
            (self.generator, painted.took_s),
            (self.hand_over, taken - wanted),
            (self.display, shown - taken),
            (self.copy, painted.copy_s),
            (self.swap, swap_s),
        ):
            distribution.add(1000 * seconds)

    def summary(self) -> dict[str, Any]:
        """As it stands in the file."""
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
