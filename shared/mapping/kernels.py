"""The settings of a `Smoother`, and its kernels besides the leaky integrator, each a recursion over one row (d,) after the other."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import exp, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.controls import Kernel as KernelName
from shared.stage import State

Row = NDArray[Any]
DERIVATIVE_HZ = 1.0  # cutoff of the one-euro filter's derivative, as in the paper


@dataclass(frozen=True)
class Smoothing:
    """How to smooth. Each kernel reads the settings that it needs.

    coefficient (leaky): c of y[n] = c y[n-1] + (1 - c) x[n], 0 to below 1, per item.
    window_ms (mean, hann, median: length; critical: mean delay). attack_ms, release_ms (attack-release): time constants.
    cutoff_hz, beta (one-euro): lowest cutoff, and its growth with speed.
    """

    kernel: KernelName = "leaky"
    coefficient: float = 0.8
    window_ms: float = 100.0
    attack_ms: float = 20.0
    release_ms: float = 200.0
    cutoff_hz: float = 1.0
    beta: float = 0.5

    @property
    def passes_through(self) -> bool:
        """Whether it changes nothing."""
        return self.kernel == "leaky" and self.coefficient == 0


class Kernel(ABC):
    """Smooths rows that arrive `rate` times a second. The first output is the first input."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.last: Row | None = None

    def process(self, block: NDArray[Any], times: Smoothing) -> NDArray[Any]:
        """(m, d) to (m, d) of the same type."""
        out = np.empty_like(block)
        for i, row in enumerate(block):
            if self.last is None:
                self.start(row)
            self.last = np.asarray(self.step(row, times), block.dtype)
            out[i] = self.last
        return out

    def start(self, row: Row) -> None:
        """Begin as if `row` had lasted for ever."""
        self.last = row.copy()

    @abstractmethod
    def step(self, row: Row, times: Smoothing) -> Row:
        """The next output (d,); `last` is the one before."""

    def state(self) -> State:
        """The last output; empty before the first."""
        return {} if self.last is None else {"last": self.last.copy()}

    def restore(self, state: State) -> None:
        """Continue from there."""
        self.last = state["last"].copy() if "last" in state else None


class Window(Kernel):
    """A weighted window over the newest rows, `window_ms` long: at least one row."""

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self._history: NDArray[Any] | None = None  # (length, d), the oldest first

    def length(self, times: Smoothing) -> int:
        """Rows in the window."""
        return max(1, round(times.window_ms * self.rate / 1000))

    def start(self, row: Row) -> None:
        """Begin as if `row` had lasted for ever."""
        super().start(row)
        self._history = row[None].copy()

    def step(self, row: Row, times: Smoothing) -> Row:
        """The window's result with `row` as its newest."""
        assert self._history is not None
        before = self._history[-self.length(times) + 1 :] if self.length(times) > 1 else self._history[:0]
        missing = self.length(times) - 1 - len(before)
        oldest = np.repeat(self._history[:1], missing, axis=0)
        self._history = np.concatenate([oldest, before, row[None]])
        return self.combined(self._history)

    @abstractmethod
    def combined(self, rows: NDArray[Any]) -> Row:
        """(length, d) to (d,)."""

    def state(self) -> State:
        """The last output and the rows of the window."""
        return super().state() if self._history is None else {**super().state(), "history": self._history.copy()}

    def restore(self, state: State) -> None:
        """Continue from there."""
        super().restore(state)
        self._history = state["history"].copy() if "history" in state else None


class Mean(Window):
    """The mean of the window. Delay (length - 1) / 2 rows."""

    def combined(self, rows: NDArray[Any]) -> Row:
        """Every row counts the same."""
        return np.asarray(rows.mean(axis=0))


class Hann(Window):
    """A Hann window without its zeros at both ends. Delay (length - 1) / 2 rows."""

    def combined(self, rows: NDArray[Any]) -> Row:
        """The middle counts most."""
        taper = np.hanning(len(rows) + 2)[1:-1].astype(rows.dtype)
        return np.asarray(np.add.reduce(rows * (taper / taper.sum())[:, None], axis=0))


