"""The leaky integrator: y[n] = c y[n-1] + (1 - c) x[n]."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.stage import Stage, State


class LeakyIntegrator(Stage[NDArray[Any], NDArray[Any]]):
    """(m, d) in, (m, d) out of the same type; the first output is the first input.

    coefficient c in [0, 1), without unit: 0 passes everything through. It may change between blocks. The mean delay is
    c / (1 - c) items: four frames, 46 ms, for c = 0.8.
    """

    def __init__(self, coefficient: float = 0.8) -> None:
        self.coefficient = coefficient
        self._last: NDArray[Any] | None = None

    def process(self, block: NDArray[Any], /) -> NDArray[Any]:
        """Smooth along time."""
        keep = block.dtype.type(self.coefficient)
        take = block.dtype.type(1.0 - self.coefficient)
        out = np.empty_like(block)
        for i, row in enumerate(block):
            self._last = row.copy() if self._last is None else keep * self._last + take * row
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
