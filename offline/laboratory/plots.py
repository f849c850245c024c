"""Plots for reports, drawn by matplotlib without a window."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shared.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#ffcc66", "#66ccff", "#ff8888", "#88dd88", "#cc99ff", "#ffaa44", "#55ddcc", "#bbbbbb")
SHIFTS = (
    (9, 6),
    (9, -6),
    (-9, 6),
    (-9, -6),
    (0, 10),
    (0, -10),
    (11, 0),
    (-11, 0),
    (16, 10),
    (-16, -10),
    (16, -10),
    (-16, 10),
)
"""Where a name may stand beside its dot, in points; the first free one is taken."""
BACKGROUND, FOREGROUND, GRID = "#151515", "#dddddd", "#333333"


def new_plot(
    width: float = 10.0,
    height: float = 4.5,
    rows: int = 1,
    columns: int = 1,
    layout: Literal["constrained"] | None = "constrained",
) -> "tuple[Figure, list[Axes]]":
    """A figure of this size in inches with axes in rows and columns, row by row, in the colours of the reports' pages.

    layout: None if the caller places the axes. Raises UserError if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(
            "plots need matplotlib, which is not installed; install it: pip install 'ponticello[studio]'"
        ) from None
    figure = Figure(figsize=(width, height), facecolor=BACKGROUND, layout=layout)
    axes: list[Any] = figure.subplots(rows, columns, squeeze=False, sharex=rows > 1).ravel().tolist()
    for axis in axes:
        axis.set_facecolor(BACKGROUND)
        axis.set_prop_cycle(color=COLOURS)
        axis.tick_params(colors=FOREGROUND)
        axis.grid(color=GRID, linewidth=0.6)
        axis.set_axisbelow(True)
        for spine in axis.spines.values():
            spine.set_color(GRID)
        for text in (axis.xaxis.label, axis.yaxis.label, axis.title):
            text.set_color(FOREGROUND)
    return figure, axes


def number_dots(
    axis: "Axes", points: Sequence[tuple[float, float]], names: Sequence[str], colours: Sequence[str]
) -> None:
    """Draw dots with short names beside them, where they cover other dots and names least. The axes have their place."""
    axis.scatter([x for x, _ in points], [y for _, y in points], s=34, c=list(colours), zorder=3)
    axis.margins(0.06)
    axis.autoscale_view()
    scale = 72 / axis.figure.dpi  # to points of a font
    dots = axis.transData.transform(points) * scale
    taken: list[tuple[float, float, float, float]] = []
    for dot, point, name, colour in zip(dots, points, names, colours, strict=True):
        width = 5.0 * len(name)
        boxes = [_box(dot + shift, width) for shift in SHIFTS]
        costs = [_covered(box, dots, taken) + 0.01 * i for i, box in enumerate(boxes)]
        chosen = int(np.argmin(costs))
        taken.append(boxes[chosen])
        axis.annotate(
            name,
            point,
            xytext=SHIFTS[chosen],
            textcoords="offset points",
            fontsize=8,
            color=colour,
            ha="center",
            va="center",
        )


def _box(centre: Any, width: float) -> tuple[float, float, float, float]:
    """Left, right, lower and upper edge of a name, in points."""
    return centre[0] - width / 2 - 1, centre[0] + width / 2 + 1, centre[1] - 4, centre[1] + 4


def _covered(
    box: tuple[float, float, float, float], dots: Any, taken: list[tuple[float, float, float, float]]
) -> float:
    """How many dots and names lie in a box."""
    left, right, low, high = box
    inside = (dots[:, 0] > left - 3) & (dots[:, 0] < right + 3) & (dots[:, 1] > low - 3) & (dots[:, 1] < high + 3)
    names = sum(left < b and a < right and low < d and c < high for a, b, c, d in taken)
    return float(inside.sum() + names)
