"""The memory of a mapping: a leaky integrator for each descriptor, with a time constant of its own.

With the network that follows it is a state-space model: a diagonal linear recurrence, then a nonlinear output (the form of
S4D: Gu et al., NeurIPS 2022). A sound that stands still gives the network's own answer, so that pairs stay what they are.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from shared.stage import Stage, State


class Memory(Stage[NDArray[Any], NDArray[Any]]):
    """(k, d) in, (k, d) out; the first output is the first input.

    seconds (d,): time constants; 0 forgets at once. They may change between blocks. rate: items per second.
    """

    def __init__(self, rate: float, seconds: Float64[np.ndarray, "d"]) -> None:
        self.rate = rate
        self.seconds = seconds
        self._last: NDArray[Any] | None = None

    def process(self, block: NDArray[Any], /) -> NDArray[Any]:
        """Remember along time."""
        keep = coefficients(self.seconds, self.rate).astype(block.dtype)
        out = np.empty_like(block)
        for i, row in enumerate(block):
            self._last = row.copy() if self._last is None else keep * self._last + (1 - keep) * row
            out[i] = self._last
        return out

    def reset(self) -> None:
        """The next output will be the next input."""
        self._last = None

    def state(self) -> State:
        """The last output; empty before the first."""
        return {} if self._last is None else {"last": self._last.copy()}

    def restore(self, state: State, /) -> None:
        """Continue from that output."""
        self._last = state["last"].copy() if "last" in state else None


def coefficients(seconds: Float64[np.ndarray, "d"], rate: float) -> Float64[np.ndarray, "d"]:
    """What is kept from item to item: exp(-1 / (rate seconds)), 0 for 0 seconds."""
    return np.where(seconds > 0, np.exp(-1 / (rate * np.maximum(seconds, 1e-9))), 0.0)
