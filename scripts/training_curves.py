"""Draw the curves and grids of docs/training.md from a run of `ponticello train-gan`, and print its table.

python scripts/training_curves.py RUN KIMG...       such as 2.7 5.4 60: the grids that are shown, above the real images
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from offline.laboratory.plots import BACKGROUND, FOREGROUND, GRID, new_plot  # noqa: E402

DOCS = ROOT / "docs"
GAP = 6  # pixels between grids
ROWS = 2  # of each grid
COLUMNS = 8
DISTANCES = {"gabor_frechet": "Gabor-Fréchet distance", "sliced_wasserstein": "sliced Wasserstein distance"}
SHARES = ("precision", "recall", "diversity")


def draw_curves(reports: list[dict[str, Any]], path: Path) -> None:
    """Distances with those of other real images, and precision, recall and diversity, over kimg."""
    figure, axes = new_plot(9.0, 2.8, columns=3)
    kimg = [report["kimg"] for report in reports]
    for axis, (name, title) in zip(axes, DISTANCES.items(), strict=False):
        axis.semilogy(kimg, [report["scores"][name] for report in reports], "o-", markersize=3, label="generated")
        axis.axhline(reports[-1]["real_scores"][name], linestyle="--", color="#bbbbbb", label="other real images")
        axis.set_title(title)
    for name in SHARES:
        axes[-1].plot(kimg, [report["scores"][name] for report in reports], "o-", markersize=3, label=name)
    axes[-1].set_ylim(0, 1.05)
    axes[-1].set_title(", ".join(SHARES))
    for axis in axes:
        axis.title.set_size(9)
        axis.set_xlabel("kimg")
        axis.legend(fontsize=7, facecolor=BACKGROUND, labelcolor=FOREGROUND, edgecolor=GRID)
    figure.savefig(path, format="png", dpi=100, metadata={"Software": None})


def draw_grids(files: list[Path], path: Path) -> None:
    """The first rows of each grid, one below the other."""
    grids = []
    for file in files:
        with Image.open(file) as image:
            grids.append(image.convert("RGB").crop((0, 0, image.width, image.width // COLUMNS * ROWS)))
    width, height = grids[0].size
    sheet = Image.new("RGB", (width, len(grids) * (height + GAP) - GAP), "white")
    for number, grid in enumerate(grids):
        sheet.paste(grid, (0, number * (height + GAP)))
    sheet.save(path, quality=88)


def main(run: Path, shown: list[str]) -> None:
    """Write both pictures and print the reports as rows of a table."""
    reports = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    draw_curves(reports, DOCS / "training-curves.png")
    grids = [run / f"fakes-{float(kimg):08.1f}.png" for kimg in shown]
    draw_grids([*grids, run / "reals.png"], DOCS / "training-grid.jpg")
    for report in reports:
        s = report["scores"]
        print(
            f"| {report['kimg']:g} | {s['gabor_frechet']:.2f} | {s['sliced_wasserstein']:.3f} | {s['precision']:.2f} "
            f"| {s['recall']:.2f} | {s['diversity']:.2f} |"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
