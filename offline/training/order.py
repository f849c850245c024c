"""The order of images: each image once in every round, in a different order for each round."""

from functools import lru_cache

import numpy as np
from jaxtyping import Int64

from offline.training.chance import numbers


def item(seed: int, number: int, count: int) -> int:
    """The image shown as number `number` (from 0) of a run with `count` images."""
    return int(_round(seed, number // count, count)[number % count])


@lru_cache(maxsize=4)
def _round(seed: int, which: int, count: int) -> Int64[np.ndarray, "count"]:
    return numbers(seed, which, "order", 0).permutation(count)
