"""The memory of a mapping: a leaky integrator for each descriptor, with a time constant of its own.

With the network that follows it is a state-space model: a diagonal linear recurrence, then a nonlinear output (the form of
S4D: Gu et al., NeurIPS 2022). A sound that stands still gives the network's own answer, so that pairs stay what they are.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64

from shared.mapping.smoothing import OnePole


class Memory(OnePole):
    """(k, d) in, (k, d) out; the first output is the first input.

    seconds (d,): time constants; 0 forgets at once. They may change between blocks. rate: items per second.
    """

    def __init__(self, rate: float, seconds: Float64[np.ndarray, "d"]) -> None:
        super().__init__()
        self.rate = rate
        self.seconds = seconds

    def _weights(self, dtype: np.dtype[Any]) -> tuple[Any, Any]:
        keep = coefficients(self.seconds, self.rate).astype(dtype)
        return keep, 1 - keep


def coefficients(seconds: Float64[np.ndarray, "d"], rate: float) -> Float64[np.ndarray, "d"]:
    """What is kept from item to item: exp(-1 / (rate seconds)), 0 for 0 seconds."""
    return np.where(seconds > 0, np.exp(-1 / (rate * np.maximum(seconds, 1e-9))), 0.0)
