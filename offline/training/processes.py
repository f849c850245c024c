"""Several processes that train one network together (torch.distributed, without wrappers).

Each takes every W-th image of a batch. Gradients, magnitudes and the average w are averaged in one flat reduction; every
random number is named by its image's place in the whole batch, so the result does not depend on the number of processes.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from shared.errors import Failure

PATIENCE = timedelta(minutes=30)  # for the slowest: a snapshot or a report of the first process
RANK, COUNT, LOCAL, ATTEMPT = "RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT"
BACKENDS = "cpu:gloo,cuda:nccl"


@dataclass(frozen=True)
class Processes:
    """The processes of a run: rank of this one, and number of all."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and talks to the user."""
        return self.rank == 0

    def samples(self, batch: int) -> range:
        """The places in a batch of this process's images."""
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

    def wait(self) -> None:
        """Wait until all processes have reached this point."""
        self.sums(0.0)


@contextmanager
def connected(device: str) -> Iterator[Processes]:
    """The processes started by torchrun, or by another program that sets RANK and WORLD_SIZE; else this one alone.

    Raises Failure if they cannot connect.
    """
    count = int(os.environ.get(COUNT, "1"))
    if count == 1:
        yield ALONE
        return
    rank = int(os.environ[RANK])
    try:
        store, _, _ = next(rendezvous("env://", rank, count, timeout=PATIENCE))
        # after a restart the keys of the attempt before are still in the store
        attempt = PrefixStore(f"attempt {os.environ.get(ATTEMPT, '0')}", store)
        backend = BACKENDS if device.startswith("cuda") else "gloo"
        distributed.init_process_group(backend, store=attempt, rank=rank, world_size=count, timeout=PATIENCE)
    except (RuntimeError, ValueError, KeyError) as error:
        raise Failure(f"process {rank} of {count} cannot connect to the others: {error}") from error
    try:
        yield Processes(rank, count)
    finally:
        distributed.destroy_process_group()


def local_device(device: str) -> str:
    """The card of this process if several processes share a machine: `cuda` becomes `cuda:LOCAL_RANK`."""
    return f"cuda:{os.environ[LOCAL]}" if device == "cuda" and LOCAL in os.environ else device


ALONE = Processes()
