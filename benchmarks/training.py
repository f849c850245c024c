"""The speed of a training iteration beside the textbook's, by PyTorch's own gradients, in one process and in turns."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn.functional import conv2d, pad

from benchmarks import textbook
from benchmarks.textbook import memory_by_default
from offline.training import discriminator, start
from offline.training.batches import Batches
from offline.training.configuration import Configuration
from offline.training.generator import TrainableGenerator
from offline.training.iteration import R1_INTERVAL, Iteration, Progress
from shared.image import geometry
from shared.image.memory import LARGEST_BYTES, keep_memory
from shared.image.ops.filters import down_filter, up_filter

CPU = torch.device("cpu")
WANTED = 4.0  # times faster
WANTED_AGREEMENT = 1e-3  # of gradients, relative
TURNS, QUICK_TURNS = 3, 1
SIZE, BATCH = 64, 8
NETWORKS = {
    "T-64": {"config": "t", "channel_base": 2048, "channel_max": 64},
    "R-64": {"config": "r", "channel_base": 2048, "channel_max": 64},
}


class TextbookGenerator(TrainableGenerator):
    """The same network by the paper's formulas: own weights for each image, zeros inserted, filters at the full rate."""

    def _layer(self, i: int, layer: geometry.Layer, x: Tensor, w: Tensor, beta: float | None) -> Tensor:
        prefix = f"synthesis.{layer.name}"
        ema = self.get(f"{prefix}.magnitude_ema")
        if beta is not None:
            ema.copy_(x.detach().square().mean().lerp(ema, beta))
        style, weight = self.style(prefix, w), self.get(f"{prefix}.weight")
        x = textbook.modulated(x.contiguous(), weight, style, float(ema), not layer.is_torgb)
        x = x + self.get(f"{prefix}.bias")[None, :, None, None]
        up, down = (torch.from_numpy(taps.copy()) for taps in (up_filter(layer), down_filter(layer)))
        return textbook.filtered(x, layer, up, down, self.architecture.conv_clamp)


def textbook_lowpass(x: Tensor, padding: int) -> Tensor:
    """The discriminator's filter as a convolution of each channel."""
    c = x.shape[1]
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return conv2d(pad(x, [padding] * 4), torch.outer(taps, taps)[None, None].repeat(c, 1, 1, 1), groups=c)


@dataclass(frozen=True)
class Noise:
    """A data set of random images."""

    labels: Float32[np.ndarray, "n 0"]
    pixels: UInt8[np.ndarray, "n 3 s s"]

    def __len__(self) -> int:
        return len(self.pixels)

    def image(self, number: int) -> UInt8[np.ndarray, "3 s s"]:
        """An image."""
        return np.asarray(self.pixels[number])


class Path:
    """One way to compute an iteration: fused as in training, or the textbook's. Both have the same weights and data."""

    def __init__(self, configuration: Configuration, images: Noise, is_textbook: bool) -> None:
        self._is_textbook = is_textbook
        with self._chosen():
            self._networks = start.begin(configuration, None, CPU)
        self._batches = Batches(configuration, images, CPU)
        self.gradients: dict[str, Tensor] = {}

    def seconds(self, number: int) -> float:
        """CPU seconds of an iteration with this number; every 16th has R1."""
        batch = self._batches.batch(number, range(BATCH))
        iteration = Iteration(self._networks, Progress(iteration=number), on_gradients=self._keep)
        with self._chosen():
            began = time.process_time()
            iteration.run(batch)
            return time.process_time() - began

    def _keep(self, phase: str, gradients: dict[str, Tensor]) -> None:
        if phase == "Gmain":
            self.gradients = {name: gradient.clone() for name, gradient in gradients.items()}

    @contextmanager
    def _chosen(self) -> Iterator[None]:
        if not self._is_textbook:
            yield
            return
        with (
            patch.object(start, "TrainableGenerator", TextbookGenerator),
            patch.object(discriminator, "lowpass", textbook_lowpass),
            memory_by_default(LARGEST_BYTES),  # the maps of a batch are larger
        ):
            yield


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and print for each network: CPU seconds for a thousand images on both paths, their ratio, their agreement.

    One thread, batch 8, no augmentation; R1 counts every 16th iteration. Ours keeps freed memory, as `train-gan` does; the
    textbook has the C library's default, as the published code. quick: one turn.
    """
    keep_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [_measure(name, arguments, QUICK_TURNS if quick else TURNS) for name, arguments in NETWORKS.items()]
    finally:
        torch.set_num_threads(threads)
    return {"networks": rows, "met": all(row["met"] for row in rows)}


def _measure(name: str, arguments: dict[str, Any], turns: int) -> dict[str, Any]:
    widths: dict[str, Any] = {"z_dim": 128, "w_dim": 128, "num_layers": 9, "d_channel_base": 2048, "d_channel_max": 64}
    configuration = Configuration(
        size=SIZE, batch=BATCH, micro_batch=BATCH, images=4 * BATCH, augment=(), gamma=1.0, **widths, **arguments
    )
    pixels = np.random.default_rng(0).integers(0, 256, (4 * BATCH, 3, SIZE, SIZE), np.uint8)
    images = Noise(np.zeros((len(pixels), 0), np.float32), pixels)
    paths = {"ours": Path(configuration, images, False), "textbook": Path(configuration, images, True)}
    paths["ours"].seconds(1)  # compiles
    paths["ours"] = Path(configuration, images, False)
    seconds: dict[str, dict[int, list[float]]] = {path: {1: [], R1_INTERVAL: []} for path in paths}
    worst = 0.0
    for turn in range(turns):
        for number in (1, R1_INTERVAL):
            for path, measured in seconds.items():
                measured[number].append(paths[path].seconds(number))
            if turn == 0 and number == 1:
                worst = _largest_difference(paths["ours"].gradients, paths["textbook"].gradients)
    kimg = {path: _seconds_per_kimg(measured) for path, measured in seconds.items()}
    ratio = kimg["textbook"] / kimg["ours"]
    met = ratio >= WANTED and worst <= WANTED_AGREEMENT
    print(
        f"{name}: {kimg['ours']:.0f} CPU s for a thousand images, textbook {kimg['textbook']:.0f}: {ratio:.1f} times faster "
        f"(wanted {WANTED:g}); gradients agree to {worst:.0e}"
    )
    return {"network": name, "seconds_per_kimg": kimg, "ratio": ratio, "gradients": worst, "met": met}


def _seconds_per_kimg(measured: dict[int, list[float]]) -> float:
    main, with_r1 = median(measured[1]), median(measured[R1_INTERVAL])
    return (main + (with_r1 - main) / R1_INTERVAL) * 1000 / BATCH


def _largest_difference(given: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """Largest difference of two sets of gradients, relative to each tensor's largest value."""
    return max(
        float((given[name] - wanted[name]).abs().max() / wanted[name].abs().max().clamp(min=1e-12)) for name in wanted
    )
