"""The cost from sound to latent, and the time from sound to picture on stage."""

import math
import os
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray

from live.display.base import Display, OffscreenDisplay
from live.osc.port import OscPort
from live.show.options import ShowOptions
from live.show.performance import Performance
from live.show.sharing import share_the_machine
from live.show.stats import Distribution
from live.sound.source import Block, Source
from shared.audio.files import SoundReader
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.preset.places import SHIPPED
from shared.preset.preset import Preset
from shared.stage import HOP, SAMPLE_RATE

BLOCKS = (512, 64)  # samples
SHARE = 3.0  # % of a core that the way from sound to latent may cost
OWN_MS = 5.0  # that a show may add to the generator's time, at the 95th percentile
TICK = SAMPLE_RATE // 30  # samples
CLICK, EVERY = 32, 0.61  # samples; s from one to the next, so that they come at all places of hop, tick and block
FIRST = 2  # click that counts


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and print. Nothing is played or shown: sound comes from memory, in real time, in blocks of 512.

    cpu     % of a core from sound to latent, in blocks of 512 and 64: at once, which is judged, and in the time of the clock,
            when other programs have emptied the processor's caches in between
    show    the preset's own sound: excess, generator, what lies between, drops
    click   from a click to the first picture that is another because of it, the hop, tick and block it fell into taken off
    """
    preset = Preset.load(SHIPPED / "glass")
    with SoundReader(preset.folder / "sounds" / "glass.flac") as reader:
        sound = np.concatenate(list(reader.blocks()))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    print(f"the machine's load before: {load:.1f} on {os.cpu_count()} cores")
    cpu = {}
    for size in BLOCKS:
        at_once = cpu_percent(preset, sound, size, 15 if quick else 60, paced=False)
        paced = cpu_percent(preset, sound, size, 3 if quick else 15, paced=True)
        cpu[size] = {"at_once": at_once, "paced": paced}
        print(
            f"sound to latent in blocks of {size:3}: {at_once:.2f} % of a core at once, {paced:.2f} % in its own time"
        )
    show = play(preset, Paced(sound), OffscreenDisplay(), 6 if quick else 30)
    print_show(show)
    click = clicks(preset, 8 if quick else 40)
    print(
        f"click to picture: {click['through_ms']['p50']} ms, {click['through_ms']['p95']} at the 95th percentile; "
        f"less hop, kernel, tick and block: {click['excess_ms']['p50']} and {click['excess_ms']['p95']}"
    )
    own = show["excess_ms"]["p95"] - show["generator_ms"]["p95"]
    met = own <= OWN_MS and cpu[HOP]["at_once"] <= SHARE
    print(
        f"targets: {SHARE:g} % of a core; at the 95th percentile {OWN_MS:g} ms more than the generator (here {own:.1f}): "
        + ("met" if met else "missed")
    )
    return {"load": load, "cpu_percent": cpu, "show": show, "click": click, "own_ms_p95": own, "met": met}


class Paced(Source):
    """A sound from memory, as a sound card brings it: block by block, each when its last sample has sounded."""

    def __init__(self, samples: Float32[np.ndarray, "n"], size: int = HOP) -> None:
        super().__init__("sound from memory", time.monotonic)
        self._samples, self.size = samples, size
        self._began = 0.0

    def start(self) -> None:
        """Start at sample 0, now."""
        self._began = time.monotonic()

    def close(self) -> None:
        """Do nothing."""

    def read(self, timeout: float = 0.0) -> list[Block]:
        """The blocks that have sounded, repeating the sound."""
        due = self.time_of(self.position + self.size)
        time.sleep(max(0.0, min(due - time.monotonic(), timeout)))
        blocks = []
        while self.sample_at(time.monotonic()) >= self.position + self.size:
            places = np.arange(self.position, self.position + self.size) % len(self._samples)
            blocks.append(self._block(self._samples[places]))
        return blocks

    def sample_at(self, time: float) -> float:
        """The sample that sounds at this time."""
        return (time - self._began) * SAMPLE_RATE

    def time_of(self, sample: float) -> float:
        """When this sample sounds."""
        return self._began + sample / SAMPLE_RATE


class Watched(OffscreenDisplay):
    """Notes the times at which the picture changed; an unchanged picture is the same array."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: list[float] = []
        self._new = False

    def show(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Whether the picture changed."""
        self._new |= image is not self.picture
        super().show(image)

    def draw(self) -> None:
        """Note that it is shown now."""
        super().draw()
        if self._new:
            self.changed.append(time.monotonic())
            self._new = False


def cpu_percent(preset: Preset, sound: NDArray[np.float32], size: int, seconds: int, paced: bool) -> float:
    """Share of a core, in %, that a sound takes on its way to latents, in blocks of `size` samples."""
    pipeline = Pipeline(preset)
    pipeline.process(sound[:SAMPLE_RATE])
    samples = np.tile(sound, -(-seconds * SAMPLE_RATE // len(sound)))[: seconds * SAMPLE_RATE]
    began, cpu = time.monotonic(), time.process_time()
    for at in range(0, len(samples), size):
        if paced:
            time.sleep(max(0.0, began + (at + size) / SAMPLE_RATE - time.monotonic()))
        pipeline.process(samples[at : at + size])
    return 100 * (time.process_time() - cpu) / seconds


def play(preset: Preset, source: Source, display: Display, seconds: float) -> dict[str, Any]:
    """A show as `ponticello live` plays it; its statistics."""
    import torch

    threads, switch = torch.get_num_threads(), sys.getswitchinterval()
    share_the_machine("cpu")
    try:
        port = OscPort(preset.settings.inputs, port=0, targets=())
        performance = Performance(
            [preset], preset, source=source, display=display, port=port, painter=Painter(), options=ShowOptions(seconds)
        )
        return performance.run()
    finally:
        torch.set_num_threads(threads)
        sys.setswitchinterval(switch)


def print_show(show: dict[str, Any]) -> None:
    """Print the statistics of a show."""
    stages = {"generator": show["generator_ms"], **show["stages_ms"]}
    print(
        f"arrival of the last sound to picture: {show['excess_ms']['p50']} ms, {show['excess_ms']['p95']} at the 95th percentile: "
        + ", ".join(f"{name} {stage['p50']}/{stage['p95']}" for name, stage in stages.items())
    )
    print(
        f"{show['ticks']} ticks, {show['pictures']} pictures, {show['dropped']} dropped, {show['overflows']} overflows"
    )


@dataclass(frozen=True)
class Click:
    """A click at a sample."""

    sample: int

    @property
    def complete(self) -> int:
        """The count of samples that the first tick in which it is heard needs: up to the end of the tick's last frame."""
        frame = self.sample // HOP  # the first that it lies in: x[512 k - 512 .. 512 k + 511]
        tick = frame * HOP // TICK
        last = ((tick + 1) * TICK - 1) // HOP
        return (last + 1) * HOP


def clicks(preset: Preset, seconds: float) -> dict[str, Any]:
    """Between clicks nothing changes, as there is no smoothing and the gate holds what was heard last."""
    rng = np.random.default_rng(0)
    clicks = [Click(round((n + 1) * EVERY * SAMPLE_RATE)) for n in range(int((seconds - 1) / EVERY))]
    samples = np.zeros(round((seconds + 10) * SAMPLE_RATE), np.float32)
    for click in clicks:
        samples[click.sample : click.sample + CLICK] = rng.choice((-1, 1), CLICK) * rng.uniform(0.3, 0.6, CLICK)
    source, display = Paced(samples), Watched()
    play(
        replace(preset, controls={**preset.controls, "smoothing": 0.0, "latent_smoothing": 0.0}),
        source,
        display,
        seconds,
    )
    through, excess = Distribution(), Distribution()
    for click in clicks[FIRST:]:
        began = source.time_of(click.sample)
        shown = next((time for time in display.changed if time > began), math.inf)
        if shown - began < EVERY:
            arrived = source.time_of(-(-click.complete // source.size) * source.size)
            through.add(1000 * (shown - began))
            excess.add(1000 * (shown - arrived))
    return {"clicks": through.count, "through_ms": through.summary(), "excess_ms": excess.summary()}


if __name__ == "__main__":
    run()
