"""The gate: frames below a loudness threshold repeat the last frame above it."""

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from shared.stage import Stage, State


class Gate(Stage[NDArray[np.float64], NDArray[np.float64]]):
    """(m, d) raw descriptors in, (m, d) out: rows with a loudness below `threshold_db` repeat the last row above it.

    initial (d,): held before the first sounding frame; for a preset the mean of its scaler.
    loudness: the column of the loudness in dB, by default the last. `threshold_db` may change between blocks.
    """

    def __init__(self, initial: Float64[np.ndarray, "d"], threshold_db: float = -60.0, loudness: int = -1) -> None:
        self.threshold_db = threshold_db
        self._initial = np.array(initial, np.float64)
        self._loudness = loudness
        self._held = self._initial
        self._frames = 0
        self.first: int | None = None
        """Number of the first sounding frame; None before it."""
        self.open = False
        """Whether the newest frame sounded."""

    def process(self, block: Float64[np.ndarray, "m d"], /) -> Float64[np.ndarray, "m d"]:
        """Replace silent rows by the held one."""
        out = np.empty_like(block)
        for i, row in enumerate(block):
            self.open = bool(row[self._loudness] >= self.threshold_db)
            if self.open:
                self._held = row.copy()
                if self.first is None:
                    self.first = self._frames + i
            out[i] = self._held
        self._frames += len(block)
        return out

    def reset(self) -> None:
        """Start before the first sounding frame."""
        self._held = self._initial
        self._frames = 0
        self.first = None
        self.open = False

    def state(self) -> State:
        """The held frame, the number of frames, and the number of the first sounding one (-1: none yet)."""
        return {
            "held": self._held.copy(),
            "counters": np.array([self._frames, -1 if self.first is None else self.first]),
        }

    def restore(self, state: State, /) -> None:
        """Continue with that frame."""
        self._held = state["held"].copy()
        self._frames, first = (int(n) for n in state["counters"])
        self.first = None if first < 0 else first
