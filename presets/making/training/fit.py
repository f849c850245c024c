"""Fits a generator to a world's rendered pictures: the program behind a preset's `make/train_generator.py FOLDER [RECIPE]`.

Ctrl-C saves and stops; the same command continues from FOLDER/training.safetensors. FOLDER also receives
generator.safetensors (float16, ready for `ponticello live`), grid.png (rows of the generator's pictures above the renderer's
of the same scenes) and log.csv. Two threads train on half of each step's scenes; times are CPU seconds.
"""

import argparse
import csv
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image

from presets.making.training.keeping import load_run, save_run
from presets.making.training.recipe import Recipe
from presets.making.training.trainer import PARTS, Trainer, one_thread

COLUMNS = 8
SAVE_EVERY_S = 150.0
"""CPU time between two saves."""


def fit(recipes: Mapping[str, Recipe]) -> None:
    """Train until the recipe's steps are done: those of the recipe on the command line, by default the first."""
    parser = argparse.ArgumentParser(description="Fit a generator to rendered pictures.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("recipe", nargs="?", default=next(iter(recipes)), choices=list(recipes))
    parser.add_argument(
        "--share", type=float, default=1.0, help="fraction of the recipe's steps, for quick comparisons"
    )
    parser.add_argument(
        "--threads", type=int, default=PARTS, choices=range(1, PARTS + 1), help="cores to use; the result is the same"
    )
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    one_thread()
    trainer = Trainer(recipes[arguments.recipe].shortened(arguments.share), arguments.threads)
    if (folder / "training.safetensors").exists():
        load_run(trainer, folder / "training.safetensors")
    saved = time.process_time()
    losses: list[dict[str, float]] = []
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: asked.append(received))
    while trainer.step_number < trainer.steps and not asked:
        losses.append(trainer.step())
        if asked or time.process_time() - saved > SAVE_EVERY_S or trainer.step_number == trainer.steps:
            report(trainer, folder, losses)
            losses.clear()
            saved = time.process_time()


def report(trainer: Trainer, folder: Path, losses: list[dict[str, float]]) -> None:
    """Save the run, its generator, its grid, and a line of the log."""
    given, wanted, found = trainer.show()
    save_grid(folder / "grid.png", given, wanted)
    trainer.export(folder / "generator.safetensors")
    means = {name: float(np.mean([part[name] for part in losses if name in part])) for name in losses[-1]}
    line = {
        "step": str(trainer.step_number),
        "cpu_s": f"{trainer.cpu_seconds:.0f}",
        "stage": str(trainer.place(trainer.step_number)[0]),
    }
    line |= {name: f"{value:.4f}" for name, value in (found | means).items()}
    names = ("step", "cpu_s", "stage", "l1", "psnr", "edges", "fields", "buffers", "preview", "picture", "texture")
    is_new = not (folder / "log.csv").exists()
    with (folder / "log.csv").open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        if is_new:
            writer.writeheader()
        writer.writerow(line)
    save_run(trainer, folder / "training.safetensors")


def save_grid(path: Path, given: Float32[np.ndarray, "n 3 h w"], wanted: Float32[np.ndarray, "n 3 h w"]) -> None:
    """Write rows of `given` above the same rows of `wanted`, `COLUMNS` pictures wide."""
    rows = []
    for first in range(0, len(given), COLUMNS):
        rows += [np.concatenate(list(pictures[first : first + COLUMNS]), axis=2) for pictures in (given, wanted)]
    image = np.clip(np.concatenate(rows, axis=1) * 127.5 + 128, 0, 255).astype(np.uint8)
    Image.fromarray(image.transpose(1, 2, 0)).save(path)
