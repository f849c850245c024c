"""The transforms in their order: geometry, colour, bands, noise, cutout."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from torch import Tensor

from offline.training.augmentation import colour, corruption, filtering, geometry
from offline.training.augmentation.parameters import DEFAULT_GROUPS, Draws

GEOMETRY = ("xflip", "rotate90", "xint", "scale", "rotate_before", "aniso", "rotate_after", "xfrac")
COLOUR = ("brightness", "contrast", "lumaflip", "hue", "saturation")


@dataclass(frozen=True)
class Augmentation:
    """The same random changes for real and generated images, before the discriminator sees them.

    groups: the transforms that are on, names of `parameters.GROUPS`.
    """

    groups: frozenset[str] = DEFAULT_GROUPS

    def __call__(
        self,
        images: Float32[Tensor, "n c h w"],
        p: float,
        chances: Sequence[np.random.Generator],
        places: Sequence[int] | None = None,
    ) -> Float32[Tensor, "n c h w"]:
        """The images, each changed by its own random generator, with every transform at probability p.

        chances: the generators of the whole batch. places: where these images are in it; None: they are the batch.
        """
        if not self.groups or p <= 0:
            return images
        return self.apply(images, Draws.at_random(self.groups, p, chances), chances, places)

    def apply(
        self,
        images: Float32[Tensor, "n c h w"],
        draws: Draws,
        chances: Sequence[np.random.Generator] = (),
        places: Sequence[int] | None = None,
    ) -> Float32[Tensor, "n c h w"]:
        """The images changed by the drawn parameters of the whole batch; only noise needs `chances`.

        What the images share, margins and skipped steps, follows from the whole batch. So an image's rounding does not depend
        on how the batch is divided among processes and micro-batches.
        """
        _, channels, height, width = images.shape
        places = range(len(images)) if places is None else places
        whole, draws = draws, draws.rows(places)
        if any(draws.on(name) for name in GEOMETRY):
            matrix = geometry.inverse_matrix(whole, width, height)
            margins = geometry.margins(matrix, width, height)
            images = geometry.resample(images, matrix[list(places)], margins)
        if any(draws.on(name) for name in COLOUR):
            images = colour.recolour(images, *colour.colour_map(draws, channels))
        if draws.on("imgfilter"):
            images = filtering.filter_bands(images, filtering.band_gains(draws))
        if draws.on("noise"):
            images = corruption.add_noise(images, draws, [chances[place] for place in places])
        if draws.on("cutout"):
            images = corruption.cut_out(images, draws)
        return images
