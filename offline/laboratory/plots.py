"""Plots for reports, drawn by matplotlib without a window."""

from typing import TYPE_CHECKING, Any, Literal

from shared.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#ffcc66", "#66ccff", "#ff8888", "#88dd88", "#cc99ff", "#ffaa44", "#55ddcc", "#bbbbbb")
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
