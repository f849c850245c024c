"""The generator of a preset at work for the laboratory: pictures of latents, and where its own w lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, UInt8
from numpy.typing import NDArray

from offline.laboratory.look import SIDE
from offline.pictures import reduced, thumbnail
from shared.picture import Picture
from shared.preset import Preset

if TYPE_CHECKING:
    from shared.painter import Painter

SAMPLES = 10_000  # w of random z, to know where they lie
BATCH = 1000
SEED = 0


@dataclass(frozen=True, eq=False)
class Usual:
    """Where the w of random z lie: mean (d,), deviation (root mean square distance from it, per dimension), whitening (d, d)."""

    mean: Float64[np.ndarray, "d"]
    deviation: float
    whitening: Float64[np.ndarray, "d d"]

    def distance(self, w: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n"]:
        """Root mean square distance from the mean, in deviations: about 1 for a random w."""
        return np.asarray(np.sqrt(np.square(w - self.mean).mean(axis=1)) / self.deviation)

    def mahalanobis(self, w: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n"]:
        """Mahalanobis distance over the root of the dimensions: about 1 for a random w, more for one in rare directions."""
        return np.asarray(np.sqrt(np.square((w - self.mean) @ self.whitening).mean(axis=1)))


class GeneratorProbe:
    """Draws thumbnails of pictures and gives their w. The generator is loaded with the first of them."""

    def __init__(self, preset: Preset, device: str | None = None) -> None:
        self._preset, self._device = preset, device

    @cached_property
    def _painter(self) -> "Painter":
        from shared.image.device import pick_device
        from shared.painter import Painter

        painter = Painter(pick_device(self._device))
        painter.load(self._preset)
        return painter

    def images(self, pictures: Sequence[Picture], side: int = SIDE) -> UInt8[np.ndarray, "n side side 3"]:
        """Their images as squares of `side` pixels, or of their own size where that is smaller."""
        from shared.image.threads import side_by_side

        def paint(picture: Picture) -> NDArray[np.uint8]:
            image = self._painter.paint(picture).cpu().numpy()
            return thumbnail(image, side) if min(image.shape[:2]) > side else reduced(image, side)

        _ = self._painter
        return np.stack([image for _, image in side_by_side(paint, pictures)])

    def w(self, pictures: Sequence[Picture]) -> Float64[np.ndarray, "n d"]:
        """The w of each picture, without truncation."""
        import torch

        generator = self._painter.load(self._preset)
        if pictures[0].space == "w":
            return np.stack([picture.latent for picture in pictures]).astype(np.float64)
        z = torch.from_numpy(np.stack([picture.latent for picture in pictures]))
        labels = [picture.label for picture in pictures if picture.label is not None]
        c = torch.from_numpy(np.stack(labels)) if labels else None
        w: NDArray[np.float64] = generator.map(z, c)[:, 0].numpy().astype(np.float64)
        return w

    @cached_property
    def usual(self) -> Usual:
        """From 10,000 random z, of random classes for a conditional generator."""
        import torch

        generator = self._painter.load(self._preset)
        rng = np.random.default_rng(SEED)
        parts = []
        for _ in range(SAMPLES // BATCH):
            z = torch.from_numpy(rng.standard_normal((BATCH, generator.z_dim)).astype(np.float32))
            c = None
            if generator.c_dim:
                c = torch.eye(generator.c_dim)[torch.from_numpy(rng.integers(generator.c_dim, size=BATCH))]
            parts.append(generator.map(z, c)[:, 0].numpy().astype(np.float64))
        w = np.concatenate(parts)
        mean = w.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(w.T))
        # Directions in which random w hardly differ would count infinitely: their variance is raised a little.
        values = np.maximum(values, 1e-6 * values.max())
        return Usual(mean, float(np.sqrt(np.square(w - mean).mean())), vectors / np.sqrt(values))
