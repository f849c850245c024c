"""The files of candidates: an image each, and contact sheets."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from offline.pictures import write_sheet
from offline.progress import say
from shared.errors import pasted
from shared.preset import Preset
from shared.preset.candidates import Candidates, name_of

IMAGES, SHEET, PROPOSAL = "images", "candidates.png", "proposal.png"
NEGLIGIBLE = 0.005
"""Weights of a class below this one are not shown."""


def image_file(preset: Preset, seed: int) -> Path:
    """The PNG of a candidate."""
    return preset.folder / IMAGES / f"{name_of(seed)}.png"


def class_label(weights: Float32[np.ndarray, "c"]) -> str:
    """`class 1`, or for a mixture `class 0 (0.75), 1 (0.25)`; empty without classes."""
    used = np.flatnonzero(weights > NEGLIGIBLE)
    if len(used) == 1:
        return f"class {used[0]}"
    return "class " + ", ".join(f"{number} ({weights[number]:.2g})" for number in used) if len(used) else ""


def write_contact_sheet(
    preset: Preset, candidates: Candidates, seeds: Iterable[int] | None = None, name: str = SHEET
) -> bool:
    """Write the candidates, or those of `seeds`, to one PNG, with the chosen ones framed. False if an image is missing."""
    wanted = candidates.seeds if seeds is None else tuple(seeds)
    classes = dict(zip(candidates.seeds, map(class_label, candidates.classes), strict=True))
    pictures = [
        (f"{seed} {classes.get(seed, '')}".strip(), image_file(preset, seed), seed in candidates.kept)
        for seed in wanted
    ]
    if missing := [file for _, file, _ in pictures if not file.is_file()]:
        say(f"{missing[0]} is missing; `ponticello candidates {pasted(preset.folder)}` makes it again")
        return False
    write_sheet(preset.folder / name, pictures)
    return True
