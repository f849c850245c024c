"""The data of an iteration, named by numbers, so that it is the same after any stop and for any number of processes."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from offline.training.chance import Phase, numbers
from offline.training.configuration import Configuration
from offline.training.iteration import Batch
from offline.training.order import item

Labels = Float32[np.ndarray, "n c_dim"]


@runtime_checkable
class Images(Protocol):
    """Images and their labels; `offline.dataset.reader.Dataset` is one."""

    @property
    def labels(self) -> Labels:
        """A row for each image; no columns where there are no labels."""

    def __len__(self) -> int: ...

    def image(self, number: int) -> UInt8[np.ndarray, "c s s"]:
        """An image."""


class Batches:
    """Batches of images, latents and labels. Latents are drawn for each sample by a random generator of its own."""

    def __init__(self, configuration: Configuration, images: Images, device: torch.device) -> None:
        self._seed, self._batch = configuration.seed, configuration.batch
        self._z_dim = configuration.generator_architecture.z_dim
        self._images, self._device = images, device

    def images(self, iteration: int, samples: range) -> UInt8[Tensor, "n c s s"]:
        """The real images of an iteration for these places in the whole batch, on the CPU."""
        items = self._items(iteration, samples)
        return torch.from_numpy(np.stack([self._images.image(number) for number in items]))

    def batch(self, iteration: int, samples: range, images: UInt8[Tensor, "n c s s"] | None = None) -> Batch:
        """The data of an iteration; `images` where they were read before."""
        reals = self.images(iteration, samples) if images is None else images
        return Batch(
            samples,
            reals.to(self._device).to(torch.float32) / 127.5 - 1,
            self._on_device(self._images.labels[self._items(iteration, samples)]),
            *self.latents(iteration, "generator", samples),
            *self.latents(iteration, "discriminator", samples),
        )

    def _items(self, iteration: int, samples: range) -> list[int]:
        count = len(self._images)
        return [item(self._seed, iteration * self._batch + sample, count) for sample in samples]

    def latents(
        self, iteration: int, phase: Phase, samples: range
    ) -> tuple[Float32[Tensor, "n z_dim"], Float32[Tensor, "n c_dim"]]:
        """Z and labels of generated images; the labels are those of images drawn uniformly from the data set."""
        z, chosen = [], []
        for sample in samples:
            chance = numbers(self._seed, iteration, phase, sample)
            z.append(chance.standard_normal(self._z_dim, np.float32))
            chosen.append(int(chance.integers(len(self._images))))
        return self._on_device(np.stack(z)), self._on_device(self._images.labels[chosen])

    def reals(self, count: int, *, part: int = 0, parts: int = 1) -> UInt8[Tensor, "n c s s"]:
        """Images spread evenly over the data set; those of different `part` are different images."""
        mine = np.arange(part, len(self._images), parts)
        chosen = mine[np.linspace(0, len(mine) - 1, min(count, len(mine))).round().astype(int)]
        return torch.from_numpy(np.stack([self._images.image(int(number)) for number in chosen]))

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(array, np.float32)).to(self._device)
