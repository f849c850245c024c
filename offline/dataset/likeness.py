"""Near-duplicates: pictures whose blocks are alike."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

BLOCKS = 16  # a side
THRESHOLD = 6.0  # grey levels


def fingerprint(image: Image.Image) -> UInt8[np.ndarray, "n"]:
    """The mean colours of 16 x 16 blocks: noise averages out, a small thing that moves does not."""
    return np.asarray(image.convert("RGB").resize((BLOCKS, BLOCKS), Image.Resampling.BOX)).reshape(-1)


class Likeness:
    """Compares each picture with all kept pictures before it, with 768 bytes of memory for each."""

    def __init__(self, threshold: float = THRESHOLD) -> None:
        """threshold: two pictures are alike if no block differs by more than this, in grey levels."""
        self._threshold = threshold
        self._kept = np.zeros((64, BLOCKS * BLOCKS * 3), np.uint8)
        self._means = np.zeros(64)
        self._count = 0

    def alike(self, picture: UInt8[np.ndarray, "n"]) -> int | None:
        """The number of the first kept picture that this one is like; None if there is none."""
        near = np.flatnonzero(np.abs(self._means[: self._count] - picture.mean()) <= self._threshold)
        for start in range(0, len(near), 1024):  # in pieces: memory stays flat
            part = near[start : start + 1024]
            differences = np.abs(self._kept[part].astype(np.int16) - picture).max(axis=1)
            if (found := np.flatnonzero(differences <= self._threshold)).size:
                return int(part[found[0]])
        return None

    def keep(self, picture: UInt8[np.ndarray, "n"]) -> None:
        """Add a picture to those that later ones are compared with."""
        if self._count == len(self._kept):
            self._kept = np.concatenate([self._kept, np.zeros_like(self._kept)])
            self._means = np.concatenate([self._means, np.zeros_like(self._means)])
        self._kept[self._count] = picture
        self._means[self._count] = picture.mean()
        self._count += 1
