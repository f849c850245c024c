"""The storyboard: the position of each frame of sound, the image nearest to it, and gaps without images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from offline.corpus.sound_map import principal_components
from offline.pairing.placed_pairs import PlacedPair
from shared.errors import SettingError
from shared.preset.corpus import Corpus
from shared.stage import HOP, SAMPLE_RATE

STRIKING = 4  # descriptors shown when hovering over a frame
UNITS = {
    "centroid": "Hz",
    "spread": "Hz",
    "rolloff": "Hz",
    "pitch": "Hz",
    "loudness": "dB",
    "crest": "dB",
    "flatness": "dB",
}
TICKS = (0.0, 0.5, 1.0)  # ranks that a legend names


@dataclass(frozen=True)
class Sound:
    """A sound of the corpus: its number from 0, name, and length in seconds."""

    number: int
    name: str
    seconds: float


@dataclass(frozen=True)
class Moment:
    """The text for hovering over a frame: the sound, the time in it, its most unusual descriptors, and the nearest image.

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

    def __init__(self, corpus: Corpus, tree: cKDTree | None = None) -> None:
        self.corpus = corpus
        self._map_tree = tree or cKDTree(corpus.positions)
        self._filters: dict[str, NDArray[np.bool_]] = {}
        self._pairs: list[PlacedPair] = []
        self._given: Sequence[PlacedPair] | None = None
        self._scales: dict[str, Scale] = {}
        self._components: NDArray[np.float64] | None = None
        self.visible: Bool[np.ndarray, "m"] = np.ones(len(corpus), bool)
        self.set_axes("map", "map")
        self.set_pairs([])

    @property
    def sounds(self) -> list[Sound]:
        """The sounds, in the order of the corpus."""
        sounds = self.corpus.facts.sounds
        return [Sound(i, sound.name, sound.frames * HOP / SAMPLE_RATE) for i, sound in enumerate(sounds)]

    def set_pairs(self, pairs: Sequence[PlacedPair]) -> None:
        """Update territories and gaps; takes about 15 ms for 50,000 rows, and no time for the same list as before."""
        if pairs is self._given:
            return
        self._given = pairs
        self._pairs = list(pairs)
        numbers = [i for i, pair in enumerate(pairs) if np.isfinite([pair.x, pair.y]).all()]
        self.nearest: Int64[np.ndarray, "m"] = np.full(len(self.corpus), -1)
        self.gap: Float32[np.ndarray, "m"] = np.full(len(self.corpus), np.inf, np.float32)
        if numbers:
            placed = cKDTree(np.array([(pairs[i].x, pairs[i].y) for i in numbers]))
            gap, nearest = placed.query(self.corpus.positions)
            self.gap, self.nearest = gap.astype(np.float32), np.array(numbers)[nearest]

    # axes, colours and filter

    @property
    def axes_names(self) -> list[str]:
        """What `set_axes` takes: map, component 1, component 2, ..., and every descriptor."""
        components = [f"component {i + 1}" for i in range(min(6, len(self.corpus.facts.inputs)))]
        return ["map", *components, *self.corpus.facts.descriptors]

    def set_axes(self, x: str, y: str) -> None:
        """Show other axes; `map`, `map` is UMAP. Images can be placed on any axes: they are paired with the nearest row."""
        for name in (x, y):
            if name not in self.axes_names:
                raise SettingError(f"no axis '{name}'; there are: {', '.join(self.axes_names)}")
        columns = [self._axis(name, number) for number, name in enumerate((x, y))]
        self.axes = (x, y)
        self.places: Float32[np.ndarray, "m 2"] = np.stack(columns, axis=1).astype(np.float32)
        self._find_visible()

    def _axis(self, name: str, number: int) -> Float64[np.ndarray, "m"]:
        if name == "map":
            return np.asarray(self.corpus.positions[:, number])
        if name.startswith("component "):
            if self._components is None:
                self._components = principal_components(self.corpus.standardised, 1.0)[0]
            column = min(int(name.split()[1]), self._components.shape[1]) - 1
            return _stretched(self._components[:, column])
        return _stretched(self.corpus.descriptors[:, self.corpus.facts.descriptors.index(name)])

    def scale(self, name: str) -> Scale:
        """Numbers for colours: `time`, `sound`, or a descriptor's name."""
        if name not in self._scales:
            corpus = self.corpus
            if name == "time":
                values = corpus.frame + corpus.sound * (corpus.frame.max() + 1)
            elif name == "sound":
                values = corpus.sound
            elif name in corpus.facts.descriptors:
                values = corpus.descriptors[:, corpus.facts.descriptors.index(name)]
            else:
                raise SettingError(f"no colour '{name}'; there are: time, sound, {', '.join(corpus.facts.descriptors)}")
            self._scales[name] = self._ranked(name, values)
        return self._scales[name]

    def _ranked(self, name: str, values: NDArray[np.generic]) -> Scale:
        if name == "sound":
            sounds = self.corpus.facts.sounds
            steps = max(1, len(sounds) - 1)
            ticks = tuple((i / steps, sound.name) for i, sound in enumerate(sounds))
            return Scale(name, (self.corpus.sound / steps).astype(np.float32), ticks)
        order = np.argsort(values, kind="stable")
        ranks = np.empty(len(order), np.float32)
        ranks[order] = np.linspace(0, 1, len(order), dtype=np.float32)
        marks = [order[round(rank * (len(order) - 1))] for rank in TICKS]
        return Scale(
            name, ranks, tuple((rank, self._label(name, int(row))) for rank, row in zip(TICKS, marks, strict=True))
        )

    def _label(self, name: str, row: int) -> str:
        if name == "time":
            sound, seconds = self.time_of(row)
            start = f"{self.corpus.facts.sounds[sound].name} " if len(self.corpus.facts.sounds) > 1 else ""
            return f"{start}{int(seconds // 60)}:{seconds % 60:04.1f}"
        value = float(self.corpus.descriptors[row, self.corpus.facts.descriptors.index(name)])
        return f"{value:.3g} {UNITS.get(name, '')}".rstrip()

    def range_of(self, descriptor: str) -> tuple[float, float]:
        """Its smallest and largest value in the corpus, in its unit."""
        values = self.corpus.descriptors[:, self.corpus.facts.descriptors.index(descriptor)]
        return float(values.min()), float(values.max())

    def filter(self, descriptor: str | None, low: float = 0.0, high: float = 0.0) -> None:
        """Show only rows whose value lies within low..high, in its unit; None: all."""
        self._filters.pop("descriptor", None)
        if descriptor is not None:
            values = self.corpus.descriptors[:, self.corpus.facts.descriptors.index(descriptor)]
            self._filters["descriptor"] = (values >= low) & (values <= high)
        self._find_visible()

    def show_sounds(self, numbers: Sequence[int] | None) -> None:
        """Show only rows of these sounds; None: all."""
        self._filters.pop("sounds", None)
        if numbers is not None:
            self._filters["sounds"] = np.isin(self.corpus.sound, list(numbers))
        self._find_visible()

    def _find_visible(self) -> None:
        """Update the rows that pass the filters, and the tree for finding the nearest one on the shown axes."""
        self.visible = np.logical_and.reduce([np.ones(len(self.corpus), bool), *self._filters.values()])
        self._shown: NDArray[np.int64] | None = None
        if self.axes == ("map", "map") and self.visible.all():
            self._tree: cKDTree | None = self._map_tree
        elif self.visible.any():
            self._shown = np.flatnonzero(self.visible)
            self._tree = cKDTree(self.places[self._shown])
        else:
            self._tree = None

    # look-ups

    def row_at(self, x: float, y: float) -> int:
        """The visible row nearest to a position on the shown axes (≤ 0.1 ms), or of all rows if none is visible."""
        tree = self._map_tree if self._tree is None else self._tree
        row = int(tree.query((x, y))[1])
        return row if self._tree is None or self._shown is None else int(self._shown[row])

    def row_of(self, sound: int, seconds: float) -> int:
        """The row of a time in a sound; in a silence, the last row that sounded."""
        rows = self.corpus.frames_of(sound)
        return int(rows[min(max(round(seconds * SAMPLE_RATE / HOP), 0), len(rows) - 1)])

    def time_of(self, row: int) -> tuple[int, float]:
        """The sound of a row, and the time in it in seconds."""
        return int(self.corpus.sound[row]), float(self.corpus.frame[row] * HOP / SAMPLE_RATE)

    def moment(self, row: int) -> Moment:
        """The text for hovering over a row."""
        facts = self.corpus.facts
        sound, seconds = self.time_of(row)
        standard = self.corpus.standardised[row]
        striking = []
        for i in np.argsort(-np.abs(standard), kind="stable")[:STRIKING].tolist():
            raw = self.corpus.descriptors[row, facts.descriptors.index(facts.inputs[i])]
            striking.append((facts.inputs[i], float(raw), float(standard[i])))
        number = int(self.nearest[row])
        name = self._pairs[number].name if number >= 0 else ""
        return Moment(row, sound, facts.sounds[sound].name, seconds, tuple(striking), name, float(self.gap[row]))

    def place_of(self, row: int) -> tuple[float, float]:
        """The position of a row on the shown axes."""
        return float(self.places[row, 0]), float(self.places[row, 1])

    def place_of_pair(self, number: int) -> tuple[float, float]:
        """The position of a pair: its own on the map, that of its row on other axes."""
        pair = self._pairs[number]
        is_map = self.axes == ("map", "map") and np.isfinite([pair.x, pair.y]).all()
        return (pair.x, pair.y) if is_map else self.place_of(pair.row)

    def farthest(self) -> int | None:
        """The visible row farthest from all images; None without placed images."""
        gap = np.where(self.visible, self.gap, -1)
        row = int(gap.argmax())
        return row if np.isfinite(gap[row]) and gap[row] >= 0 else None

    # the film at a glance

    def rows(self, sound: int, start: float, end: float, columns: int) -> Int64[np.ndarray, "columns"]:
        """The row in the middle of each of `columns` equal parts of start..end seconds, for the waveform's colours."""
        rows = self.corpus.frames_of(sound)
        middles = start + (np.arange(columns) + 0.5) * (end - start) / max(1, columns)
        return np.asarray(rows[np.clip(np.round(middles * SAMPLE_RATE / HOP).astype(int), 0, len(rows) - 1)])

    def strip(self, sound: int, start: float, end: float, columns: int) -> Int64[np.ndarray, "columns"]:
        """The nearest pair in each of `columns` equal parts of start..end seconds, -1 without pairs: the mock-up film."""
        return np.asarray(self.nearest[self.rows(sound, start, end, columns)])


def _stretched(values: Float64[np.ndarray, "m"]) -> Float64[np.ndarray, "m"]:
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low or 1.0))
