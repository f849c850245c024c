"""Work shared among threads in such a way that no number that comes out depends on how many there are."""

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
def threads_of_torch(count: int) -> Iterator[None]:
    """Meanwhile, torch's operators take so many threads in the calling one."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_each(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Call `work` with every item, in as many threads as torch gives to the calling thread.

    Each thread takes the next item when it is done with one, so a core that others load delays nobody. `work` lets go of
    the interpreter (compiled code without the GIL) and items do not touch each other's results.
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
            except BaseException as error:  # raised below, in the thread that asked
                waiting.clear()
                errors.append(error)

    helpers: list[_Helper] = []
    try:
        for _ in range(min(torch.get_num_threads(), len(items)) - 1):
            helpers.append(_Helper.idle())
            helpers[-1].ask(take)
        take()
    finally:
        waiting.clear()
        for helper in helpers:
            helper.end()
    if errors:
        raise errors[0]


class _Helper:
    """A thread that waits for work. Two locks and nothing more: a layer of a small picture takes a few tenths of a millisecond,
    of which an executor's futures and queues would cost the second core half.
    """

    _all_idle: ClassVar[list["_Helper"]] = []

    def __init__(self) -> None:
        self._asked, self._done = threading.Lock(), threading.Lock()
        self._asked.acquire()
        self._done.acquire()
        self._work: Callable[[], None] | None = None
        threading.Thread(target=self._run, name="tiles", daemon=True).start()

    @classmethod
    def idle(cls) -> "_Helper":
        """One that has nothing to do: of those that are kept, or new."""
        try:
            return cls._all_idle.pop()
        except IndexError:
            return cls()

    def ask(self, work: Callable[[], None]) -> None:
        """Begin, as soon as a core is free. `work` raises nothing."""
        self._work = work
        self._asked.release()

    def end(self) -> None:
        """Wait until it is done; one that has not begun does not begin. It is idle then, and holds on to nothing."""
        if not self._asked.acquire(blocking=False):
            self._done.acquire()
        self._work = None
        self._all_idle.append(self)

    def _run(self) -> None:
        while True:
            self._asked.acquire()
            if self._work:
                self._work()
            self._done.release()

    @classmethod
    def forget(cls) -> None:
        """In a child process, which has none of the threads."""
        cls._all_idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Helper.forget)


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
