"""K-weighted loudness of each frame (ITU-R BS.1770, its filter recomputed for 44.1 kHz)."""

import math

import numpy as np
from numpy.typing import NDArray

from shared.audio.kernel import COLUMNS, FRAMES, VECTOR, kernel
from shared.stage import SAMPLE_RATE, WINDOW, Stage, State


def _shelf() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The high shelf's numerator and denominator (3,): +4 dB from about 1.7 kHz on, for the head."""
    frequency_hz, q, gain = 1681.974450955533, 0.7071752369554196, 10.0 ** (3.999843853973347 / 20.0)
    k = math.tan(math.pi * frequency_hz / SAMPLE_RATE)
    middle = gain**0.4996667741545416
    numerator = [gain + middle * k / q + k * k, 2.0 * (k * k - gain), gain - middle * k / q + k * k]
    return np.array(numerator) / (1.0 + k / q + k * k), _poles(k, q)


def _poles(k: float, q: float) -> NDArray[np.float64]:
    """The denominator (3,) of a second-order section, k = tan(pi f / rate)."""
    return np.array([1.0 + k / q + k * k, 2.0 * (k * k - 1.0), 1.0 - k / q + k * k]) / (1.0 + k / q + k * k)


# The high pass (38 Hz) is a second difference above and two poles below, the shelf three taps above and two poles below.
TAPS, SHELF_POLES = _shelf()
A = np.convolve(SHELF_POLES, _poles(math.tan(math.pi * 38.13547087602444 / SAMPLE_RATE), 0.5003270373238773))
ORDER = 4
OFFSET_DB = -0.691
FLOOR = float(np.finfo(np.float64).eps)
STILL = 1e-150
"""Below this the filter counts as silent: its square is negligible beside FLOOR, and subnormal numbers would be slow."""


class Loudness(Stage[NDArray[np.float32], NDArray[np.float64]]):
    """float32 (m, 1024) frames in, float64 (m, 1) loudness in dB (LUFS-like, ungated) out; silence is -157.2.

    The filter runs over the overlapping frames laid end to end and keeps its memory between them, as in FluCoMa.
    """

    def __init__(self) -> None:
        self._memory = np.zeros(2 * ORDER)  # the last four inputs, the last four outputs, oldest first

    def process(self, block: NDArray[np.float32], /) -> NDArray[np.float64]:
        """Loudness of each frame."""
        out = np.empty((len(block), 1))
        self.measure(block, out)
        return out

    def measure(self, frames: NDArray[np.float32], out: NDArray[np.float64]) -> None:
        """Like `process`, into the column `out` (m, 1) of a larger array."""
        frame_loudness(frames, self._memory, out)

    def reset(self) -> None:
        """Start from silence."""
        self._memory[:] = 0.0

    def state(self) -> State:
        """The filter's memory (8,)."""
        return {"filter": self._memory.copy()}

    def restore(self, state: State, /) -> None:
        """Continue with that memory."""
        self._memory[:] = state["filter"]


@kernel(FRAMES, VECTOR, COLUMNS, reorder=False)
def frame_loudness(frames: NDArray[np.float32], memory: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Loudness of each row of `frames` (m, 1024) into the column `out` (m, 1); `memory` (8,) is the filter's, updated."""
    x = np.empty(ORDER + WINDOW)
    for k in range(len(frames)):
        for i in range(ORDER):
            x[i] = memory[i]
        for i in range(WINDOW):
            x[ORDER + i] = frames[k, i]
        y4, y3, y2, y1 = memory[ORDER], memory[ORDER + 1], memory[ORDER + 2], memory[ORDER + 3]
        energy = 0.0
        for i in range(ORDER, ORDER + WINDOW):
            # The second difference comes first: it is exactly 0 for a constant, while a sum of five products would leave
            # rounding errors that the poles at 38 Hz amplify a hundred thousand times.
            newest = x[i] - 2.0 * x[i - 1] + x[i - 2]
            middle = x[i - 1] - 2.0 * x[i - 2] + x[i - 3]
            oldest = x[i - 2] - 2.0 * x[i - 3] + x[i - 4]
            forward = TAPS[0] * newest + TAPS[1] * middle + TAPS[2] * oldest
            # The newest output comes last: all other terms are ready before it, so a sample takes the time of one product.
            y = ((forward - A[4] * y4) - A[3] * y3 - A[2] * y2) - A[1] * y1
            y4, y3, y2, y1 = y3, y2, y1, y
            energy += y * y
        if max(abs(y4), abs(y3), abs(y2), abs(y1)) < STILL:
            y4 = y3 = y2 = y1 = 0.0
        for i in range(ORDER):
            memory[i] = x[WINDOW + i]
        memory[ORDER], memory[ORDER + 1], memory[ORDER + 2], memory[ORDER + 3] = y4, y3, y2, y1
        out[k, 0] = OFFSET_DB + 10.0 * math.log10(energy / WINDOW + FLOOR)
