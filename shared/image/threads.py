"""Work shared among threads in such a way that no number that comes out depends on how many there are."""

import os
import queue
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_each(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Call `work` with every item, in as many threads as torch gives to the calling thread.

    Each thread takes the next item when it is done with one, so a core that others load delays nobody. `work` lets go of
    the interpreter (compiled code without the GIL) and items do not touch each other's results.
    """
    threads = min(torch.get_num_threads(), len(items))
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)

    def take() -> None:
        while True:
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            work(item)

    helpers: list[Future[None]] = [_helpers().submit(take) for _ in range(threads - 1)]
    take()
    for helper in helpers:
        if not helper.cancel():  # it has begun; one that has not finds nothing left to do
            helper.result()


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 1) - 1), thread_name_prefix="tiles")


def side_by_side(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Generator[tuple[Item, Result], None, None]:
    """(item, function(item)) in the order of the items, several at once, each on one core (None: as many as cores).

    For pictures: two at once, a core each, come faster than one after the other on two cores, with the same bits.
    Memory holds `threads` + 1 items and results, whatever their number; an error is raised in its item's place. Closing the
    iterator waits for what has begun.
    """
    threads = threads or torch.get_num_threads()
    at_hand = torch.get_num_threads()
    begun: list[tuple[Item, Future[Result]]] = []
    with ThreadPoolExecutor(threads, "pictures", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for item in items:
                begun.append((item, pool.submit(function, item)))
                if len(begun) > threads:  # one more waits, so that no core does
                    first, future = begun.pop(0)
                    yield first, future.result()
            while begun:
                first, future = begun.pop(0)
                yield first, future.result()
        finally:
            for _, future in begun:
                future.cancel()
            torch.set_num_threads(
                at_hand
            )  # the pool's threads set their own number, and with it that of threads to come
