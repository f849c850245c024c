"""Stops that lose nothing: the first Ctrl-C or SIGTERM asks for one, the second one forces it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_requests(on_first: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """A function that returns whether a signal has arrived. The first one calls `on_first`, a second one raises KeyboardInterrupt."""
    requests = 0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal requests
        requests += 1
        if requests > 1:
            raise KeyboardInterrupt
        on_first()

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield lambda: requests > 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
