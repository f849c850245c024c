"""A convolution on a CPU whose bits do not depend on the number of threads.

The convolution library orders its sums by the size of the map and the number of threads. Most layers give the same bits with any
number; some do not with 4, 6 or 12 (64 channels of 36 x 36 samples, for example). Live and render use different numbers of threads.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from shared.image.threads import torch_threads


@runtime_checkable
class Convolves(Protocol):
    """A convolution, prepared."""

    def convolve(self, scaled: Tensor, /) -> Tensor:
        """The cross-correlation of a map (n, inputs, h, w)."""


@dataclass(frozen=True)
class SteadyConv:
    """`convolve` of another convolution, in as many threads, up to torch's number, as give the bits of one thread."""

    convolution: Convolves
    _threads: dict[tuple[int, torch.Size], int] = field(default_factory=dict)
    """The number to use, by torch's number of threads and the shape."""

    def convolve(self, scaled: Float[Tensor, "1 inputs h w"]) -> Float[Tensor, "1 outputs h2 w2"]:
        """The cross-correlation of an input already scaled by s."""
        threads = torch.get_num_threads()
        if threads == 1:
            return self.convolution.convolve(scaled)
        number = self._threads.get((threads, scaled.shape))
        if number is None:
            number = self._threads[threads, scaled.shape] = self._most(threads, scaled)
        return self._convolve(number, scaled)

    def _most(self, threads: int, like: Tensor) -> int:
        """Measured once, on noise of the input's shape: among so many sums, some will show another order."""
        generator = torch.Generator().manual_seed(0)
        noise = torch.empty_like(like).copy_(torch.randn(like.shape, generator=generator))
        expected = self._convolve(1, noise)
        return next(n for n in range(threads, 0, -1) if torch.equal(self._convolve(n, noise), expected))

    def _convolve(self, threads: int, scaled: Tensor) -> Tensor:
        with torch_threads(threads):
            return self.convolution.convolve(scaled)
