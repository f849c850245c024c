"""Images from a card to the host, on a stream of their own: the card can compute the next one meanwhile."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import cache
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from shared.image.threads import side_by_side

Item = TypeVar("Item")

Image = UInt8[np.ndarray, "h w 3"]

IN_FLIGHT = 2


@runtime_checkable
class Arriving(Protocol):
    """An image on its way to the host."""

    def computed(self) -> None:
        """Wait until the image is computed, not until it is copied. Raises RuntimeError if that fails."""
        ...

    def result(self) -> Image:
        """The image on the host; waits for it. Raises RuntimeError if the copy fails."""
        ...

    @property
    def copy_s(self) -> float:
        """Seconds that the copy took, after `result`."""
        ...


class Download:
    """Implements `Arriving`. On a CPU there is nothing to copy; on MPS the thread that computes copies.

    Host buffers are pinned memory from torch's caching allocator, which reuses a buffer as soon as nothing refers to it.
    """

    def __init__(self, image: UInt8[Tensor, "h w 3"]) -> None:
        self._image = image
        self._events: tuple[Any, Any] | None = None
        if image.device.type == "cuda":
            self._start()

    def _start(self) -> None:
        source = self._image
        with torch.cuda.device(source.device):
            stream = _copy_stream(source.device.index)
            stream.wait_stream(torch.cuda.current_stream())
            began, ended = (torch.cuda.Event(enable_timing=True, blocking=True) for _ in range(2))  # type: ignore[no-untyped-call]
            with torch.cuda.stream(stream):
                began.record()
                self._image = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
                self._image.copy_(source, non_blocking=True)
                ended.record()
            source.record_stream(stream)  # its memory stays until the copy is done
        self._events = began, ended

    def computed(self) -> None:
        """Wait until the image is computed. On a card the copy goes on; elsewhere the image is on the host then."""
        if self._events is None:
            self._image = self._image.cpu()
        else:
            self._events[0].synchronize()

    def result(self) -> Image:
        """The image on the host; waits for it."""
        if self._events is not None:
            self._events[1].synchronize()
        return np.asarray(self._image.cpu().numpy())

    @property
    def copy_s(self) -> float:
        """Seconds that the copy took, after `result`; 0 where nothing was copied or it was not measured."""
        return 0.0 if self._events is None else self._events[0].elapsed_time(self._events[1]) / 1e3


def downloaded(
    start: Callable[[Item], Download | None], items: Iterable[Item], device: torch.device
) -> Generator[tuple[Item, Image | None], None, None]:
    """(item, image) in order, as fast as the device allows; None if `start` gives None.

    On a card two pictures are in flight; on a CPU several are made side by side, on a core each.
    """
    if device.type == "cuda":
        return in_flight(start, items)

    def finish(item: Item) -> Image | None:
        download = start(item)
        return None if download is None else download.result()

    return side_by_side(finish, items, None if device.type == "cpu" else 1)


def in_flight(
    start: Callable[[Item], Download | None], items: Iterable[Item]
) -> Generator[tuple[Item, Image | None], None, None]:
    """(item, image) in order, with two downloads started at a time; None if `start` gives None."""
    started: deque[tuple[Item, Download | None]] = deque()

    def finish() -> tuple[Item, Image | None]:
        item, download = started.popleft()
        return item, None if download is None else download.result()

    for item in items:
        started.append((item, start(item)))
        if len(started) >= IN_FLIGHT:
            yield finish()
    while started:
        yield finish()


@cache
def _copy_stream(index: int) -> Any:
    return torch.cuda.Stream(index)  # type: ignore[no-untyped-call]
