"""Make the pictures and numbers of docs/laboratory.md again: the built-in grid and the timeline of the preset glass.

python scripts/laboratory_page.py            about 20 minutes on two cores; stopped, it goes on with the same call
python scripts/laboratory_page.py FOLDER     keeps films, pages and tables there
"""

import sys
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from jaxtyping import UInt8  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402

from offline.laboratory.grid import default_grid  # noqa: E402
from offline.laboratory.lab import results_table, write_page  # noqa: E402
from offline.laboratory.lab_plots import correspondence_plot  # noqa: E402
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
START = Fraction(17)  # the last 12 of 29 seconds; as published, they move like the whole
WHOLE = ("as published", "calm")  # measured over the whole piece as well
STRIPS = (
    "as published",
    "one-euro",
    "coefficient 0.9",
    "latents critical 300 ms",
    "picture limit 300",
    "calm",
    "flow constraint",
)
SHOWN = {
    0: "number",
    1: "variant",
    4: "half delay",
    5: "delay",
    6: "jitter",
    7: "speed",
    8: "change",
    9: "restless",
    10: "spread",
    11: "correspondence",
}
"""Columns of the table in the page, with their titles there."""
QUALITY = 85
BAND = 20  # pixels above a strip, for its name


def markdown(table: Table) -> str:
    """The table's numbers as Markdown; without the row of the preset itself, which is as published."""
    lines = [list(SHOWN.values()), ["---"] * len(SHOWN)]
    rows = [[_cell(row[i]) for i in SHOWN] for row in table.rows if row[0]]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (*lines, *rows))


def _cell(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"


def replaced(text: str, name: str, content: str) -> str:
    """`text` with new content between `<!-- NAME -->` and `<!-- end -->`."""
    before, mark, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not (mark and end):
        raise SystemExit(f"{PAGE} has no <!-- {name} --> ... <!-- end -->")
    return before + mark + content + end + after


def save_strips(measured: list[Measured]) -> None:
    """docs/laboratory.jpg: strips of some variants below each other, each below its name."""
    chosen = [one for name in STRIPS for one in measured if one.variant.name == name]
    rows = [named_strip(one.variant.name, strip(one.strip)) for one in chosen]
    Image.fromarray(np.concatenate(rows)).save(DOCS / "laboratory.jpg", quality=QUALITY, subsampling=0)


def named_strip(name: str, pictures: UInt8[np.ndarray, "side width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """A strip of pictures with a name above it."""
    band = Image.new("RGB", (pictures.shape[1], BAND), (21, 21, 21))
    ImageDraw.Draw(band).text((2, 3), name, (221, 221, 221), ImageFont.load_default(13))
    return np.concatenate([np.asarray(band), pictures])


def main() -> None:
    """Measure, then write."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "laboratory"
    folder.mkdir(parents=True, exist_ok=True)
    preset = Preset.load(ROOT / "presets" / "glass")
    sound = preset.folder / "sounds" / "glass.flac"
    variants = default_grid(preset)
    variants.append(learned_variant(len(variants), preset, sound))
    comparison = Comparison(preset, sound, variants, folder / "lab", START)
    measured = comparison.run()
    write_page(
        folder / "lab", comparison, measured, "glass: variants of the motion", "ponticello lab glass --keep NUMBER"
    )
    save_strips(measured)
    correspondence_plot(measured).savefig(DOCS / "laboratory-front.png", dpi=110, metadata={"Software": None})
    whole = Comparison(preset, sound, [one for one in variants if one.name in WHOLE], folder / "whole").run()
    timeline = measure(Job(preset, sound), folder / "timeline", Limits())
    timeline_plot(timeline).savefig(DOCS / "laboratory-timeline.png", dpi=90, metadata={"Software": None})
    text = PAGE.read_text("utf-8")
    for name, found in (("variants", measured), ("whole", whole)):
        text = replaced(text, name, markdown(results_table(found)))
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
