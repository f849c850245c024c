"""Make the pictures and numbers of docs/laboratory.md again: the built-in grid and the timeline of the preset glass.

python scripts/laboratory_page.py            about half an hour on two cores; stopped, it goes on with the same call
python scripts/laboratory_page.py FOLDER     keeps films, pages and tables there
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from offline.laboratory.grid import default_grid  # noqa: E402
from offline.laboratory.lab import correspondence_plot, results_table, write_page  # noqa: E402
from offline.laboratory.memory_fit import learned_variant  # noqa: E402
from offline.laboratory.page import strip  # noqa: E402
from offline.laboratory.side_by_side import Comparison, Measured  # noqa: E402
from offline.laboratory.table import Table  # noqa: E402
from offline.rendering.render import Job  # noqa: E402
from offline.timeline.passages import Limits  # noqa: E402
from offline.timeline.report import timeline_plot  # noqa: E402
from offline.timeline.timeline import measure  # noqa: E402
from shared.preset import Preset  # noqa: E402

DOCS = ROOT / "docs"
PAGE = DOCS / "laboratory.md"
STRIPS = ("as published", "latents 0.8", "speed limit 2", "calm", "memory, learned", "flow constraint")
COLUMNS = (0, 1, 4, 5, 6, 7, 8, 9, 10, 11)
QUALITY = 85


def markdown(table: Table) -> str:
    """The table's numbers as Markdown."""
    lines = [table.columns[i].title for i in COLUMNS], ["---"] * len(COLUMNS)
    rows = [[_cell(row[i]) for i in COLUMNS] for row in table.rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (*lines, *rows))


def _cell(cell: object) -> str:
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)


def replaced(text: str, name: str, content: str) -> str:
    """`text` with new content between `<!-- NAME -->` and `<!-- end -->`."""
    before, mark, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not (mark and end):
        raise SystemExit(f"{PAGE} has no <!-- {name} --> ... <!-- end -->")
    return before + mark + content + end + after


def save_strips(measured: list[Measured]) -> None:
    """docs/laboratory.jpg: strips of some variants below each other."""
    import numpy as np

    rows = [strip(one.strip) for name in STRIPS for one in measured if one.variant.name == name]
    gap = np.zeros((6, rows[0].shape[1], 3), np.uint8)
    sheet = np.concatenate([part for row in rows for part in (row, gap)][:-1])
    Image.fromarray(sheet).save(DOCS / "laboratory.jpg", quality=QUALITY)


def main() -> None:
    """Measure, then write."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "laboratory"
    preset = Preset.load(ROOT / "presets" / "glass")
    sound = preset.folder / "sounds" / "glass.flac"
    variants = default_grid(preset)
    variants.append(learned_variant(len(variants), preset, sound))
    comparison = Comparison(preset, sound, variants, folder / "lab")
    measured = comparison.run()
    write_page(folder / "lab", comparison, measured, "glass: variants of the motion")
    save_strips(measured)
    correspondence_plot(measured).savefig(DOCS / "laboratory-front.png", dpi=110, metadata={"Software": None})
    timeline = measure(Job(preset, sound), folder / "timeline", Limits())
    timeline_plot(timeline).savefig(DOCS / "laboratory-timeline.png", dpi=90, metadata={"Software": None})
    text = replaced(PAGE.read_text("utf-8"), "variants", markdown(results_table(measured)))
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
