"""The timeline as a plot, and as a page with the film beside it."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from offline.laboratory.page import Page
from offline.laboratory.plots import COLOURS, FOREGROUND, new_plot
from offline.laboratory.table import Column, Table
from offline.timeline.passages import MOODS, Mood, moving_mean
from offline.timeline.timeline import Timeline
from shared.times import format_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOOD_COLOURS: dict[Mood, str] = {"calm": "#4488cc", "compelling": "#44aa66", "chaotic": "#cc5544"}
LEFT, RIGHT = 0.08, 0.985  # of the plot's axes, as shares of its width: the page's cursor moves between them


def timeline_plot(timeline: Timeline) -> "Figure":
    """Five curves along the time of the sound, above the colours of the passages."""
    figure, axes = new_plot(14, 9, rows=5, layout=None)
    figure.subplots_adjust(left=LEFT, right=RIGHT, top=0.965, bottom=0.06, hspace=0.16)
    second = max(1, round(float(timeline.fps)))
    curves = (
        ("latent speed\n(deviations/s)", timeline.speeds),
        ("picture change\n(grey levels)", timeline.changes),
        ("entropy of sound\n(0 to 1)", timeline.sound_entropy),
        ("entropy of picture\n(bits)", timeline.picture_entropy),
        ("distance from pairs\n(deviations)", timeline.distances),
    )
    for number, (axis, (name, values)) in enumerate(zip(axes, curves, strict=True)):
        for passage in timeline.passages:
            begin, end = timeline.times[passage.first], timeline.times[passage.last] + float(1 / timeline.fps)
            axis.axvspan(begin, end, color=MOOD_COLOURS[passage.mood], alpha=0.22, linewidth=0)
        colour = COLOURS[number]
        axis.plot(timeline.times, values, color=colour, linewidth=0.7, alpha=0.55)
        if not np.isnan(values).any():
            axis.plot(timeline.times, moving_mean(values, second), color=colour, linewidth=1.8)
        axis.set_ylabel(name, color=FOREGROUND, fontsize=9)
    if isfinite(timeline.reach):
        axes[-1].axhline(timeline.reach, color=FOREGROUND, linewidth=0.8, linestyle="--")
        place = axes[-1].get_yaxis_transform()
        axes[-1].text(
            0.998, timeline.reach, "reach", color=FOREGROUND, transform=place, fontsize=8, ha="right", va="bottom"
        )
    axes[0].set_xlim(timeline.times[0], timeline.times[-1] + float(1 / timeline.fps))
    axes[-1].set_xlabel("time (s)", color=FOREGROUND)
    for mood, left in zip(MOODS, (0.005, 0.065, 0.165), strict=True):
        axes[0].text(left, 1.06, f"■ {mood}", color=MOOD_COLOURS[mood], transform=axes[0].transAxes, fontsize=10)
    return figure


def passage_table(timeline: Timeline) -> Table:
    """A row for each passage."""
    columns = (
        Column("number"),
        Column("mood"),
        Column("from"),
        Column("to"),
        Column("change", "grey levels", help="Mean change from picture to picture."),
        Column("correspondence", help="Spearman correlation of the sound's movement and the picture's change nearby."),
        Column("speed", "1/s", help="Mean speed of the latent vector, in deviations of the pairs' latent vectors."),
        Column("distance", "deviations", help="Mean distance of the sound from the nearest pair."),
        Column("nearest pair", help="The pair that is nearest most often."),
    )
    rows = []
    for number, passage in enumerate(timeline.passages, 1):
        part = slice(passage.first, passage.last + 1)
        names = timeline.nearest[part]
        rows.append(
            (
                number,
                passage.mood,
                format_time(float(timeline.times[passage.first])),
                format_time(float(timeline.times[passage.last] + float(1 / timeline.fps))),
                *(
                    float(array[part].mean())
                    for array in (timeline.changes, timeline.correspondence, timeline.speeds, timeline.distances)
                ),
                max(sorted(set(names)), key=names.count),
            )
        )
    return Table(columns, tuple(rows))


def write_page(path: Path, timeline: Timeline, film: Path, title: str) -> None:
    """Write the page: film and plot with a common cursor, the passages, and what tells them apart."""
    page = Page(title)
    page.film(film)
    page.plot(
        timeline_plot(timeline),
        "The line shows where the film is. Click in the plot to go there.",
        cursor=(LEFT, RIGHT, float(len(timeline.times) / timeline.fps)),
    )
    page.heading("Passages")
    page.table(passage_table(timeline))
    limits = timeline.limits
    page.text(
        f"Random pictures of this film differ by {timeline.spread:.3g} grey levels. Calm: the picture changes less than "
        f"{limits.calm:g} of that a tick, averaged over a second. Chaotic: more than {limits.chaotic:g} of it; or more than "
        f"half of that while picture and sound hardly move together (correspondence below {limits.follows:g}); or the "
        "sound is beyond the reach of every pair. Compelling: everything between."
    )
    page.write(path)
