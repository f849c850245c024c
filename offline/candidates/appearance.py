"""How images look, as numbers that can be compared."""

import numpy as np
from jaxtyping import Float64, UInt8


def appearance(thumbnails: UInt8[np.ndarray, "n side side 3"]) -> Float64[np.ndarray, "n features"]:
    """Colour and brightness by area, 0..1, in the file's own coding (sRGB is roughly perceptual).

    Latents would not do: in 512 dimensions all random z are about equally far apart, and distances in w say little about
    what is visible.
    """
    return thumbnails.reshape(len(thumbnails), -1).astype(np.float64) / 255
