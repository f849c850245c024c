"""What pictures of other shapes cost beside the square one, on the fused CPU path: time per pixel, and memory."""

import time
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.memory import peak_mb
from benchmarks.networks import NETWORKS
from shared.image.canvas import Shape, covering_shape
from shared.image.generator import Generator, load_generator
from shared.preset.places import SHIPPED
from shared.preset.preset import Preset

GLASS = {"16:9": 16 / 9, "9:16": 9 / 16, "4:1": 4.0}
OTHERS = {"16:9": 16 / 9}
BOUND = 1.1  # time per pixel, to the square's
TURNS = 7  # the ratio is the median over these
PRECISIONS = ("full", "half")


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and print: ms of CPU time of one thread, in turns with the square; the ratio per pixel; peak memory.

    quick: without the memory, which takes two processes per network.
    """
    print(f"other shapes beside the square, fused path, CPU time of one thread (target: at most {BOUND:g} x per pixel)")
    rows = _times("glass", None, GLASS)
    memory = {}
    for network in (each for each in NETWORKS if each.quick):
        rows += _times(network.name, network.name, OTHERS)
        if not quick:
            wide = covering_shape(network.architecture, OTHERS["16:9"])
            memory[network.name] = {"square": peak_mb(network.name), "16:9": peak_mb(network.name, wide)}
            each = ", ".join(f"{shape} {peak:.0f} MB" for shape, peak in memory[network.name].items())
            print(f"  {network.name:20} peak memory: {each}")
    return {"rows": rows, "peak_mb": memory, "met": all(row["per_pixel"] <= BOUND for row in rows)}


def _times(title: str, network: str | None, aspects: dict[str, float]) -> list[dict[str, Any]]:
    """The figures of a network in both precisions; `network` None is the shipped glass."""
    rows = []
    for precision in PRECISIONS:
        generator, w = _loaded(network, precision)
        square = (generator.img_resolution,) * 2
        for name, aspect in aspects.items():
            shape = covering_shape(generator.config, aspect)
            row = {"network": title, "precision": precision, "shape": name} | _timed(generator, w, square, shape)
            print(
                f"  {title:20} {precision:4}  {_size(square)} {row['square_ms']:6.1f} ms, {_size(shape):>10} "
                f"{row['ms']:6.1f} ms: {row['per_pixel']:.2f} x per pixel"
            )
            rows.append(row)
    return rows


def _loaded(network: str | None, precision: str) -> tuple[Generator, Tensor]:
    """A generator and one w (1, num_ws, w_dim); None is the shipped glass."""
    if network is None:
        generator = load_generator(Preset.load(SHIPPED / "glass").generator_path, "cpu", precision)
        return generator, generator.broadcast(generator.w_avg[None])
    found = next(each for each in NETWORKS if each.name == network)
    generator = Generator(found.architecture, found.arrays(), torch.device("cpu"), precision)
    return generator, generator.map(found.z())


def _timed(generator: Generator, w: Tensor, square: Shape, other: Shape) -> dict[str, float]:
    """Medians in ms of both shapes' CPU time, and of the ratio of the times per pixel."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times: dict[Shape, list[float]] = {square: [], other: []}
        for turn in range(TURNS + 1):
            for shape, taken in times.items():
                began = time.thread_time()
                generator.synthesize_float(w, shape=shape)
                if turn:  # the first one warms up
                    taken.append(1e3 * (time.thread_time() - began))
    finally:
        torch.set_num_threads(threads)
    pixels = other[0] * other[1] / (square[0] * square[1])
    ratios = [b / a / pixels for a, b in zip(times[square], times[other], strict=True)]
    return {"square_ms": median(times[square]), "ms": median(times[other]), "per_pixel": median(ratios)}


def _size(shape: Shape) -> str:
    return f"{shape[1]} x {shape[0]}"
