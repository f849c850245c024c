"""Measures the pictures of a render while they are made: change and entropy, kept on disk so that a stopped render continues."""

import shutil
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8

from offline.laboratory.measures import picture_change, spread
from offline.pictures import thumbnail
from shared.atomic import make_folder

SIDE = 64  # pixels of the pictures that are measured
KEPT = 240  # pictures whose spread is measured, at most
STRIP = 12
BINS = 64  # grey levels that the entropy tells apart


class PictureMeter:
    """A `PictureLog`. Its files lie in `folder` until `close`; identity: of the render to which they belong."""

    def __init__(self, folder: Path, identity: str, numbers: range) -> None:
        self._folder, self._numbers = folder, numbers
        note = folder / "identity"
        is_resumed = note.is_file() and note.read_text("utf-8") == identity
        if not is_resumed:
            shutil.rmtree(folder, ignore_errors=True)
            make_folder(folder)
        count = len(numbers)
        self._kept_ticks = np.unique(np.linspace(0, count - 1, min(count, KEPT)).round().astype(int))
        # change, entropy, and 1 if the picture was measured
        self._rows: np.memmap[tuple[int, int], np.dtype[np.float64]] = np.memmap(
            folder / "rows", np.float64, "r+" if is_resumed else "w+", shape=(count, 3)
        )
        self._pictures: np.memmap[tuple[int, ...], np.dtype[np.uint8]] = np.memmap(
            folder / "pictures",
            np.uint8,
            "r+" if is_resumed else "w+",
            shape=(len(self._kept_ticks) + 1, SIDE, SIDE, 3),
        )  # the kept ones, then the newest
        note.write_text(identity, "utf-8")
        missing = np.flatnonzero(self._rows[:, 2] == 0)
        self.known = int(missing[0]) if len(missing) else count

    def add(self, number: int, image: UInt8[np.ndarray, "h w 3"], /) -> None:
        """Measure the next picture. One that was measured before counts again."""
        place = number - self._numbers.start
        small = thumbnail(image, SIDE)
        has_previous = place > 0 and (self._rows[place, 2] == 0 or self._previous == place - 1)
        if has_previous:
            self._rows[place, 0] = picture_change(self._pictures[-1], small)
        self._rows[place, 1:] = picture_entropy(small), 1
        self._pictures[-1] = small
        self._previous = place
        kept = int(np.searchsorted(self._kept_ticks, place))
        if kept < len(self._kept_ticks) and self._kept_ticks[kept] == place:
            self._pictures[kept] = small

    _previous = -1  # place of the newest picture of this run

    @property
    def changes(self) -> Float64[np.ndarray, "n"]:
        """Grey levels from the picture before; 0 for the first."""
        return np.array(self._rows[:, 0])

    @property
    def entropies(self) -> Float64[np.ndarray, "n"]:
        """Bits: see `picture_entropy`."""
        return np.array(self._rows[:, 1])

    @property
    def spread(self) -> float:
        """Mean change between random couples of its pictures."""
        return spread([np.array(picture) for picture in self._pictures[:-1]])

    def close(self) -> None:
        """Remove its files."""
        del self._rows, self._pictures
        shutil.rmtree(self._folder, ignore_errors=True)


def picture_entropy(picture: UInt8[np.ndarray, "h w 3"]) -> float:
    """Shannon entropy of the grey levels in bits: 0 for a plain picture, 6 where all 64 levels are as frequent."""
    counts = np.bincount((picture.mean(axis=2) * BINS / 256).astype(int).ravel(), minlength=BINS)
    return entropy_bits(counts)


def entropy_bits(weights: np.ndarray) -> float:
    """Shannon entropy of a distribution in bits; 0 for no weight at all."""
    total = float(weights.sum())
    if total <= 0:
        return 0.0
    p = weights[weights > 0] / total
    return float(-(p * np.log2(p)).sum()) + 0.0
