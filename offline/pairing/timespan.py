"""The part of a sound that a waveform shows, zoomed and moved, and its ruler."""

from dataclasses import dataclass

SHORTEST = 0.05  # seconds, the shortest span
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
APART = 64.0  # pixels, the smallest distance between two labels of the ruler


@dataclass(frozen=True)
class Timespan:
    """Seconds from `start` to `end` of a sound of `length` seconds, on `width` pixels."""

    length: float
    width: float
    start: float = 0.0
    end: float = 0.0

    @classmethod
    def whole(cls, length: float, width: float) -> "Timespan":
        """The span of a whole sound."""
        return cls(length, max(1.0, width), 0.0, max(length, SHORTEST))

    def resized(self, width: float) -> "Timespan":
        """The same span on another width."""
        return Timespan(self.length, max(1.0, width), self.start, self.end)

    def pixel(self, seconds: float) -> float:
        """The pixel of a time."""
        return (seconds - self.start) / (self.end - self.start) * self.width

    def seconds(self, pixel: float) -> float:
        """The time at a pixel, limited to the sound."""
        value = self.start + pixel / self.width * (self.end - self.start)
        return min(max(value, 0.0), self.length)

    def zoomed(self, factor: float, pixel: float) -> "Timespan":
        """Zoomed by a factor. The time under the pixel does not move, except at the ends of the sound."""
        share = pixel / self.width
        under = self.start + share * (self.end - self.start)
        span = min(max((self.end - self.start) / factor, SHORTEST), max(self.length, SHORTEST))
        return self._from(under - share * span, span)

    def moved(self, seconds: float) -> "Timespan":
        """Moved by a number of seconds, as far as the sound allows."""
        return self._from(self.start + seconds, self.end - self.start)

    def following(self, seconds: float) -> "Timespan":
        """Unchanged if it contains a time; otherwise moved by a page so that it does."""
        if self.start <= seconds <= self.end:
            return self
        span = self.end - self.start
        return self._from(seconds - 0.05 * span, span)

    def ticks(self) -> list[tuple[float, str]]:
        """Times and labels of the ruler, far enough apart to be read."""
        least = APART / self.width * (self.end - self.start)
        step = next((step for step in STEPS if step >= least), STEPS[-1])
        first = int(-(-self.start // step))
        last = int(self.end // step)
        return [(number * step, _label(number * step, step)) for number in range(first, last + 1)]

    def _from(self, start: float, span: float) -> "Timespan":
        latest = max(0.0, max(self.length, SHORTEST) - span)
        begin = min(max(start, 0.0), latest)
        return Timespan(self.length, self.width, begin, begin + span)


def _label(seconds: float, step: float) -> str:
    minutes, rest = divmod(round(seconds, 3), 60)
    digits = 2 if step < 0.1 else 1 if step < 1 else 0
    width = 2 + (digits + 1 if digits else 0)
    return f"{int(minutes)}:{rest:0{width}.{digits}f}"
