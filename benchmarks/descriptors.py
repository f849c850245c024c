"""The cost of a hop of sound analysis, relative to a Fourier transform on the same machine at the same time."""

from collections.abc import Callable
from statistics import median
from time import thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.audio.descriptors import Analyzer, warm_up
from shared.stage import HOP, WINDOW

BLOCKS = (64, 512, 4096, 65536)  # samples
LIVE_BLOCK = 512
TARGET = 6.0  # transforms a hop, median, in live blocks: half of what FluCoMa's own programs take
HOPS = 128  # a turn; the largest block is just one
TRANSFORMS = 400  # a turn


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and print: µs of CPU time a hop (min, median) and its ratio to `numpy.fft.rfft` of 1024 points.

    One thread. Every turn times the transform and each block size once, one after the other, so that a busy machine
    slows all of them; `ratio` is the median over the turns.
    """
    noise = np.random.default_rng(0).standard_normal(HOPS * HOP).astype(np.float32) * np.float32(0.1)
    frame = noise[:WINDOW].astype(np.float64)
    warm_up()
    analyzers = {size: Analyzer() for size in BLOCKS}
    transforms: list[float] = []
    hops: dict[int, list[float]] = {size: [] for size in BLOCKS}
    for _ in range(30 if quick else 300):
        transforms.append(_microseconds(lambda: [np.fft.rfft(frame) for _ in range(TRANSFORMS)], TRANSFORMS))
        for size, analyzer in analyzers.items():
            hops[size].append(_microseconds(lambda: _analyse(analyzer, noise, size), HOPS))  # noqa: B023  # called at once

    print(f"rfft of {WINDOW} points: {min(transforms):.1f} µs at best, {median(transforms):.1f} median")
    blocks = {}
    for size, times in hops.items():
        ratio = median(hop / transform for hop, transform in zip(times, transforms, strict=True))
        blocks[size] = {"us_min": min(times), "us_median": median(times), "ratio": ratio}
        print(
            f"a hop in blocks of {size:5}: {min(times):5.1f} µs at best, {median(times):5.1f} median, {ratio:4.2f} transforms"
        )
    met = blocks[LIVE_BLOCK]["ratio"] <= TARGET
    print(f"target: {TARGET:g} transforms in blocks of {LIVE_BLOCK}: {'met' if met else 'missed'}")
    return {
        "rfft_us_min": min(transforms),
        "rfft_us_median": median(transforms),
        "blocks": blocks,
        "target_ratio": TARGET,
        "met": met,
    }


def _microseconds(work: Callable[[], object], count: int) -> float:
    start = thread_time()
    work()
    return (thread_time() - start) / count * 1e6


def _analyse(analyzer: Analyzer, samples: NDArray[np.float32], size: int) -> None:
    for first in range(0, len(samples), size):
        analyzer.process(samples[first : first + size])


if __name__ == "__main__":
    run()
