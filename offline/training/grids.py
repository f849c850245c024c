"""Images of a generator at fixed seeds, and sheets of them."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from offline.training.batches import Batches
from offline.training.chance import Phase
from offline.training.generator import TrainableGenerator
from shared.atomic import written_atomically

COLUMNS, ROWS = 8, 4
LARGEST_CELL = 256  # pixels a side; larger images are reduced for the sheet
TOGETHER = 8  # images that are computed at once

Pictures = UInt8[Tensor, "n c s s"]


def grid_bytes(size: int) -> int:
    """Bytes of a sheet of images of this size, at most."""
    return COLUMNS * ROWS * min(size, LARGEST_CELL) ** 2 * 3


@torch.no_grad()
def generated(generator: TrainableGenerator, batches: Batches, count: int, phase: Phase) -> Pictures:
    """Images of the fixed seeds of a phase, on the CPU."""
    parts = []
    for first in range(0, count, TOGETHER):
        z, c = batches.latents(0, phase, range(first, min(first + TOGETHER, count)))
        parts.append(to_bytes(generator.synthesize(generator.map(z, c))))
    return torch.cat(parts)


def to_bytes(images: Tensor) -> Pictures:
    """Images from -1..1 to 0..255, as the generator's file is drawn."""
    return (images.to(torch.float32) * 127.5 + 128).clamp(0, 255).to(torch.uint8).cpu()


def write_grid(path: Path, images: Pictures) -> None:
    """Write up to 32 images as a sheet of eight columns."""
    side = min(images.shape[2], LARGEST_CELL)
    if side < images.shape[2]:
        smaller = interpolate(images.to(torch.float32), (side, side), mode="bilinear", antialias=True)
        images = smaller.round().clamp(0, 255).to(torch.uint8)
    shown = images[: COLUMNS * ROWS].permute(0, 2, 3, 1).numpy()
    sheet = np.zeros((-(-len(shown) // COLUMNS) * side, COLUMNS * side, 3), np.uint8)
    for number, image in enumerate(shown):
        y, x = (number // COLUMNS) * side, (number % COLUMNS) * side
        sheet[y : y + side, x : x + side] = image
    with written_atomically(path) as temporary:
        Image.fromarray(sheet).save(temporary, "PNG")
