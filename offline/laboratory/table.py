"""Tables of a report: the same rows as HTML, as a CSV file and as plain text."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from shared.atomic import written_atomically

LARGE = 1e6  # numbers from here on are written with an exponent
Cell = str | int | float | UInt8[np.ndarray, "h w 3"] | None
"""What a table shows in one place. An image appears in HTML only; None is empty."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    unit: str = ""
    best: Literal["", "low", "high"] = ""
    """Whether the lowest or the highest number is marked in HTML; empty: none."""
    digits: int = 3
    """Significant digits of its numbers in HTML and text; a CSV file has them in full."""
    help: str = ""
    """A sentence on what it measures."""

    @property
    def title(self) -> str:
        """Its name with the unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of cells below columns; every row has a cell for each column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if wrong := [row for row in self.rows if len(row) != len(self.columns)]:
            raise ValueError(f"{len(wrong[0])} cells in a row; the table has {len(self.columns)} columns")

    def best_row(self, column: int) -> int | None:
        """The row with the best number of a column; None if no number is better than the others."""
        numbers = [row[column] for row in self.rows]
        known = {i: float(x) for i, x in enumerate(numbers) if isinstance(x, int | float) and math.isfinite(x)}
        wanted = self.columns[column].best
        if not wanted or len(set(known.values())) < 2:
            return None
        return (min if wanted == "low" else max)(known, key=lambda i: known[i])

    def write_csv(self, path: Path) -> None:
        """Write a header and the rows, without images. Raises UserError or Failure if that is impossible."""
        plain = [i for i in range(len(self.columns)) if not any(isinstance(row[i], np.ndarray) for row in self.rows)]
        with written_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([self.columns[i].title for i in plain])
            writer.writerows([[row[i] for i in plain] for row in self.rows])

    def lines(self, columns: Sequence[int] | None = None) -> list[str]:
        """As plain text, the names first, without units: aligned for a terminal. columns: which ones, all if None."""
        shown = range(len(self.columns)) if columns is None else columns
        cells = [[self.columns[i].name for i in shown]]
        cells += [[written(row[i], self.columns[i]) for i in shown] for row in self.rows]
        widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
        is_text = [any(isinstance(row[i], str) for row in self.rows) for i in shown]
        return ["  ".join(_aligned(line, widths, is_text)).rstrip() for line in cells]


def written(cell: Cell, column: Column) -> str:
    """A cell as text: numbers with the column's digits; empty for an image."""
    if cell is None or isinstance(cell, np.ndarray):
        return ""
    if isinstance(cell, str | int):
        return str(cell)
    return f"{cell:.0f}" if 10**column.digits <= abs(cell) < LARGE else f"{cell:.{column.digits}g}"


def _aligned(line: Sequence[str], widths: Iterable[int], is_text: Iterable[bool]) -> Iterable[str]:
    for cell, width, left in zip(line, widths, is_text, strict=True):
        yield cell.ljust(width) if left else cell.rjust(width)
