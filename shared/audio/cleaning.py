"""What is no sound is taken out once, at the input, so that nothing behind it has to ask."""

import numpy as np
from jaxtyping import Float32, Shaped

LOUDEST = 2.0**100  # about 1e30
"""Nominal samples lie within ±1. Beyond this none is a sound, and filters in float32 would overflow."""


def clean(samples: Shaped[np.ndarray, "*shape"]) -> tuple[Float32[np.ndarray, "*shape"], int]:
    """Floating-point samples as float32, those that are NaN, infinite or beyond ±2^100 as 0; and how many were so."""
    sound = np.abs(samples) <= LOUDEST  # false for NaN
    bad = sound.size - int(np.count_nonzero(sound))
    return (np.where(sound, samples, 0.0) if bad else samples).astype(np.float32), bad
