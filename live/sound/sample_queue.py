"""Sound that waits for the engine: bounded, and true to its count where some of it had to go."""

from collections import deque

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray


class SampleQueue:
    """Samples in the order they came. Beyond `most` the oldest are lost; `take` gives zeros in their place.

    lost      how many samples were lost, in all
    end       how many samples have been put in, in all
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: deque[NDArray[np.float32]] = deque()
        self._held = 0
        self._zeros = 0
        self.lost = 0
        self.end = 0

    def __len__(self) -> int:
        return self._zeros + self._held

    def put(self, samples: Float32[np.ndarray, "n"]) -> None:
        """Samples behind the others."""
        self.end += len(samples)
        self._held += len(samples)
        self._pieces.append(samples)
        while self._held > self._most:
            oldest = self._pieces.popleft()
            self._held -= len(oldest)
            self._zeros += len(oldest)
            self.lost += len(oldest)

    def take(self, n: int) -> Float32[np.ndarray, "n"]:
        """The next n samples, or as many as there are."""
        zeros = min(n, self._zeros)
        self._zeros -= zeros
        taken = [np.zeros(zeros, np.float32)]
        wanted = min(n - zeros, self._held)
        self._held -= wanted
        while wanted:
            piece = self._pieces.popleft()
            if len(piece) > wanted:
                self._pieces.appendleft(piece[wanted:])
                piece = piece[:wanted]
            taken.append(piece)
            wanted -= len(piece)
        return np.concatenate(taken)
