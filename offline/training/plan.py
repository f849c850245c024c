"""The plan of a run: its time, memory and disk, estimated from a few measured iterations."""

import sys
import time
from dataclasses import dataclass

import torch

from offline.training.batches import Batches, Images
from offline.training.configuration import Configuration
from offline.training.grids import grid_bytes
from offline.training.iteration import R1_INTERVAL, Iteration, Networks, Progress
from offline.training.processes import Processes
from offline.training.run_folder import KEPT
from offline.training.start import tensors

MEASURED_P = 0.2  # of augmentation, if it is on
SNAPSHOTS_PER_HOUR = 4


@dataclass(frozen=True)
class Plan:
    """Seconds for a thousand images, bytes of memory of a process at its peak, and bytes of disk in the end."""

    seconds_per_kimg: float
    memory_bytes: float
    disk_bytes: float
    kimg: float

    @property
    def hours(self) -> float:
        """The whole run, reports and snapshots not counted."""
        return self.seconds_per_kimg * self.kimg / 3600

    def lines(self) -> list[str]:
        """The plan for a reader."""
        return [
            f"time: {self.seconds_per_kimg:.3g} s for a thousand images, {duration(self.hours * 3600)} for {self.kimg:g} kimg",
            f"memory: {self.memory_bytes / 2**30:.1f} GB for each process"
            if self.memory_bytes
            else "memory: not measured",
            f"disk: {self.disk_bytes / 1e9:.2g} GB for {KEPT} snapshots, generators and grids",
        ]


def measure(
    configuration: Configuration, networks: Networks, images: Images, device: torch.device, processes: Processes
) -> Plan:
    """Measure three iterations, two of them with R1. This changes the networks."""
    iteration = Iteration(networks, Progress(), processes)
    batches = Batches(configuration, images, device)
    samples = processes.samples(configuration.batch)
    warm = round(configuration.warm_up_kimg * 1000)
    seconds = {}
    for number in (0, 1, R1_INTERVAL):  # the first one also compiles
        iteration.progress.iteration, iteration.progress.images = number, warm
        iteration.progress.p = MEASURED_P if configuration.augment and number else 0.0
        batch = batches.batch(number, samples)
        _synchronise(device)
        began = time.monotonic()
        iteration.run(batch)
        _synchronise(device)
        seconds[number] = time.monotonic() - began
    extra = max(seconds[R1_INTERVAL] - seconds[1], 0.0) / R1_INTERVAL
    seconds_per_kimg = (seconds[1] + extra) * 1000 / configuration.batch
    grids = max(seconds_per_kimg * configuration.kimg / 3600 * SNAPSHOTS_PER_HOUR, 1) * grid_bytes(configuration.size)
    return Plan(seconds_per_kimg, _peak_bytes(device), _disk_bytes(networks) + grids, configuration.kimg)


def parameters(networks: Networks) -> tuple[int, int]:
    """Number of weights of G and of D."""
    return (
        sum(tensor.numel() for tensor in tensors(networks.generator).values()),
        sum(tensor.numel() for tensor in networks.discriminator.named().values()),
    )


def duration(seconds: float) -> str:
    """`3 h 20 min`, `5.2 days`, `40 s`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes / 1440:.1f} days"


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_bytes(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) if sys.platform == "darwin" else peak * 1024.0


def _disk_bytes(networks: Networks) -> float:
    g, d = parameters(networks)
    snapshot = 4 * (g + g + d + 2 * (g + d))
    return KEPT * snapshot + 2 * 2 * g
