"""A bounded queue of sound for the engine that keeps the sample count correct when samples are lost."""

from collections import deque

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray


class SampleQueue:
    """Samples in order of arrival. Beyond `limit` samples the oldest are lost; `take` returns zeros in their place.

    lost      samples lost so far
    end       samples put so far
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: deque[NDArray[np.float32]] = deque()
        self._held = 0
        self._zeros = 0
        self.lost = 0
        self.end = 0

    def __len__(self) -> int:
        return self._zeros + self._held

    def put(self, samples: Float32[np.ndarray, "n"]) -> None:
        """Append samples."""
        self.end += len(samples)
        self._held += len(samples)
        self._pieces.append(samples)
        while self._held > self._limit:
            oldest = self._pieces.popleft()
            self._held -= len(oldest)
            self._zeros += len(oldest)
            self.lost += len(oldest)

    def take(self, n: int) -> Float32[np.ndarray, "n"]:
        """The next n samples, or as many as are available."""
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
