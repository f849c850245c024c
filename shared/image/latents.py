"""The inputs of a generator: latent vectors from seeds, and the rotation and translation of its Fourier features."""

import math
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float32


def latents_from_seeds(seeds: Iterable[int], z_dim: int) -> Float32[np.ndarray, "n {z_dim}"]:
    """One z per seed, as the published tools draw them: numpy's RandomState(seed), standard normal, rounded to float32."""
    rows = [np.random.RandomState(seed).standard_normal(z_dim).astype(np.float32) for seed in seeds]
    return np.stack(rows) if rows else np.empty((0, z_dim), np.float32)


def transform_matrix(rotate_deg: float, translate: tuple[float, float] = (0.0, 0.0)) -> Float32[np.ndarray, "3 3"]:
    """The generator's `transform` for a picture rotated about its centre, then translated: the inverse of that motion.

    rotate_deg: degrees, positive is counter-clockwise. translate: (right, down) in picture widths.
    """
    angle = math.radians(rotate_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    motion = np.array([[cos, sin, translate[0]], [-sin, cos, translate[1]], [0.0, 0.0, 1.0]])
    return np.linalg.inv(motion).astype(np.float32)
