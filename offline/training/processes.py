"""Several processes that train one network: who they are, and how they agree (torch.distributed, without wrappers).

Each takes every W-th image of a batch. Gradients, magnitudes and the average w are averaged in one flat reduction; every
random number is named by its image's place in the whole batch. So any number of processes gives what one gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Processes:
    """The processes of a run: this one's rank, and how many there are."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and talks to the user."""
        return self.rank == 0

    def samples(self, batch: int) -> range:
        """The places in a batch of the images that this process takes."""
        return range(self.rank, batch, self.count)

    @torch.no_grad()
    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes."""
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        flat /= self.count
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def sums(self, *values: float) -> tuple[float, ...]:
        """The sum of each value over the processes."""
        if self.count == 1:
            return values
        reduced = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(reduced)
        return tuple(reduced.tolist())


ALONE = Processes()
