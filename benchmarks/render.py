"""The overlap of analysis, generation and encoding: the time of a whole render relative to its slowest part."""

import os
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from offline.rendering.render import Job, render
from offline.video.film_format import FormatRequest
from shared.painter import Painter
from shared.preset.places import SHIPPED
from shared.preset.preset import Preset

TARGET = 1.1  # wall time over the larger of the generator alone and all CPU time divided by the cores
SIZE = 512  # the demo's size: encoding counts


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and print the overlap: seconds of the generator alone, of the render, and of all CPUs together.

    CPU time counts this process and ffmpeg's, during the render. The generator alone paints the same ticks before and
    after it, and the mean of the two stands for the machine's speed meanwhile.
    """
    preset = Preset.load(SHIPPED / "glass")
    job = Job(
        preset, preset.folder / "sounds" / "glass.flac", end=Fraction(6 if quick else 20), format=FormatRequest(SIZE)
    )
    painter = Painter()
    painter.load(preset)
    pictures = [
        tick.picture for tick, _ in zip(job.ticks(job.material, Fraction(1)), job.excerpt(range(10**9)), strict=False)
    ]

    def alone() -> float:
        began = time.perf_counter()
        for picture in pictures:
            painter.paint(picture)
        return time.perf_counter() - began

    painter.paint(pictures[0])
    before = alone()
    with tempfile.TemporaryDirectory() as folder:
        cpu, began = _cpu_seconds(), time.perf_counter()
        render(job, Path(folder) / "film.mp4")
        wall, cpu = time.perf_counter() - began, _cpu_seconds() - cpu
    generator = (before + alone()) / 2
    share = cpu / (os.cpu_count() or 1)
    ratio = wall / max(generator, share)
    print(
        f"generator alone {generator:.1f} s, all CPU time by the cores {share:.1f} s, the render {wall:.1f} s: {ratio:.2f}"
    )
    print(f"target: {TARGET:g} times the larger: {'met' if ratio <= TARGET else 'missed'}")
    return {
        "pictures": len(pictures),
        "generator_s": generator,
        "cpu_s_by_cores": share,
        "render_s": wall,
        "ratio": ratio,
        "target_ratio": TARGET,
        "met": ratio <= TARGET,
    }


def _cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended (where the system counts them)."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
