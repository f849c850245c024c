"""Work done before it is needed, in a thread of its own, as far ahead as a bounded queue allows."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterable[Item], size: int) -> Generator[Item, None, None]:
    """Yield the same items in the same order, up to `size` of them computed ahead; errors are raised at their place.

    Closing the iterator ends the thread. Memory holds at most `size` items.
    """
    box: queue.Queue[tuple[Item] | BaseException | None] = queue.Queue(size)
    closed = threading.Event()

    def put(entry: tuple[Item] | BaseException | None) -> None:
        while not closed.is_set():
            try:
                box.put(entry, timeout=0.1)
            except queue.Full:
                continue
            return

    def fill() -> None:
        try:
            for item in items:
                put((item,))
                if closed.is_set():
                    return
        except BaseException as error:  # any error is the reader's to handle
            put(error)
        else:
            put(None)

    thread = threading.Thread(target=fill, name="prefetch", daemon=True)
    thread.start()
    try:
        while (entry := box.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            yield entry[0]
    finally:
        closed.set()
        thread.join()
