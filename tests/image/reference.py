"""The reference cases: networks with random weights, and the published code's pictures (float32, one at a time)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from shared.image.architecture import Architecture
from shared.image.generator import Generator

FOLDER = Path(__file__).parents[1] / "reference" / "stylegan3"
CASES = ("t64", "r64", "t64_cond5", "edge_t32")


@dataclass(frozen=True)
class Case:
    arguments: dict
    weights: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]

    @property
    def architecture(self):
        return Architecture.from_arguments(self.arguments)

    def generator(self, precision="full", *, plain=False, **other_arguments):
        architecture = Architecture.from_arguments(self.arguments | other_arguments)
        return on_path(Generator(architecture, self.weights, torch.device("cpu"), precision), plain)


def on_path(generator, plain):
    """The generator, or one forced to the plain path, the reference for all other paths."""
    if plain:
        generator.synthesis = generator.plain
    return generator


def load(name):
    return Case(
        arguments=json.loads((FOLDER / f"{name}.json").read_text())["init_kwargs"],
        weights=dict(np.load(FOLDER / f"{name}.weights.npz")),
        outputs=dict(np.load(FOLDER / f"{name}.outputs.npz")),
    )


def psnr(given, wanted):
    """In dB, with the peak of -1..1."""
    return 10 * np.log10(4 / np.mean(np.square(np.asarray(given, np.float64) - np.asarray(wanted, np.float64))))
