"""When a picture is shown: as soon as it is painted, or earlier or later so that it matches the sound."""

import math
from collections.abc import Mapping
from fractions import Fraction

from live.sound.file_input import FileInput
from live.sound.source import Source
from shared.controls import Value
from shared.stage import HOP, SAMPLE_RATE

MAX_LEAD_S = 1.0  # that a file is read ahead: commands to it are heard as late
STEP_S = 0.004  # smallest change of the generator's time that moves pictures


class Timing:
    """Presentation times of ticks, from the controls `sync`, `advance` and `smoothing` and the generator's measured time.

    Pictures of a microphone are shown when they are painted; only a negative `advance` delays them. A file is read ahead
    of the ear by the delay of the chain: smoothing (a leaky integrator with coefficient c delays by c / (1 - c) hops on
    average), half a tick, the wait for a tick's last sample, and the generator.

    latency: of the pipeline, in samples. generator_s: seconds that a picture takes.
    """

    def __init__(self, source: Source, fps: Fraction, latency: int, generator_s: float) -> None:
        self._source, self._fps, self._latency = source, fps, latency
        self._generator_s = generator_s
        self._values: Mapping[str, Value] = {}
        self.lead_s = 0.0
        """How much earlier than a microphone's the pictures are shown (negative: later)."""

    def follow(self, values: Mapping[str, Value]) -> None:
        """Use new values of the controls."""
        self._values = dict(values)
        advance = self._number("advance") / 1000
        if isinstance(self._source, FileInput):
            self.lead_s = min(self._sync_s() + advance, MAX_LEAD_S)
            self._source.ahead_samples = max(0, round(self.lead_s * SAMPLE_RATE))
        else:
            self.lead_s = min(advance, 0.0)

    def measured(self, generator_s: float) -> None:
        """Use a new measurement of the generator's time."""
        if abs(generator_s - self._generator_s) > STEP_S:
            self._generator_s = generator_s
            self.follow(self._values)

    def due(self, number: int) -> float:
        """When the picture of a tick is due (s, monotonic); minus infinity if as soon as possible."""
        if self.lead_s == 0:
            return -math.inf
        end = Fraction((number + 1) * SAMPLE_RATE) / self._fps + self._latency + self._source.delay_samples
        return self._source.time_of(float(end)) + self._generator_s - self.lead_s

    def interval_end(self, number: int) -> float:
        """When the end of a tick's interval was at the microphone or the ear (s, monotonic)."""
        return self._source.time_of(float(Fraction((number + 1) * SAMPLE_RATE) / self._fps))

    @property
    def clock(self) -> str:
        """The timing in a word or two."""
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
