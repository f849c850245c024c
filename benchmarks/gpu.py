"""Pictures on a card: how near to float32 each way of making them is, and how fast. `benchmarks/gpu.sh` runs it, after the tests."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.networks import NETWORKS, Network
from shared.image.device import CHANNELS_LAST
from shared.image.generator import SAME_DB, Generator, psnr_db
from shared.image.replay import Replayed

TURNS = 20
NAMES = ("T-256 2048 14 layers", "R-256 2048 8 layers", "T-256 published", "T-1024 published", "R-1024 published")


def run(device: str = "cuda", names: tuple[str, ...] = NAMES) -> bool:
    """Measure and print, for each network and way: milliseconds a picture (median, min, max), PSNR; whether all are right."""
    right = True
    for network in (each for each in NETWORKS if each.name in names):
        print(network.name)
        wanted: Tensor | None = None
        for name, precision, picture in _ways(network, torch.device(device)):
            made = picture().cpu()
            wanted = made if wanted is None else wanted
            agreement = psnr_db(made, wanted)
            is_right = agreement >= SAME_DB[precision]
            right = right and is_right
            times = [_milliseconds(picture, device) for _ in range(TURNS)]
            print(
                f"  {name:34} {median(times):8.2f} ms ({min(times):.2f}-{max(times):.2f}), {agreement:.0f} dB"
                f"{'' if is_right else f', WRONG: {SAME_DB[precision]:g} wanted'}"
            )
            del picture  # and with it the generator, before the next is made
    print("all pictures are right" if right else "wrong pictures: see above")
    return right


def _ways(network: Network, device: torch.device) -> Iterator[tuple[str, str, Callable[[], Tensor]]]:
    """Every way to make one picture, its precision, and what makes it; the judge (plain, float32) first.

    One is let go of before the next is made: the largest networks' do not fit on a card together.
    """
    architecture, arrays = network.architecture, network.arrays()
    for precision in ("full", "half"):
        for layout, last in (("channels first", False), ("channels last", True)):
            with patch.dict(CHANNELS_LAST, {device.type: last}):
                g = Generator(architecture, arrays, device, precision)
            w = g.map(network.z())
            shipped = " (as shipped)" if last == CHANNELS_LAST[device.type] else ""
            yield f"plain, {precision}, {layout}", precision, partial(g.judge, w)
            if device.type == "cuda":
                yield f"plain, {precision}, {layout}, graph", precision, partial(Replayed(g.judge), w)
            if g.backend.startswith("the fused path"):
                yield f"fused, {precision}, {layout}{shipped}", precision, partial(g.synthesize_float, w)
            del g, w
            gc.collect()


def _milliseconds(picture: Callable[[], Tensor], device: str) -> float:
    began = time.perf_counter()
    picture()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    with torch.no_grad():
        device, *chosen = sys.argv[1:] or ["cuda"]
        sys.exit(not run(device, tuple(chosen) or NAMES))
