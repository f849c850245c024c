"""Pictures on a card: how near to float32 each way of making them is, and how fast. `benchmarks/gpu.sh` runs it, after the tests."""

import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.generator import psnr
from benchmarks.networks import NETWORKS, Network
from shared.image.device import CHANNELS_LAST
from shared.image.generator import Generator
from shared.image.replay import Replayed

WANTED_DB = 45.0
TURNS = 20
NAMES = ("T-256 2048 14 layers", "R-256 2048 8 layers", "T-256 published", "T-1024 published", "R-1024 published")


def run(device: str = "cuda", names: tuple[str, ...] = NAMES) -> bool:
    """Measure and print, for each network and way: milliseconds a picture (median, min, max), PSNR; whether all are right."""
    right = True
    for network in (each for each in NETWORKS if each.name in names):
        print(network.name)
        ways, w = _ways(network, torch.device(device))
        wanted: Tensor | None = None
        for name, picture in ways.items():
            made = picture()
            wanted = made if wanted is None else wanted
            agreement = psnr(made, wanted)
            right = right and agreement >= WANTED_DB
            times = [_milliseconds(picture, w.device) for _ in range(TURNS)]
            print(f"  {name:34} {median(times):8.2f} ms ({min(times):.2f}-{max(times):.2f}), {agreement:.0f} dB")
    print("all pictures are right" if right else f"pictures below {WANTED_DB:g} dB: see above")
    return right


def _ways(network: Network, device: torch.device) -> tuple[dict[str, Callable[[], Tensor]], Tensor]:
    """Every way to make one picture, the judge (plain, float32) first, and its w."""
    architecture, arrays = network.architecture, network.arrays()
    ways: dict[str, Callable[[], Tensor]] = {}
    w = torch.empty(0)
    for precision in ("full", "half"):
        for layout, last in (("channels first", False), ("channels last", True)):
            with patch.dict(CHANNELS_LAST, {device.type: last}):
                g = Generator(architecture, arrays, device, precision)
            w = g.map(network.z())
            shipped = " (as shipped)" if last == CHANNELS_LAST[device.type] else ""
            ways[f"plain, {precision}, {layout}"] = partial(g.plain, w)
            if device.type == "cuda":
                ways[f"plain, {precision}, {layout}, graph"] = partial(Replayed(g.plain), w)
            if g.way.startswith("the fused path"):
                ways[f"fused, {precision}, {layout}{shipped}"] = partial(g.synthesize_float, w)
    return ways, w


def _milliseconds(picture: Callable[[], Tensor], device: torch.device) -> float:
    began = time.perf_counter()
    picture()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    with torch.no_grad():
        device, *chosen = sys.argv[1:] or ["cuda"]
        sys.exit(not run(device, tuple(chosen) or NAMES))
