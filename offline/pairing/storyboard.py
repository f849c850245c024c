"""The storyboard: where each moment of sound lies, which image is nearest to it, and where images are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Int64

from offline.pairing.project import PlacedPair
from shared.preset.corpus import Corpus


@dataclass(frozen=True)
class Sound:
    """A sound of the corpus: its number from 0, name, and length in seconds."""

    number: int
    name: str
    seconds: float


@dataclass(frozen=True)
class Moment:
    """What hovering shows: the sound, its second, the descriptors that stand out, and the nearest image.

    striking: (name, value in its unit, standardised value), the farthest from the mean first, at most four.
    """

    row: int
    sound: int
    name: str
    seconds: float
    striking: tuple[tuple[str, float, float], ...]
    nearest: str
    distance: float


@dataclass(frozen=True, eq=False)
class Scale:
    """One number per row, for colours. ranks (m,): 0..1, by order. ticks: (rank, label with unit) for a legend."""

    name: str
    ranks: Float32[np.ndarray, "m"]
    ticks: tuple[tuple[float, str], ...]


class Storyboard:
    """A corpus under a set of pairs. It changes with the pairs (`set_pairs`), the axes and the filter.

    places (m, 2) float32: on the chosen axes, 0..1, right and up.   visible (m,): passes the filter.
    nearest (m,): number of the nearest pair, -1 without pairs.      gap (m,): distance to it on the map, infinite without.
    """

    def __init__(self, corpus: Corpus) -> None:
        raise NotImplementedError

    places: Float32[np.ndarray, "m 2"]
    visible: Bool[np.ndarray, "m"]
    nearest: Int64[np.ndarray, "m"]
    gap: Float32[np.ndarray, "m"]

    @property
    def sounds(self) -> list[Sound]:
        """In the order of the corpus."""
        raise NotImplementedError

    def set_pairs(self, pairs: Sequence[PlacedPair]) -> None:
        """Find territories and gaps anew: about 15 ms for 50,000 rows."""
        raise NotImplementedError

    # axes, colours and filter

    @property
    def axes_names(self) -> list[str]:
        """What `set_axes` takes: map, component 1, component 2, ..., and every descriptor."""
        raise NotImplementedError

    def set_axes(self, x: str, y: str) -> None:
        """Show other axes; `map`, `map` is UMAP. Pairs can be placed on any axes: they are paired with the nearest row."""
        raise NotImplementedError

    @property
    def axes(self) -> tuple[str, str]:
        """The axes that are shown."""
        raise NotImplementedError

    def scale(self, name: str) -> Scale:
        """Numbers for colours: `time`, `sound`, or a descriptor's name."""
        raise NotImplementedError

    def range_of(self, descriptor: str) -> tuple[float, float]:
        """Its least and greatest value in the corpus, in its unit."""
        raise NotImplementedError

    def filter(self, descriptor: str | None, low: float = 0.0, high: float = 0.0) -> None:
        """Show only rows whose value lies within low..high, in its unit; None: all."""
        raise NotImplementedError

    def show_sounds(self, numbers: Sequence[int] | None) -> None:
        """Show only rows of these sounds; None: all."""
        raise NotImplementedError

    # look-ups

    def row_at(self, x: float, y: float) -> int:
        """The visible row nearest to a place on the shown axes (≤ 0.1 ms)."""
        raise NotImplementedError

    def row_of(self, sound: int, seconds: float) -> int:
        """The row of a moment: of a silent one, the last that sounded."""
        raise NotImplementedError

    def time_of(self, row: int) -> tuple[int, float]:
        """Sound and second of a row."""
        raise NotImplementedError

    def moment(self, row: int) -> Moment:
        """What hovering shows of a row."""
        raise NotImplementedError

    def place_of(self, row: int) -> tuple[float, float]:
        """Where a row lies on the shown axes."""
        raise NotImplementedError

    def place_of_pair(self, number: int) -> tuple[float, float]:
        """Where a pair lies on the shown axes: its own place on the map, on other axes that of its row."""
        raise NotImplementedError

    def farthest(self) -> int | None:
        """The visible row that is farthest from every image; None without pairs."""
        raise NotImplementedError

    # the film at a glance

    def rows(self, sound: int, start: float, end: float, columns: int) -> Int64[np.ndarray, "columns"]:
        """The row in the middle of each of `columns` equal parts of start..end seconds: colours of a waveform."""
        raise NotImplementedError

    def strip(self, sound: int, start: float, end: float, columns: int) -> Int64[np.ndarray, "columns"]:
        """The nearest pair in each of `columns` equal parts of start..end seconds, -1 without pairs: the mock-up film."""
        raise NotImplementedError


Axis = Literal["map"] | str
