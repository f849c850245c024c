"""Stages whose output depends on their last output."""

from typing import Any

from numpy.typing import NDArray

from shared.stage import Stage, State


class Recursive(Stage[NDArray[Any], NDArray[Any]]):
    """(m, d) in; remembers its last output (d,), which starts at the first input."""

    def __init__(self) -> None:
        self._last: NDArray[Any] | None = None

    def reset(self) -> None:
        """The next output will be the next input."""
        self._last = None

    def state(self) -> State:
        """The last output; empty before the first."""
        return {} if self._last is None else {"last": self._last.copy()}

    def restore(self, state: State, /) -> None:
        """Continue from that output."""
        self._last = state["last"].copy() if "last" in state else None
