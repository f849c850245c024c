"""Shared by the steps of `benchmarks.gpu`: the device, the networks, the results, the clock."""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.networks import NETWORKS, Network
from shared.image.generator import Generator

NAMES = ("T-1024 published", "R-1024 published", "T-512 published", "T-256 published", "R-256 published")
REHEARSED = ("T-128 2048 8 layers", "R-128 2048 8 layers")
TURNS, REHEARSED_TURNS = 20, 2


class Step:
    """The device of a step, and its results."""

    def __init__(self, file: Path, kind: str) -> None:
        self.device = torch.device(kind)
        self.rehearses = kind == "cpu"
        self.is_right = True
        self._file = file

    @property
    def turns(self) -> int:
        """Number of measurements of a time."""
        return REHEARSED_TURNS if self.rehearses else TURNS

    @property
    def networks(self) -> list[Network]:
        """The networks to measure, *glass* apart."""
        names = REHEARSED if self.rehearses else NAMES
        return [named_network(name) for name in names]

    def add(self, **result: Any) -> None:
        """Write a result immediately, so that it survives the step's time limit."""
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(result) + "\n")

    def judge(self, is_right: bool, **result: Any) -> None:
        """Keep a result that may be wrong."""
        self.is_right = self.is_right and is_right
        self.add(right=is_right, **result)

    def milliseconds(self, work: Callable[[], object]) -> dict[str, float]:
        """Median, least and most of some turns."""
        work()
        times = []
        for _ in range(self.turns):
            self.wait()
            began = time.perf_counter()
            work()
            self.wait()
            times.append((time.perf_counter() - began) * 1e3)
        return {"ms": median(times), "least": min(times), "most": max(times)}

    def wait(self) -> None:
        """Wait until the card has finished."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def generator(self, network: Network, precision: str) -> Generator:
        """Prepared, and checked on a card."""
        g = Generator(network.architecture, stored_arrays(network), self.device, precision)
        if self.device.type == "cuda":
            g.check_fused_path()
        return g


def named_network(name: str) -> Network:
    """A network to measure, by its name."""
    if name == "T-512 published":
        return replace(named_network("T-256 published"), name=name, resolution=512, base=32768)
    return next(network for network in NETWORKS if network.name == name)


def stored_arrays(network: Network) -> dict[str, np.ndarray]:
    """The weights, kept on disk for the next step: scaling them takes a picture on the CPU."""
    file = Path(tempfile.gettempdir()) / f"ponticello-gpu-{network.name.replace(' ', '-')}.npz"
    if not file.exists():
        np.savez(file, **network.arrays())  # type: ignore[arg-type]
    return dict(np.load(file))


def w_of(g: Generator, network: Network) -> Tensor:
    """A w on the device."""
    return g.map(network.z()).to(g.device)
