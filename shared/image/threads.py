"""Work shared among threads in such a way that no number that comes out depends on how many there are."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
    waiting = deque(items)

    def take() -> None:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            work(item)

    helpers = [_idle.pop() if _idle else _Helper() for _ in range(threads - 1)]
    for helper in helpers:
        helper.ask(take)
    try:
        take()
    finally:
        waiting.clear()
        errors = [helper.end() for helper in helpers]
        _idle.extend(helpers)
    for error in errors:
        if error is not None:
            raise error


class _Helper:
    """A thread that waits for work. Two locks and nothing more: a layer of a small picture takes a few tenths of a millisecond,
    of which an executor's futures and queues would cost the second core half.
    """

    def __init__(self) -> None:
        self._asked, self._done = threading.Lock(), threading.Lock()
        self._asked.acquire()
        self._done.acquire()
        self._work: Callable[[], None] = lambda: None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="tiles", daemon=True).start()

    def ask(self, work: Callable[[], None]) -> None:
        """Begin, as soon as a core is free."""
        self._work, self._error = work, None
        self._asked.release()

    def end(self) -> BaseException | None:
        """Wait until it is done; one that has not begun does not begin. What its work raised."""
        if not self._asked.acquire(blocking=False):
            self._done.acquire()
        return self._error

    def _run(self) -> None:
        while True:
            self._asked.acquire()
            try:
                self._work()
            except BaseException as error:  # raised again by the thread that asked
                self._error = error
            self._done.release()


_idle: list[_Helper] = []


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
