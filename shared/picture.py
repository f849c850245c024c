"""What an image is made from: the value that the pipeline gives at each tick and a painter draws."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from shared.preset.pairs import LatentSpace


@dataclass(frozen=True, eq=False)
class Picture:
    """All that an image is a function of, besides the generators."""

    generator: str
    """Which generator draws it: the SHA-256 of its file."""
    latent: Float32[np.ndarray, "latent"]
    space: LatentSpace
    truncation: float
    rotate: float
    translate: tuple[float, float]
    level: float
    """Brightness from 0 (black) to 1."""
    under: "Picture | None" = None
    """In a cross-fade, the picture that this one comes over."""
    mix: float = 1.0
    """How far it has come: 0 is the picture under it alone, 1 this one alone."""
