"""Work done ahead of its user, in a thread of its own, as far as a bounded queue allows."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterable[Item], size: int) -> Generator[Item, None, None]:
    """The same items in the same order, made up to `size` ahead; an error in the making is raised here, in its place.

    Closing the iterator ends the thread; memory holds `size` items whatever their number.
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
        except BaseException as error:  # whatever it is, it belongs to the reader
            put(error)
        else:
            put(None)

    thread = threading.Thread(target=fill, name="ahead", daemon=True)
    thread.start()
    try:
        while (entry := box.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            yield entry[0]
    finally:
        closed.set()
        thread.join()