class Median(Window):
    """The median of the window, each component for itself: edges stay, single outliers vanish."""

    def length(self, times: Smoothing) -> int:
        """An odd number of rows."""
        return super().length(times) // 2 * 2 + 1

    def combined(self, rows: NDArray[Any]) -> Row:
        """The middle value."""
        return np.asarray(np.median(rows, axis=0))


class OneEuro(Kernel):
    """The one-euro filter (Casiez, Roussel and Vogel, CHI 2012): little delay in fast movement, little jitter in slow.

    The speed that raises the cutoff is the root mean square over the components, so that a row moves straight.
    """

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self._derivative: Row | None = None  # filtered, per second

    def start(self, row: Row) -> None:
        """Begin as if `row` had lasted for ever."""
        super().start(row)
        self._derivative = np.zeros_like(row)

    def step(self, row: Row, times: Smoothing) -> Row:
        """Equations 1 to 3 of the paper, with x̂ as the last output."""
        assert self.last is not None
        assert self._derivative is not None
        slope = (row - self.last) * row.dtype.type(self.rate)
        share = row.dtype.type(self._share(DERIVATIVE_HZ))
        self._derivative = np.asarray(self._derivative + share * (slope - self._derivative), row.dtype)
        speed = float(np.sqrt(np.mean(np.square(self._derivative, dtype=np.float64))))
        return np.asarray(
            self.last + row.dtype.type(self._share(times.cutoff_hz + times.beta * speed)) * (row - self.last)
        )

    def _share(self, cutoff_hz: float) -> float:
        """Of a first-order low-pass: 1 / (1 + rate / (2 pi cutoff))."""
        return 1 / (1 + self.rate / (2 * pi * cutoff_hz))

    def state(self) -> State:
        """The last output and its derivative."""
        return (
            super().state() if self._derivative is None else {**super().state(), "derivative": self._derivative.copy()}
        )

    def restore(self, state: State) -> None:
        """Continue from there."""
        super().restore(state)
        self._derivative = state["derivative"].copy() if "derivative" in state else None


class AttackRelease(Kernel):
    """A leaky integrator with one time constant for rising components and another for falling ones."""

    def step(self, row: Row, times: Smoothing) -> Row:
        """Each component by itself."""
        assert self.last is not None
        up, down = (exp(-1000 / (ms * self.rate)) if ms > 0 else 0.0 for ms in (times.attack_ms, times.release_ms))
        keep = np.where(row > self.last, row.dtype.type(up), row.dtype.type(down))
        return np.asarray(keep * self.last + (1 - keep) * row)


class CriticallyDamped(Kernel):
    """A spring without overshoot: position follows with a continuous speed; mean delay `window_ms`.

    The exact solution of x'' = w^2 (row - x) - 2 w x' over one interval in which `row` is constant, w = 2 / delay.
    """

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self._velocity: Row | None = None

    def start(self, row: Row) -> None:
        """Begin at rest."""
        super().start(row)
        self._velocity = np.zeros_like(row)

    def step(self, row: Row, times: Smoothing) -> Row:
        """One interval later."""
        assert self.last is not None
        assert self._velocity is not None
        if times.window_ms <= 0:
            self._velocity = np.zeros_like(row)
            return row
        number = row.dtype.type
        interval, frequency = 1 / self.rate, 2000 / times.window_ms
        decay = number(exp(-frequency * interval))
        offset = self.last - row
        drive = (self._velocity + number(frequency) * offset) * number(interval)
        self._velocity = np.asarray((self._velocity - number(frequency) * drive) * decay, row.dtype)
        return np.asarray(row + (offset + drive) * decay)

    def state(self) -> State:
        """Position and velocity."""
        return super().state() if self._velocity is None else {**super().state(), "velocity": self._velocity.copy()}

    def restore(self, state: State) -> None:
        """Continue from there."""
        super().restore(state)
        self._velocity = state["velocity"].copy() if "velocity" in state else None
