"""Overlapping analysis frames: 1024 samples every 512."""

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from shared.stage import HOP, WINDOW, Stage, State


class Framer(Stage[NDArray[np.float32], NDArray[np.float32]]):
    """float32 (n,) samples in, float32 (m, 1024) frames out: frame k is x[512 k - 512 .. 512 k + 511], zeros before 0.

    Frame k is centred on sample 512 k and emitted as soon as sample 512 k + 511 has arrived. At the end of a sound the
    driver feeds `tail(n)` zeros, which makes 1 + n // 512 frames in all, as in FluCoMa.
    """

    latency = HOP

    def __init__(self) -> None:
        self._held = np.zeros(WINDOW, np.float32)  # the first `_count` are samples: 512 to 1023 between two calls
        self._count = HOP

    def process(self, block: Float32[np.ndarray, "n"], /) -> Float32[np.ndarray, "m 1024"]:
        """All frames that are complete now."""
        count = self._count + len(block)
        if count < WINDOW:
            self._held[self._count : count] = block
            self._count = count
            return np.empty((0, WINDOW), np.float32)
        samples = np.concatenate((self._held[: self._count], block))
        m = count // HOP - 1
        halves = samples[: (m + 1) * HOP].reshape(m + 1, HOP)
        frames = np.empty((m, WINDOW), np.float32)
        frames[:, :HOP] = halves[:-1]
        frames[:, HOP:] = halves[1:]
        self._count = count - m * HOP
        self._held[: self._count] = samples[m * HOP :]
        return frames

    def reset(self) -> None:
        """Start before sample 0, with zeros."""
        self._held[:HOP] = 0
        self._count = HOP

    def state(self) -> State:
        """The samples (512 to 1023) that later frames still need."""
        return {"held": self._held[: self._count].copy()}

    def restore(self, state: State, /) -> None:
        """Continue after these samples."""
        self._count = len(state["held"])
        self._held[: self._count] = state["held"]


def tail(samples: int) -> int:
    """The number of zeros (1 to 512) to feed after a sound of `samples` samples to complete its last frame."""
    return HOP - samples % HOP
