"""The contract that carries everything: a `Stage` turns a stream into another stream, block by block."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44100  # Hz, of everything behind the sound input
HOP = 512  # samples between the centres of two analysis frames
WINDOW = 1024  # samples in an analysis frame

Array = NDArray[Any]
State = Mapping[str, Array]
In = TypeVar("In", bound=Array)
Out = TypeVar("Out", bound=Array)


class Stage(ABC, Generic[In, Out]):
    """A step of the pipeline with a memory. Time is on axis 0 of input and output.

    **The output does not depend on how the input is cut**, to the last bit: a stream in one block gives the same
    concatenated output as sample by sample with empty blocks between. There is no second, batch implementation: the
    studio drives the same object in a loop. Inputs are never modified. `tests/contract.py` checks all of this for every
    stage.
    """

    latency: int = 0
    """The largest number of 44.1 kHz samples between an item's own time (a frame's centre, the end of a tick's interval)
    and the first moment at which this stage can emit it. The delay that smoothing adds is not part of it."""

    @abstractmethod
    def process(self, block: In, /) -> Out:
        """Take n items (n, ...) and return the m items (m, ...) that are now complete; n and m may be 0."""

    @abstractmethod
    def reset(self) -> None:
        """Return to the initial state."""

    @abstractmethod
    def state(self) -> State:
        """Everything the stage remembers: names to arrays, which are copies; empty for a stage without a memory."""

    @abstractmethod
    def restore(self, state: State, /) -> None:
        """Continue where `state()` was taken, on this stage or on another one with the same settings."""


class Memoryless(Stage[In, Out]):
    """A stage whose output items depend only on the input items at the same place."""

    def reset(self) -> None:
        """Do nothing."""

    def state(self) -> State:
        """Empty."""
        return {}

    def restore(self, state: State, /) -> None:
        """Do nothing."""


def concatenate(blocks: list[Array], empty: Array) -> Array:
    """The blocks along time; `empty` (0, ...) when there are none."""
    return np.concatenate(blocks) if blocks else empty
