"""Farthest-point sampling: a few points that are as far from each other as possible."""

import numpy as np
from jaxtyping import Float64, Int64


def farthest_point_sampling(
    points: Float64[np.ndarray, "n d"], count: int, chosen: Int64[np.ndarray, "k"] | None = None
) -> Int64[np.ndarray, "count"]:
    """Indices of `count` points (or all that are left), each the farthest from all before it (Gonzalez 1985).

    chosen: indices of points that are taken already; new points are far from these as well. Without any, the first point
    is the one nearest to the mean.
    """
    taken = np.zeros(len(points), bool)
    distance = np.full(len(points), np.inf)

    def take(index: int) -> None:
        taken[index] = True
        distance[:] = np.minimum(distance, np.linalg.norm(points - points[index], axis=1))

    for index in [] if chosen is None else chosen.tolist():
        take(index)
    found: list[int] = []
    while len(found) < count and not taken.all():
        index = int(np.where(taken, -1, distance).argmax()) if taken.any() else _most_usual(points)
        take(index)
        found.append(index)
    return np.array(found, np.int64)


def _most_usual(points: Float64[np.ndarray, "n d"]) -> int:
    return int(np.linalg.norm(points - points.mean(axis=0), axis=1).argmin())
