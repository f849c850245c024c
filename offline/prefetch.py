"""Compute items in a thread before they are needed, as far ahead as a bounded queue allows."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterable[Item], size: int) -> Generator[Item, None, None]:
    """Yield the items in order, with up to `size` of them computed ahead. An error is raised in place of its item.

    Closing the iterator ends the thread.
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
        except BaseException as error:  # raised again in the reader's thread
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
