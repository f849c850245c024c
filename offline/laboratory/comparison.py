"""`ponticello train --compare`: regressors, numbers of pairs and preprocessing side by side, on a page and as CSV."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from jaxtyping import UInt8

from offline.laboratory.generator_probe import GeneratorProbe
from offline.laboratory.mapping_measures import SHOWN_SECONDS, Bench, Measures, frames_of
from offline.laboratory.page import Page, strip
from offline.laboratory.plots import new_plot
from offline.laboratory.table import Column, Table
from offline.laboratory.variants import Variant, variants
from offline.pictures import read_png, write_png
from offline.progress import progress, say
from offline.train import scaled_pairs
from shared.atomic import make_folder, written_atomically
from shared.errors import PresetError, Stopped, pasted
from shared.preset import Preset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERSION = 1  # of the measurement: rows of another one are measured again
FEWEST = 3  # pairs
PAGE, CSV, ROWS = "comparison.html", "comparison.csv", "rows"
COLUMNS = (
    Column(
        "loss at pairs",
        best="low",
        help="Mean squared error at the pairs that were learned: 0 means that each of them brings back its image.",
    ),
    Column(
        "left out",
        "deviations",
        "low",
        help="Each pair is predicted by a mapping of the others: distance of that w from the pair's own.",
    ),
    Column(
        "left out, look",
        "grey levels",
        "low",
        help="The same two images compared: mean absolute difference of 64 x 64 pixels.",
    ),
    Column(
        "bend",
        "deviations",
        "low",
        help="Sum of the second differences of w along a straight line from one pair to another: 0 is a straight and even path.",
    ),
    Column("speed", "deviations/s", help="Median speed of w while the sound plays."),
    Column("speed, 95 %", "deviations/s", help="95th percentile of that speed."),
    Column(
        "distance",
        "deviations",
        help="Median distance of w from the mean: 1 is usual, below are average images, above exaggerated ones.",
    ),
    Column(
        "Mahalanobis",
        help="Median Mahalanobis distance of w over the root of its dimensions: 1 is usual, more lies in directions that random images avoid.",
    ),
    Column("variety", "grey levels", "high", help="Mean difference of two pictures of the strip."),
)
INTRODUCTION = (
    "Every row learned the same pairs with other settings, and played the same sound. No row is right: a mapping that bends little moves "
    "evenly from image to image, one that bends much has more to show between them.",
    "The latents of the pairs are random vectors. Nothing in the other pairs predicts them, so the error of a pair that is left out "
    "does not say how well a mapping works. It says what a sound brings that is unlike all pairs: something near the average image "
    "(a low error), or a picture of its own (a high one).",
)


def compare(preset: Preset, folder: Path, sound: Path | None, start_s: float, device: str | None) -> Table:
    """Measure all variants, write comparison.html and comparison.csv into a folder, and return the table.

    Finished rows are kept in the folder: after an interruption the same call goes on. Raises PresetError for fewer than
    three pairs or a preset that was never trained, Stopped after a Ctrl-C.
    """
    pairs, _ = scaled_pairs(preset)
    if len(pairs) < FEWEST:
        raise PresetError(
            f"{preset.name} has {len(pairs)} pairs; a comparison needs {FEWEST} at least: pair more images"
        )
    probe = GeneratorProbe(preset, device)
    bench = Bench(preset, pairs, frames_of(preset, sound), start_s, probe)
    _ = new_plot(), bench.shown  # report what is missing before the work
    make_folder(folder)
    make_folder(folder / ROWS)
    rows = _measured(bench, variants(preset.settings.training, len(pairs)), folder)
    table = Table((Column("group"), Column("variant"), *COLUMNS), tuple(_row(*row[:2]) for row in rows))
    table.write_csv(folder / CSV)
    _page(bench, table, rows).write(folder / PAGE)
    return table


Row = tuple[Variant, Measures, UInt8[np.ndarray, "h w 3"]]


def _measured(bench: Bench, wanted: list[Variant], folder: Path) -> list[Row]:
    rows: list[Row] = []
    known = 0
    with progress("variants", len(wanted)) as advance:
        try:
            for done, variant in enumerate(wanted):
                advance(done)
                stem = folder / ROWS / _key(bench, variant)
                numbers, picture = stem.with_suffix(".json"), stem.with_suffix(".png")
                if numbers.is_file() and picture.is_file():
                    known += 1
                else:
                    measures, images = bench.measure(variant.training)
                    write_png(picture, strip(list(images)), variant.title, 1 << 16)
                    with written_atomically(numbers) as temporary:
                        temporary.write_bytes(msgspec.json.encode(measures))
                rows.append((variant, msgspec.json.decode(numbers.read_bytes(), type=Measures), read_png(picture)))
        except KeyboardInterrupt:
            raise Stopped(f"stopped after {len(rows)} of {len(wanted)} variants; the same command goes on") from None
    if known:
        say(f"{known} of {len(wanted)} variants were measured before")
    return rows


def _key(bench: Bench, variant: Variant) -> str:
    """A name for a row by everything that it depends on."""
    preset = bench.preset
    facts = (
        VERSION,
        msgspec.to_builtins(variant.training),
        bench.pairs.digest,
        preset.generator_sha256,
        dict(preset.controls),
        preset.settings.inputs,
        bench.start_s,
        hashlib.sha256(np.ascontiguousarray(bench.frames).tobytes()).hexdigest(),
    )
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:20]


def _row(variant: Variant, measures: Measures) -> tuple[str | float, ...]:
    return (variant.group, variant.title, *msgspec.structs.astuple(measures))


def _page(bench: Bench, table: Table, rows: list[Row]) -> Page:
    preset, (far, look) = bench.preset, bench.chance
    page = Page(f"{preset.name}: the mapping, in {len(rows)} variants")
    page.text(
        *INTRODUCTION,
        f"For comparison, two different pairs' images are {far:.2f} deviations and {look:.1f} grey levels apart.",
    )
    page.table(table)
    page.plot(_plot(rows), "Left: still; right: restless. Low: calm paths between the pairs.")
    page.heading(f"The same {SHOWN_SECONDS} seconds")
    page.text(f"From {bench.start_s:g} s of the sound on, left to right.")
    for variant, _, picture in rows:
        page.picture(picture, f"{variant.group}: {variant.title}")
    page.heading("To choose one")
    page.text(
        f"ponticello train {pasted(preset.folder)} --regressor NAME, or --pairs N, or --preprocessing NAME, writes the choice to "
        "preset.toml and trains. All other settings stand in its table [training]; see docs/presets.md."
    )
    return page


def _plot(rows: list[Row]) -> "Figure":
    figure, (axes,) = new_plot(10, 6)
    for group in dict.fromkeys(variant.group for variant, *_ in rows):
        members = [(variant, measures) for variant, measures, _ in rows if variant.group == group]
        members = [(v, m) for v, m in members if v == next(row for row, *_ in rows if row.training == v.training)]
        axes.scatter([m.speed for _, m in members], [m.bend for _, m in members], label=group)
        for variant, measures in members:
            axes.annotate(
                variant.title,
                (measures.speed, measures.bend),
                (4, 3),
                textcoords="offset points",
                color="#dddddd",
                fontsize=7,
            )
    axes.set(xlabel="median speed along the sound (deviations/s)", ylabel="bend between pairs (deviations)")
    axes.legend(facecolor="#151515", labelcolor="#dddddd")
    return figure
