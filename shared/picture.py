"""The description of an image: the pipeline emits one per tick, a painter draws it."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float32

from shared.preset.pairs import LatentSpace


@dataclass(frozen=True, eq=False)
class Picture:
    """Everything that an image depends on, besides the generators."""

    generator: str
    """SHA-256 of the file of its generator."""
    latent: Float32[np.ndarray, "latent"]
    space: LatentSpace
    truncation: float
    rotate: float
    translate: tuple[float, float]
    level: float
    """Brightness from 0 (black) to 1."""
    under: "Picture | None" = None
    """In a cross-fade, the picture below."""
    mix: float = 1.0
    """Progress of the cross-fade: 0 is the picture below alone, 1 this one alone."""
    aspect: Fraction = Fraction(1)
    """Width over height; in a cross-fade, that of the uppermost picture counts."""
    label: Float32[np.ndarray, "classes"] | None = None
    """The weights of the classes of a conditional generator, for a latent in z."""
