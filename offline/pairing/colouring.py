"""The colours of frames, for the map's points and the waveform, and the order in which points are drawn."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, UInt8
from numpy.typing import NDArray

from offline.pairing import palette
from offline.pairing.storyboard import Storyboard

GAP_NEAR, GAP_FULL = 0.06, 0.25
"""Distances on the map: a sound nearer to an image is covered, one farther away is a gap in its full colour."""


def row_colours(board: Storyboard, colour: str, images: Sequence[int]) -> UInt8[np.ndarray, "m 3"]:
    """Red, green and blue of each row. colour: image, time, sound or a descriptor.

    images: the number of the distinct colour that each pair has, in the order of the pairs.
    """
    if colour == "image":
        if not len(images):
            return palette.along(palette.VALUE, board.scale("loudness").ranks.astype(np.float64))
        numbers = np.array([*images, -1], np.int64)
        chosen: Int64[np.ndarray, "m"] = numbers[board.nearest]
        return palette.by_number(chosen)
    scale = board.scale(colour)
    if colour == "sound":
        numbers = np.rint(scale.ranks * max(1, len(board.sounds) - 1)).astype(np.int64)
        return palette.by_number(numbers)
    return palette.along(palette.TIME if colour == "time" else palette.VALUE, scale.ranks.astype(np.float64))


def gap_colours(board: Storyboard) -> UInt8[np.ndarray, "m 3"]:
    """Red for rows far from every image, a calm colour for the others."""
    share = np.clip((board.gap - GAP_NEAR) / (GAP_FULL - GAP_NEAR), 0, 1)[:, None]
    covered, gap = np.array(palette.COVERED), np.array(palette.GAP)
    return np.asarray(np.round(covered + share * (gap - covered)), np.uint8)


def drawing_order(board: Storyboard, colour: str, *, gaps: bool) -> Int64[np.ndarray, "m"]:
    """Rows in the order in which they are drawn: hidden ones first, then by what the colour shows, the most on top."""
    if gaps:
        value: NDArray[np.floating] = board.gap
    elif colour in ("image", "time", "sound"):
        value = np.arange(len(board.places), dtype=np.float64)
        if colour != "time":  # in a fixed mixture, so that no sound or image always lies on top
            value = np.random.default_rng(0).permutation(value)
    else:
        value = board.scale(colour).ranks
    return np.asarray(np.lexsort((value, board.visible)), np.int64)
