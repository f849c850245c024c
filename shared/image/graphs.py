"""Work on a card, recorded once as a CUDA graph and replayed: a picture is then one launch instead of some hundred."""

import threading
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

Work = Callable[..., Tensor]
Capture = Callable[[Callable[[], Tensor]], tuple[Tensor, Callable[[], None]]]
"""Runs work without arguments once and returns the tensor that holds its result, and a function that computes it again."""

WARM_UPS = 3  # before the recording: algorithms are chosen, libraries take their memory


class Graphs:
    """Functions of tensors, each recorded at its first call for inputs of each shape and replayed with new numbers after.

    Results are copies that no later call overwrites. Calls from several threads wait for each other. All graphs share
    one private memory pool, as only one runs at a time.
    """

    def __init__(self, device: torch.device, capture: Capture | None = None) -> None:
        self._device = device
        self._capture = capture or CudaCapture()
        self._graphs: dict[Hashable, tuple[tuple[Tensor, ...], Tensor, Callable[[], None]]] = {}
        self._lock = threading.Lock()

    def __call__(self, key: Hashable, work: Work, *inputs: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """work(*inputs), where `key` names the work; inputs may lie on the CPU. Does not wait for the card."""
        full_key = key, tuple((each.shape, each.dtype) for each in inputs)
        with self._lock:
            if full_key not in self._graphs:
                own = tuple(each.to(self._device, copy=True) for each in inputs)
                self._graphs[full_key] = own, *self._capture(lambda: work(*own))
            own, result, replay = self._graphs[full_key]
            for target, source in zip(own, inputs, strict=True):
                target.copy_(source, non_blocking=True)  # unpinned memory is staged before this returns
            replay()
            return result.clone()


class CudaCapture:
    """Records what work launches on the current card.

    Not `torch.cuda.graph`, which empties the allocator's cache and so stops a generator that plays in another thread.
    """

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """The tensor of the result, and the graph's replay."""
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        stream = _capture_stream(torch.cuda.current_device())
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                work()
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")  # other threads may use the card
            try:
                result = work()
            finally:
                graph.capture_end()
        torch.cuda.current_stream().wait_stream(stream)
        return result, graph.replay


@cache
def _capture_stream(index: int) -> Any:
    """One stream per card for all warm-ups, which then reuse each other's memory."""
    return torch.cuda.Stream(index)  # type: ignore[no-untyped-call]
