"""The networks to measure: random weights, in sizes that artists use and in those of the published checkpoints."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from shared.image.architecture import Architecture
from shared.image.generator import Generator
from shared.image.geometry import tensors

CONTRAST = 0.4  # standard deviation of the pictures that are compared
ONE_AT_A_TIME, SEVERAL_AT_ONCE, FULL = "half", "half, several at once", "full"


@dataclass(frozen=True)
class Network:
    """A network of random weights, and its target: how many times faster than the textbook it should be."""

    name: str
    resolution: int
    base: int
    widest: int
    layers: int = 14
    radial: bool = False
    targets: tuple[tuple[str, float], ...] = ()
    quick: bool = False
    once: bool = False
    """Too large for more than one picture of the textbook."""

    @cached_property
    def architecture(self) -> Architecture:
        """R has twice the channels of T, and 1x1 kernels."""
        arguments: dict[str, Any] = {"z_dim": 512, "c_dim": 0, "w_dim": 512, "img_channels": 3}
        arguments |= {"img_resolution": self.resolution, "num_layers": self.layers}
        arguments |= {"channel_base": self.base * (1 + self.radial), "channel_max": self.widest * (1 + self.radial)}
        if self.radial:
            arguments |= {"conv_kernel": 1, "use_radial_filters": True}
        return Architecture.from_arguments(arguments)

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights; the last layer is scaled so that the pictures have a natural contrast."""
        rng = np.random.default_rng(0)
        described = tensors(self.architecture)
        arrays = {name: _weights(name, tensor.shape, rng) for name, tensor in described.items() if tensor.required}
        half = Generator(self.architecture, arrays, torch.device("cpu"), "half")
        last = next(name for name in reversed(arrays) if name.endswith("_3.weight"))
        arrays[last] *= CONTRAST / float(half.synthesize_float(half.map(self.z())).std())
        return arrays

    def z(self, count: int = 1) -> np.ndarray:
        """Latents, (count, 512)."""
        return np.random.default_rng(5).standard_normal((count, 512)).astype(np.float32)


def _weights(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Random weights that keep the signal's magnitude from layer to layer, like trained ones."""
    values = rng.standard_normal(shape)
    if name.endswith("magnitude_ema"):
        values = np.ones(shape)
    elif name.endswith("freqs"):
        values *= (2 * rng.uniform(size=(len(values), 1)) ** 0.5) / np.linalg.norm(values, axis=1, keepdims=True)
    elif name.endswith("phases"):
        values = rng.uniform(size=shape)
    elif name.endswith("input.affine.bias"):
        values = np.array([1.0, 0.0, 0.0, 0.0])
    elif name.endswith("affine.bias"):
        values = np.ones(shape)
    elif name.startswith("mapping.fc") and name.endswith("weight"):
        values *= 100
    elif name.endswith("bias"):
        values *= 0.1
    return np.asarray(values, np.float32)


def _small(one: float, several: float) -> tuple[tuple[str, float], ...]:
    return ((ONE_AT_A_TIME, one), (SEVERAL_AT_ONCE, several), (FULL, 6.0))


def _networks() -> list[Network]:
    """T and R in small sizes, then the published sizes."""
    targets = {
        ("T-256", 2048, 14): _small(15, 22),
        ("T-512", 2048, 10): _small(18, 25),
        ("R-256", 2048, 8): _small(22, 30),
    }
    made = []
    for kind in ("T", "R"):
        for resolution in (128, 256, 512):
            for base, widest in ((2048, 64), (4096, 128)):
                for layers in (8, 10, 14):
                    wanted = targets.get((f"{kind}-{resolution}", base, layers), ())
                    name = f"{kind}-{resolution} {base} {layers} layers"
                    made.append(Network(name, resolution, base, widest, layers, kind == "R", wanted, bool(wanted)))
    published = (
        ("T-256", 256, 16384, False, 7.0),
        ("R-256", 256, 16384, True, 7.0),
        ("T-1024", 1024, 32768, False, 25.0),
        ("R-1024", 1024, 32768, True, 40.0),
    )
    for name, resolution, base, radial, target in published:
        wanted = ((ONE_AT_A_TIME, target),)
        made.append(Network(f"{name} published", resolution, base, 512, 14, radial, wanted, once=True))
    return made


NETWORKS = tuple(_networks())
