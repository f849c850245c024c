"""The figures of benchmarks/results/*.json as tables: `python -m benchmarks.tables` writes benchmarks/results/README.md.

A file of results is one JSON object: `title`, the `command` that measured it, `date`, `machine`, `notes` (sentences) and
`rows`, whose values are texts and numbers, or objects of them, a column each.
"""

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = RESULTS / "README.md"
WIDTH = 100  # columns of prose
HEAD = """\
# Measured figures

`python -m benchmarks.tables` writes this page from the JSON files beside it. For what they mean, see
[docs/performance.md](../../docs/performance.md).
"""


def page(files: Iterable[Path]) -> str:
    """The whole page: a section for each file."""
    return "\n".join([HEAD, *(section(file.name, json.loads(file.read_text("utf-8"))) for file in files)])


def section(name: str, results: Mapping[str, Any]) -> str:
    """A file's heading, the origin of its figures, its notes and its table."""
    notes = "".join(f"{textwrap.fill(f'- {note}', WIDTH, subsequent_indent='  ')}\n" for note in results["notes"])
    origin = textwrap.fill(
        f"`{results['command']}`, {results['date']}; data: [{name}]({name}). Machine: {results['machine']}.", WIDTH
    )
    return f"## {results['title']}\n\n{origin}\n\n{notes}\n{table(results['rows'])}"


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table. A column that an earlier row lacks stands after the one that precedes it in its own row."""
    flat = [dict(cells(row)) for row in rows]
    columns: list[str] = []
    for row in flat:
        place = 0
        for column in row:
            if column not in columns:
                columns.insert(place, column)
            place = columns.index(column) + 1
    lines = [columns, ["---"] * len(columns), *([shown(row.get(column, "")) for column in columns] for row in flat)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cells(row: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str | float]]:
    """A row's columns and values; a nested object's columns carry its name in front."""
    for key, value in row.items():
        column = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from cells(value, f"{column} ")
        else:
            yield column, value


def shown(value: str | float) -> str:
    """A cell's text: four digits of a number suffice."""
    return value if isinstance(value, str) else f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"


if __name__ == "__main__":
    PAGE.write_text(page(sorted(RESULTS.glob("*.json"))), "utf-8")
