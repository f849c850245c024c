"""Random numbers by name: the same (seed, iteration, phase, sample) gives the same numbers in any process."""

from typing import Literal, get_args

import numpy as np

Phase = Literal[
    "start",
    "order",
    "generator",
    "discriminator",
    "augment_generator",
    "augment_fakes",
    "augment_reals",
    "augment_r1",
    "grid",
    "score",
]
PHASES: tuple[Phase, ...] = get_args(Phase)


def numbers(seed: int, iteration: int, phase: Phase, sample: int) -> np.random.Generator:
    """The random generator of one sample of one phase of one iteration (Philox: Salmon et al. 2011)."""
    key = np.array([seed, PHASES.index(phase)], np.uint64)
    counter = np.array([0, 0, sample, iteration], np.uint64)  # the low words count what is drawn
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
