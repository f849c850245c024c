"""The networks at the beginning of a run: with random weights, or from a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline.training.configuration import Configuration
from offline.training.discriminator import Discriminator
from offline.training.discriminator_architecture import DiscriminatorArchitecture
from offline.training.generator import TrainableGenerator
from offline.training.iteration import Networks
from offline.training.network_file import (
    AVERAGED,
    DISCRIMINATOR,
    GENERATOR,
    is_network_file,
    read_networks,
    sha256,
)
from shared.errors import ModelError
from shared.image.architecture import Architecture
from shared.image.checkpoint import read_checkpoint

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Source:
    """A file to fine-tune: its hash, architectures and tensors; it may lack a discriminator."""

    path: Path
    sha256: str
    generator: Architecture
    discriminator: DiscriminatorArchitecture | None
    trained: Arrays
    averaged: Arrays
    judging: Arrays

    @classmethod
    def read(cls, path: Path) -> "Source":
        """Load a file of networks, or of a generator alone. Raises ModelError for anything else."""
        digest = sha256(path)
        if is_network_file(path):
            file = read_networks(path)
            parts = (file.part(prefix) for prefix in (GENERATOR, AVERAGED, DISCRIMINATOR))
            return cls(path, digest, file.generator, file.discriminator, *parts)
        architecture, arrays = read_checkpoint(path)
        return cls(path, digest, architecture, None, arrays, arrays, {})


def begin(configuration: Configuration, source: Source | None, device: torch.device) -> Networks:
    """The networks before the first iteration."""
    drawn = torch.Generator().manual_seed(configuration.seed)
    architecture = configuration.generator_architecture
    generator = TrainableGenerator(architecture, generator=drawn)
    generator.draw_waves(drawn)
    averaged = TrainableGenerator(architecture, generator=drawn)
    discriminator = Discriminator(configuration.discriminator_architecture, drawn)
    if source is None:
        copy_into(tensors(averaged), tensors(generator))
    else:
        load(tensors(generator), source.trained)
        load(tensors(averaged), source.averaged)
        if source.discriminator is not None:
            load(dict(discriminator.named()), source.judging)
    return Networks(generator.to(device), averaged.to(device), discriminator.to(device), configuration.rules())


def tensors(generator: TrainableGenerator) -> dict[str, Tensor]:
    """All stored tensors of a generator by their published names."""
    return {**generator.parameters_by_name(), **generator.buffers_by_name()}


@torch.no_grad()
def copy_into(target: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Overwrite the tensors of `target` with those of the same names."""
    for name, tensor in target.items():
        tensor.copy_(given[name])


def load(target: Mapping[str, Tensor], arrays: Arrays) -> None:
    """Overwrite tensors with arrays of the same names, in float32. Raises ModelError if one is missing."""
    missing = sorted(target.keys() - arrays.keys())
    if missing:
        raise ModelError(f"tensor {missing[0]} is missing; the file is incomplete")
    copy_into(target, {name: torch.from_numpy(np.array(arrays[name], np.float32)) for name in target})
