"""Work on a card recorded once and replayed: a picture is then a single launch instead of some hundred."""

import threading
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Work = Callable[..., Tensor]
Capture = Callable[[Callable[[], Tensor]], tuple[Tensor, Callable[[], None]]]
"""Of work without arguments: the tensor that its result is in, and what to call to have it made anew."""

WARM_UP = 3  # before it is recorded: kernels are compiled, algorithms chosen, memory taken


class Replayed:
    """A function of tensors, recorded at its first call for inputs of each shape; afterwards replayed with new numbers.

    What it gives is a copy: no later call writes into it. Calls from several threads wait for each other.
    """

    def __init__(self, work: Work, capture: Capture | None = None) -> None:
        self._work = work
        self._capture = capture or cuda_graph
        self._recorded: dict[tuple[torch.Size, ...], tuple[tuple[Tensor, ...], Tensor, Callable[[], None]]] = {}
        self._lock = threading.Lock()

    def __call__(self, *inputs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The function's result."""
        shapes = tuple(each.shape for each in inputs)
        with self._lock:
            if shapes not in self._recorded:
                own = tuple(each.clone() for each in inputs)
                self._recorded[shapes] = own, *self._capture(lambda: self._work(*own))
            own, result, replay = self._recorded[shapes]
            for place, given in zip(own, inputs, strict=True):
                place.copy_(given)
            replay()
            return result.clone()


def cuda_graph(work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
    """Record what `work` launches on the current card as a CUDA graph."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may use the card meanwhile
        result = work()
    return result, graph.replay
