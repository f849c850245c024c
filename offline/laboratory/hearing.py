"""`ponticello analyse SOUND --compare PAGE.html`: the descriptor sets on one sound, their maps side by side."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from offline.corpus.corpus import silence_left_out
from offline.corpus.sound_map import sound_map
from offline.laboratory.page import Page
from offline.laboratory.plots import new_plot
from offline.laboratory.table import Column, Table
from offline.progress import progress
from offline.silence import silence_remark
from shared.audio.descriptors import SETS, WIDE, SetName, describe_blocks
from shared.audio.files import SoundReader
from shared.errors import SoundError
from shared.mapping.scaling import Standardizer
from shared.stage import HOP, SAMPLE_RATE

MOMENTS = 17  # as many as the paper pairs
NEIGHBOURS = 3  # frames before and after a moment, 35 ms each way, that should be taken for it
LEAST = MOMENTS * (2 * NEIGHBOURS + 1)


@dataclass(frozen=True, eq=False)
class Heard:
    """A sound by one descriptor set.

    positions (m, 2): the map of the sounding frames. moments (17,): their numbers, evenly spread over the sound.
    recognised, on_map: share of the frames beside a moment that are nearer to it than to the other moments, over all
    columns and on the map. apart: median distance between two moments over that between a moment and a frame beside it.
    """

    name: SetName
    columns: int
    components: int
    positions: Float64[np.ndarray, "m 2"]
    moments: Int64[np.ndarray, "17"]
    recognised: float
    on_map: float
    apart: float


def compare_sets(sound: Path, output: Path, channel: int | None = None, seed: int = 0) -> Table:
    """Write a page about a sound by all descriptor sets; return its table. Raises SoundError and UserError."""
    _ = new_plot()  # report what is missing before the work
    with SoundReader(sound, channel) as reader, progress(sound.name, reader.frames) as advance:
        blocks = []
        for rows in describe_blocks(reader.blocks(), WIDE):
            blocks.append(rows)
            advance(reader.frames_read)
        remarks = [remark for remark in [*reader.remarks(), silence_remark(sound, channel)] if remark]
    rows = np.concatenate(blocks)
    frame, _ = silence_left_out(rows, sound)
    if len(frame) < LEAST:
        raise SoundError(
            f"{sound}: {len(frame)} sounding frames; {MOMENTS} moments need at least {LEAST} ({LEAST * HOP / SAMPLE_RATE:.1f} s): "
            "give a longer sound"
        )
    found = [hear(name, rows[frame], seed) for name in SETS]
    table = _table(found)
    _page(sound, frame, found, table, remarks).write(output)
    return table


def hear(name: SetName, rows: Float64[np.ndarray, "m 76"], seed: int = 0) -> Heard:
    """The sounding frames of a sound by one set."""
    heard = rows[:, [WIDE.index(column) for column in SETS[name]]]
    standardised = Standardizer.fit(heard).process(heard)
    made = sound_map(standardised, seed)
    moments = evenly_spread(len(rows))
    return Heard(
        name,
        len(SETS[name]),
        made.components,
        made.positions,
        moments,
        recognised(standardised, moments),
        recognised(made.positions, moments),
        apart(standardised, moments),
    )


def evenly_spread(count: int) -> Int64[np.ndarray, "17"]:
    """The frames in the middle of 17 equal parts."""
    middles = (np.arange(MOMENTS) + 0.5) * count / MOMENTS
    return np.asarray(middles, np.int64)


def beside(moments: Int64[np.ndarray, "k"]) -> Int64[np.ndarray, "k 6"]:
    """The numbers of the frames beside each moment."""
    steps = np.concatenate([np.arange(-NEIGHBOURS, 0), np.arange(1, NEIGHBOURS + 1)])
    return np.asarray(moments[:, None] + steps)


def recognised(points: Float64[np.ndarray, "m d"], moments: Int64[np.ndarray, "k"]) -> float:
    """Share of the frames beside a moment whose nearest moment it is."""
    near = points[beside(moments)]
    distances = np.linalg.norm(near[:, :, None] - points[moments], axis=3)
    return float((distances.argmin(axis=2) == np.arange(len(moments))[:, None]).mean())


def apart(points: Float64[np.ndarray, "m d"], moments: Int64[np.ndarray, "k"]) -> float:
    """Median distance between two moments, over the median distance between a moment and a frame beside it."""
    chosen = points[moments]
    pairs: NDArray[np.float64] = np.linalg.norm(chosen[:, None] - chosen, axis=2)[np.triu_indices(len(moments), 1)]
    near = np.linalg.norm(points[beside(moments)] - chosen[:, None], axis=2)
    return float(np.median(pairs) / max(float(np.median(near)), 1e-12))


def _table(found: list[Heard]) -> Table:
    columns = (
        Column("set"),
        Column("columns"),
        Column("components", help="Principal components that keep 99 % of the variance."),
        Column(
            "recognised",
            "%",
            "high",
            help=f"Of the {2 * NEIGHBOURS} frames within 35 ms of each of {MOMENTS} moments, those nearest to their own moment.",
        ),
        Column(
            "recognised on the map", "%", "high", help="The same by places on the 2-D map, where images are paired."
        ),
        Column(
            "apart",
            best="high",
            help="Median distance between two moments, over the median distance between a moment and the frames beside it.",
        ),
    )
    rows = tuple(
        (each.name, each.columns, each.components, 100 * each.recognised, 100 * each.on_map, each.apart)
        for each in found
    )
    return Table(columns, rows)


def _page(sound: Path, frame: Int64[np.ndarray, "m"], found: list[Heard], table: Table, remarks: list[str]) -> Page:
    page = Page(f"{sound.name} by {len(found)} descriptor sets")
    page.text(
        f"{len(frame)} sounding frames of {sound.name}. Colours follow time, from violet to yellow; the numbers are "
        f"{MOMENTS} moments, evenly spread over the sound.",
        *remarks,
    )
    figure, axes = new_plot(6 * len(found), 6.4, columns=len(found))
    seconds = frame * HOP / SAMPLE_RATE
    for axis, each in zip(axes, found, strict=True):
        axis.scatter(each.positions[:, 0], each.positions[:, 1], c=seconds, cmap="viridis", s=5, linewidths=0)
        for number, moment in enumerate(each.moments, 1):
            x, y = each.positions[moment]
            axis.annotate(str(number), (x, y), color="#ffffff", fontsize=9, ha="center", va="center", weight="bold")
        axis.set(title=each.name, xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    page.heading("The maps")
    page.plot(figure)
    page.heading("How well each tells the moments apart")
    page.table(table)
    return page
