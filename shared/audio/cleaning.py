"""Removes NaN, infinite and absurdly loud samples, once, at the input."""

import numpy as np
from jaxtyping import Float32, Shaped

LOUDEST = 2.0**100  # about 1e30
"""Nominal samples lie within ±1. Beyond this, filters in float32 would overflow."""


def clean(samples: Shaped[np.ndarray, "*shape"]) -> tuple[Float32[np.ndarray, "*shape"], int]:
    """Samples as float32 with those that are NaN, infinite or beyond ±2^100 set to 0, and how many those are."""
    sound = np.abs(samples) <= LOUDEST  # false for NaN
    bad = sound.size - int(np.count_nonzero(sound))
    return (np.where(sound, samples, 0.0) if bad else samples).astype(np.float32), bad
