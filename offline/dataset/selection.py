"""Selects frames of a film: those within ranges of time, and every n-th of them."""

from dataclasses import dataclass
from fractions import Fraction

from offline.dataset.film_facts import FilmFacts
from shared.errors import UserError
from shared.times import parse_time

TOLERANCE_S = 1e-6  # a frame at a boundary may lie a rounding error before it


@dataclass(frozen=True)
class Selection:
    """Frames whose time lies in one of the ranges; of those the first, and every `every`th after it."""

    every: int = 1
    ranges: tuple[tuple[Fraction, Fraction], ...] = ()
    """Start (included) and end (excluded) in seconds from the film's start; empty for the whole film."""

    @classmethod
    def parse(cls, every: int, ranges: str | None) -> "Selection":
        """The selection of `--every` and `--ranges`. Raises UserError."""
        if every < 1:
            raise UserError(f"--every {every} given; allowed are whole numbers from 1")
        parsed = []
        for part in ranges.split(",") if ranges else []:
            start, dash, end = part.strip().partition("-")
            if not (dash and start and end):
                raise UserError(
                    f"--ranges {ranges} given; the form is START-END,START-END, e.g. 00:12-00:19,1:02-1:04.5"
                )
            parsed.append((parse_time(start), parse_time(end)))
            if parsed[-1][0] >= parsed[-1][1]:
                raise UserError(f"--ranges: {part.strip()} ends before it starts")
        return cls(every, tuple(parsed))

    @property
    def end(self) -> Fraction | None:
        """Seconds from which on no frame is selected; None for the end of the film."""
        return max((end for _, end in self.ranges), default=None)

    def filters(self) -> str:
        """The selection as ffmpeg filters, each with a comma after it."""
        text = ""
        if self.ranges:
            parts = (
                f"gte(t,{float(start) - TOLERANCE_S:.7f})*lt(t,{float(end) - TOLERANCE_S:.7f})"
                for start, end in self.ranges
            )
            text += f"select='{'+'.join(parts)}',"
        if self.every > 1:
            text += f"select='not(mod(n,{self.every}))',"
        return text

    def estimate(self, facts: FilmFacts) -> int:
        """Estimated number of selected frames, from the container's facts; 0 if it has none."""
        if not (facts.seconds and facts.rate_hz):
            return 0
        seconds = facts.seconds
        if self.ranges:
            edges = [(min(float(start), seconds), min(float(end), seconds)) for start, end in self.ranges]
            seconds = sum(end - start for start, end in edges)
        return -(-round(seconds * facts.rate_hz) // self.every)
