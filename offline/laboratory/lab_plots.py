"""Plots of the laboratory: each variant a numbered dot, with a list of the names beside the plot."""

from typing import TYPE_CHECKING

from offline.laboratory.plots import COLOURS, FOREGROUND, new_plot, number_dots
from offline.laboratory.side_by_side import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, BOTTOM, TOP = 0.07, 0.75, 0.1, 0.97  # edges of the axes, as shares of the figure
LINE = 0.033  # height of a name in the list


def front(points: list[tuple[float, float]]) -> list[int]:
    """The indices of points (change, correspondence) that no other one beats in both: less change, more correspondence."""
    return [
        i for i, (x, y) in enumerate(points) if not any((a <= x and b >= y) and (a < x or b > y) for a, b in points)
    ]


def correspondence_plot(measured: list[Measured]) -> "Figure":
    """Correspondence against smoothness: each variant at its change and correlation, and the front of the best.

    Variants of another frame rate than the first are not compared: their pictures have more or less time to change.
    """
    points = [(one.change, one.correlation) for one in measured]
    alike = [i for i, one in enumerate(measured) if one.variant.fps == measured[0].variant.fps]
    best = [alike[i] for i in front([points[i] for i in alike])]
    figure, axis = _numbered(measured, points, best)
    axis.step(
        *zip(*sorted(points[i] for i in best), strict=True), where="post", color=COLOURS[0], linewidth=1, alpha=0.6
    )
    axis.set_xlabel("change from picture to picture (grey levels, median): smoother is left")
    axis.set_ylabel("correspondence (Spearman): closer to the sound is up")
    return figure


def delay_plot(measured: list[Measured]) -> "Figure":
    """Delay against jitter."""
    figure, axis = _numbered(measured, [(one.half_ms, one.jitter) for one in measured], [], is_logarithmic=True)
    axis.set_xlabel("delay until half of a step is covered (ms)")
    axis.set_ylabel("jitter (0 straight on, 2 to and fro)")
    return figure


def _numbered(
    measured: list[Measured], points: list[tuple[float, float]], best: list[int], is_logarithmic: bool = False
) -> "tuple[Figure, Axes]":
    figure, (axis,) = new_plot(11, 6.5, layout=None)
    from matplotlib.ticker import LogLocator

    figure.subplots_adjust(LEFT, BOTTOM, RIGHT, TOP)
    if is_logarithmic:
        axis.set_xscale("log", subs=())
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
    other = [one.variant.fps != measured[0].variant.fps for one in measured]
    colours = [COLOURS[0] if i in best else COLOURS[-1] if other[i] else COLOURS[1] for i in range(len(points))]
    number_dots(axis, points, [str(one.variant.number) for one in measured], colours)
    for i, one in enumerate(measured):
        line = TOP - LINE * min(1.0, 27 / len(measured)) * (i + 0.7)
        colour = COLOURS[0] if i in best else FOREGROUND
        figure.text(RIGHT + 0.035, line, str(one.variant.number), color=colour, fontsize=8, ha="right")
        figure.text(RIGHT + 0.045, line, one.variant.name, color=colour, fontsize=8)
    return figure, axis
