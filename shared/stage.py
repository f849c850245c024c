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
    """A step of the pipeline with a memory. Time is on axis 0 of what goes in and what comes out.

    **The output does not depend on how the input is cut**, to the last bit: feeding a stream in one block, or sample by
    sample with empty blocks between, gives the same concatenated output. There is no second, batch implementation: the
    studio drives the same object in a loop. Inputs are never changed. `tests/contract.py` proves all of this for every
    stage.
    """

    latency: int = 0
    """The largest number of 44.1 kHz samples between an item's own time (a frame's centre, the end of a tick's interval)
    and the first moment at which this stage can emit it. The delay that smoothing adds is not part of it."""

    @abstractmethod
    def process(self, block: In, /) -> Out:
        """Take n items (n, ...), n may be 0, and give the m items (m, ...) that are now complete; m may be 0."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything: as good as new."""

    @abstractmethod
    def state(self) -> State:
        """Everything the stage remembers, as arrays that are copies (names to arrays; empty without a memory)."""

    @abstractmethod
    def restore(self, state: State, /) -> None:
        """Go on where `state()` was taken, on this or on another stage made with the same settings."""


class Memoryless(Stage[In, Out]):
    """A stage whose output items depend on nothing but the input items they stand for."""

    def reset(self) -> None:
        """Nothing to forget."""

    def state(self) -> State:
        """Nothing is remembered."""
        return {}

    def restore(self, state: State, /) -> None:
        """Nothing to remember."""


def concatenate(blocks: list[Array], empty: Array) -> Array:
    """The blocks along time; `empty` (0, ...) when there are none."""
    return np.concatenate(blocks) if blocks else empty
