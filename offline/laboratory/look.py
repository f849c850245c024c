"""How pictures differ: mean absolute difference of 64 x 64 thumbnails, in grey levels of 0 to 255."""

import numpy as np
from jaxtyping import Float64, UInt8

SIDE = 64  # pixels
Thumbnails = UInt8[np.ndarray, "n side side 3"]


def difference(a: UInt8[np.ndarray, "side side 3"], b: UInt8[np.ndarray, "side side 3"]) -> float:
    """Mean absolute difference of two thumbnails."""
    return float(np.abs(a.astype(np.int16) - b).mean())


def differences(images: Thumbnails) -> Float64[np.ndarray, "pairs"]:
    """The difference of every two of n thumbnails: n (n - 1) / 2 numbers."""
    rows = images.reshape(len(images), -1).astype(np.int16)
    parts = [np.abs(rows[i + 1 :] - rows[i]).mean(axis=1) for i in range(len(rows) - 1)]
    return np.concatenate(parts) if parts else np.empty(0)


def variety(images: Thumbnails) -> float:
    """The mean difference of two of them; 0 for fewer than two."""
    found = differences(images)
    return float(found.mean()) if len(found) else 0.0
