"""Candidates that are far apart: in what is seen."""

import numpy as np
from jaxtyping import Float64, Int64, UInt8


def looks(thumbnails: UInt8[np.ndarray, "n side side 3"]) -> Float64[np.ndarray, "n features"]:
    """What pictures look like: colours and brightness by area, 0..1, as in the file (sRGB's coding is roughly the eye's).

    Not the latents: in 512 dimensions all draws of z are equally far apart, and in w distances say little of what is seen.
    """
    return thumbnails.reshape(len(thumbnails), -1).astype(np.float64) / 255


def far_apart(
    points: Float64[np.ndarray, "n d"], count: int, given: Int64[np.ndarray, "k"] | None = None
) -> Int64[np.ndarray, "count"]:
    """The numbers of `count` points (fewer where there are fewer), each the farthest from all before it (Gonzalez 1985).

    given: numbers of points that are chosen already, from which the new ones are far as well. Without them the first is
    the most usual one: the nearest to the mean.
    """
    chosen = [] if given is None else list(given)
    taken = np.zeros(len(points), bool)
    distance = np.full(len(points), np.inf)
    found: list[int] = []
    for number in chosen:
        taken[number] = True
        distance = np.minimum(distance, np.linalg.norm(points - points[number], axis=1))
    while len(found) < min(count, len(points) - len(chosen)):
        if not taken.any():
            number = int(np.linalg.norm(points - points.mean(axis=0), axis=1).argmin())
        else:
            number = int(np.where(taken, -1, distance).argmax())
        taken[number] = True
        found.append(number)
        distance = np.minimum(distance, np.linalg.norm(points - points[number], axis=1))
    return np.array(found, np.int64)
