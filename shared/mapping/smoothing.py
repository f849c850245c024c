"""Smoothing along time: one stage, whose kernel and times may change while it runs.

All kernels are causal, pass a constant through unchanged, and give the first item as it is. `leaky` is the paper's.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.controls import KERNELS
from shared.controls import Kernel as KernelName
from shared.mapping import kernels
from shared.mapping.kernels import Kernel, Smoothing
from shared.mapping.recursive import Recursive
from shared.stage import Stage, State


class OnePole(Recursive):
    """(m, d) in, (m, d) out of the same type: keep * last output + take * input; the first output is the first input."""

    @abstractmethod
    def _weights(self, dtype: np.dtype[Any]) -> tuple[Any, Any]:
        """Keep and take, numbers or arrays (d,)."""

    def process(self, block: NDArray[Any], /) -> NDArray[Any]:
        """Integrate along time."""
        keep, take = self._weights(block.dtype)
        out = np.empty_like(block)
        for i, row in enumerate(block):
            self._last = row.copy() if self._last is None else keep * self._last + take * row
            out[i] = self._last
        return out


class LeakyIntegrator(OnePole):
    """(m, d) in, (m, d) out of the same type; the first output is the first input.

    coefficient c in [0, 1), without unit: 0 passes everything through. It may change between blocks. The mean delay is
    c / (1 - c) items: four frames, 46 ms, for c = 0.8.
    """

    def __init__(self, coefficient: float = 0.8) -> None:
        super().__init__()
        self.coefficient = coefficient

    def _weights(self, dtype: np.dtype[Any]) -> tuple[Any, Any]:
        return dtype.type(self.coefficient), dtype.type(1.0 - self.coefficient)


PAPER = Smoothing()

MAKERS: dict[KernelName, Callable[[float], Kernel]] = {
    "mean": kernels.Mean,
    "hann": kernels.Hann,
    "median": kernels.Median,
    "one-euro": kernels.OneEuro,
    "attack-release": kernels.AttackRelease,
    "critical": kernels.CriticallyDamped,
}


class Smoother(Stage[NDArray[Any], NDArray[Any]]):
    """(m, d) in, (m, d) out of the same type, by the kernel of its `settings`.

    rate: items per second. The settings may change between blocks; a new kernel continues from the last output.
    """

    def __init__(self, rate: float, settings: Smoothing = PAPER) -> None:
        self._rate = rate
        self._leaky = LeakyIntegrator()
        self._kernel: Kernel | None = None  # None: leaky
        self._kernel_name: KernelName = "leaky"
        self.settings = settings

    def process(self, block: NDArray[Any], /) -> NDArray[Any]:
        """Smooth along time."""
        if self.settings.kernel != self._kernel_name:
            self._change_kernel(self.settings.kernel)
        if self._kernel is None:
            self._leaky.coefficient = self.settings.coefficient
            return self._leaky.process(block)
        return self._kernel.process(block, self.settings)

    def _change_kernel(self, name: KernelName) -> None:
        last = self._leaky.state().get("last") if self._kernel is None else self._kernel.last
        self._make(name)
        if last is None:
            return
        if self._kernel is None:
            self._leaky.restore({"last": last})
        else:
            self._kernel.start(last)

    def _make(self, name: KernelName) -> None:
        self._kernel_name = name
        self._kernel = MAKERS[name](self._rate) if name in MAKERS else None
        self._leaky.reset()

    def reset(self) -> None:
        """The next output will be the next input."""
        self._make(self.settings.kernel)

    def state(self) -> State:
        """The last output and what else the kernel remembers; the number of a kernel that is not `leaky`."""
        if self._kernel is None:
            return self._leaky.state()
        return {"kernel": np.array([KERNELS.index(self._kernel_name)]), **self._kernel.state()}

    def restore(self, state: State, /) -> None:
        """Continue from there."""
        self._make(KERNELS[int(state["kernel"][0])] if "kernel" in state else "leaky")
        if self._kernel is None:
            self._leaky.restore(state)
        else:
            self._kernel.restore(state)
