"""Latent vectors of seeds: in z or w, for a conditional generator with their classes."""

import numpy as np
from jaxtyping import Float32

from shared.errors import SettingError
from shared.image.checkpoint import read_architecture
from shared.image.latents import latents_from_seeds
from shared.preset import Preset
from shared.preset.candidates import Draw


def draw_latents(
    preset: Preset, draw: Draw, seeds: list[int]
) -> tuple[Float32[np.ndarray, "n latent"], Float32[np.ndarray, "n c"]]:
    """Latents of the seeds in the draw's space, and for those in z the weights of the classes (c = 0 without classes).

    In w the class has acted already. SettingError if the generator has no such class, or the draw lacks one.
    """
    path = preset.generator_path
    architecture = read_architecture(path)
    classes, chosen = architecture.c_dim, draw.class_
    if chosen is not None and not (classes and (chosen == "all" or 0 <= chosen < classes)):
        has = f"classes 0 to {classes - 1}" if classes else "no classes"
        raise SettingError(f"--class {chosen} given; {path.name} has {has}")
    if classes and chosen is None:
        raise SettingError(
            f"{path.name} has classes 0 to {classes - 1}; give --class N, or --class all for each in turn"
        )
    z = latents_from_seeds(seeds, architecture.z_dim)
    labels = np.zeros((len(seeds), classes), np.float32)
    if classes:
        for row, seed in zip(labels, seeds, strict=True):
            row[seed % classes if chosen == "all" else chosen] = 1
    if draw.space == "z":
        return z, labels
    import torch

    from shared.image.generator import load_generator

    generator = load_generator(path)
    rows = (torch.from_numpy(row)[None] for row in z)
    given = (torch.from_numpy(row)[None] if classes else None for row in labels)
    w = np.stack([generator.map(row, c)[0, 0].numpy() for row, c in zip(rows, given, strict=True)])
    return w, np.empty((len(seeds), 0), np.float32)
