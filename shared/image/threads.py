"""Work shared among threads, with results that do not depend on their number."""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ClassVar, TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Set the number of threads that torch's operators use in the calling thread, and restore it afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_each(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Call `work` with every item, in as many threads as torch uses in the calling thread.

    Each thread takes the next item when it finishes one, so a core that is busy elsewhere delays nothing. `work` should
    release the GIL (compiled code does), and items must not write to each other's results.
    """
    waiting = deque(items)
    errors: list[BaseException] = []

    def take() -> None:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                work(item)
            except BaseException as error:  # raised below, in the calling thread
                waiting.clear()
                errors.append(error)

    helpers: list[_Helper] = []
    try:
        for _ in range(min(torch.get_num_threads(), len(items)) - 1):
            helpers.append(_Helper.acquire())
            helpers[-1].start(take)
        take()
    finally:
        waiting.clear()
        for helper in helpers:
            helper.finish()
    if errors:
        raise errors[0]


class _Helper:
    """A thread that waits for work, with two locks and nothing else: a layer of a small picture takes a few tenths of a
    millisecond, and an executor's futures and queues would cost half of the second core's share.
    """

    _idle: ClassVar[list["_Helper"]] = []

    def __init__(self) -> None:
        self._begin, self._done = threading.Lock(), threading.Lock()
        self._begin.acquire()
        self._done.acquire()
        self._work: Callable[[], None] | None = None
        threading.Thread(target=self._run, name="tiles", daemon=True).start()

    @classmethod
    def acquire(cls) -> "_Helper":
        """An idle helper, or a new one."""
        try:
            return cls._idle.pop()
        except IndexError:
            return cls()

    def start(self, work: Callable[[], None]) -> None:
        """Begin as soon as a core is free. `work` must not raise."""
        self._work = work
        self._begin.release()

    def finish(self) -> None:
        """Cancel the work if it has not begun, else wait for it. Afterwards the helper is idle and holds no references."""
        if not self._begin.acquire(blocking=False):
            self._done.acquire()
        self._work = None
        self._idle.append(self)

    def _run(self) -> None:
        while True:
            self._begin.acquire()
            if self._work:
                self._work()
            self._done.release()

    @classmethod
    def forget(cls) -> None:
        """Drop all helpers, in a child process: threads do not survive a fork."""
        cls._idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Helper.forget)


def side_by_side(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Generator[tuple[Item, Result], None, None]:
    """(item, function(item)) in the order of the items, several at once, each on one core. threads: None for one per core.

    For pictures: two at once on a core each are faster than one after the other on two cores, and have the same bits.
    At most `threads` + 1 items and results are in memory; an error is raised in its item's place. Closing the iterator
    waits for the work that has begun.
    """
    all_threads = torch.get_num_threads()
    threads = threads or all_threads
    begun: list[tuple[Item, Future[Result]]] = []
    with ThreadPoolExecutor(threads, "pictures", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for item in items:
                begun.append((item, pool.submit(function, item)))
                if len(begun) > threads:  # one more is queued, so that no core waits
                    first, future = begun.pop(0)
                    yield first, future.result()
            while begun:
                first, future = begun.pop(0)
                yield first, future.result()
        finally:
            for _, future in begun:
                future.cancel()
            torch.set_num_threads(all_threads)  # the pool's threads set 1, which new threads would inherit
