"""`ponticello pair auto --report`: what unsupervised pairs do on the film, beside the artist's own (Moore 2025, section 5)."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, UInt8
from numpy.typing import NDArray

from offline.laboratory.generator_probe import GeneratorProbe
from offline.laboratory.look import differences, variety
from offline.laboratory.mapping_measures import SHOWN_SECONDS, SHOWN_SIDE, Bench, frames_of
from offline.laboratory.page import Page, strip
from offline.laboratory.plots import new_plot
from offline.laboratory.table import Column, Table
from offline.pairing.automatic import METHODS
from offline.pairing.session import Pairing
from offline.progress import progress
from shared.atomic import make_folder
from shared.errors import Stopped
from shared.preset import Preset
from shared.preset.corpus import Corpus
from shared.preset.pairs import Pairs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE, CSV = "pairing.html", "pairing.csv"
NEAR = 0.1  # of the map's width: a frame is covered by a pair within this distance
PICTURES = 80  # of the film, evenly spaced, for variety and correlation
OWN = "your pairs"
COLUMNS = (
    Column("method"),
    Column("pairs"),
    Column("coverage", "%", "high", help=f"Sounding frames that have a pair within {NEAR:g} of the map's width."),
    Column(
        "pairs in use",
        best="high",
        help="Effective number of pairs that the sound passes: the exponential of the entropy of the nearest pair.",
    ),
    Column(
        "variety of the images", "grey levels", "high", help="Mean difference of two paired images at 64 x 64 pixels."
    ),
    Column(
        "variety of the film", "grey levels", "high", help=f"Mean difference of two of {PICTURES} pictures of the film."
    ),
    Column(
        "correlation, pairs",
        best="high",
        digits=2,
        help="Spearman correlation, over all couples of pairs, of their distance in sound and their difference in look.",
    ),
    Column(
        "correlation, film",
        best="high",
        digits=2,
        help="The same for couples of moments of the film: 1 means that what sounds alike looks alike.",
    ),
)


@dataclass(frozen=True, eq=False)
class Played:
    """A row of the report."""

    name: str
    numbers: tuple[float, ...]
    strip: UInt8[np.ndarray, "h w 3"]
    images: UInt8[np.ndarray, "_ _ 3"]


def report(preset: Preset, folder: Path, count: int, seed: int) -> Table:
    """Measure every method and the present pairs, write pairing.html and pairing.csv into a folder, return the table.

    Each learns with the preset's own settings and plays the first sound of its corpus. Raises PresetError for a preset
    without corpus, candidates or mapping, Stopped after a Ctrl-C.
    """
    pairing = Pairing(preset, draws=False)
    corpus, frames, probe = pairing.corpus, frames_of(preset, None), GeneratorProbe(preset)
    _ = preset.mapping, new_plot()  # report what is missing before the work
    make_folder(folder)
    sets = [(OWN, pairing.pairs)] if len(pairing.pairs) else []
    rows = []
    with progress("methods", len(sets) + len(METHODS)) as advance:
        try:
            sets += [(method, pairing.automatic(method, count, seed)) for method in METHODS]
            for done, (name, pairs) in enumerate(sets):
                advance(done)
                rows.append(_measured(name, Bench(preset, pairs, frames, 0.0, probe), corpus))
        except KeyboardInterrupt:
            raise Stopped("stopped; nothing was written") from None
    table = Table(COLUMNS, tuple((row.name, *row.numbers) for row in rows))
    table.write_csv(folder / CSV)
    _page(preset, table, rows).write(folder / PAGE)
    return table


def _measured(name: str, bench: Bench, corpus: Corpus) -> Played:
    ticks = bench.play(bench.learn(bench.preset.settings.training))
    some = [ticks[i] for i in np.linspace(0, len(ticks) - 1, min(PICTURES, len(ticks))).round().astype(int)]
    looks = bench.probe.images([tick.picture for tick in some])
    sounds = np.stack([tick.descriptors for tick in some])
    nearest = np.unique([tick.nearest for tick in ticks], return_counts=True)[1] / len(ticks)
    numbers = (
        len(bench.pairs),
        100 * coverage(corpus, bench.pairs),
        float(np.exp(-(nearest * np.log(nearest)).sum())),
        variety(bench.looks),
        variety(looks),
        spearman(distances(bench.pairs.descriptors), differences(bench.looks)),
        spearman(distances(sounds), differences(looks)),
    )
    shown = bench.probe.images([ticks[i].picture for i in bench.shown], SHOWN_SIDE)
    return Played(name, numbers, strip(list(shown)), strip(list(bench.looks)))


def coverage(corpus: Corpus, pairs: Pairs) -> float:
    """The share of the corpus's frames that have a pair near them on the map; pairs without a place cover nothing."""
    places = pairs.positions[np.isfinite(pairs.positions).all(axis=1)]
    covered = np.zeros(len(corpus), bool)
    for place in places:
        covered |= np.square(corpus.positions - place).sum(axis=1) <= NEAR**2
    return float(covered.mean())


def distances(points: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "couples"]:
    """The distance of every two of n points, in the order of `differences`."""
    from scipy.spatial.distance import pdist

    found: NDArray[np.float64] = pdist(points)
    return found


def spearman(a: Float64[np.ndarray, "n"], b: Float64[np.ndarray, "n"]) -> float:
    """Spearman's rank correlation; 0 where one of them does not vary."""
    from scipy.stats import spearmanr

    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a, b).statistic)


def _page(preset: Preset, table: Table, rows: list[Played]) -> Page:
    page = Page(f"{preset.name}: pairs by ear, and without")
    page.text(
        "Unsupervised methods choose moments of sound and images without listening: kmeans takes typical sounds and images in any "
        "order, assignment lays look beside sound, pca lays the main differences of look along those of sound. "
        "Every row has learned its pairs with the settings of the preset, and played the same sound.",
    )
    page.table(table)
    page.plot(_plot(rows), "Up: what sounds alike looks alike. Right: more to see.")
    page.heading(f"The first {SHOWN_SECONDS} seconds")
    for row in rows:
        page.picture(row.strip, row.name)
    page.heading("The images that are paired")
    for row in rows:
        page.picture(row.images, row.name)
    return page


def _plot(rows: list[Played]) -> "Figure":
    figure, (axes,) = new_plot(8, 5)
    for row in rows:
        axes.scatter(row.numbers[4], row.numbers[6])
        axes.annotate(row.name, (row.numbers[4], row.numbers[6]), (6, 4), textcoords="offset points", color="#dddddd")
    axes.set(xlabel="variety of the film (grey levels)", ylabel="correlation of sound and look along the film")
    return figure
