"""How far long work has come: a bar with the time left on a terminal, quiet plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

QUIET_SECONDS = 15.0  # between two plain lines


class Advance(Protocol):
    """Called with the number of steps done so far."""

    def __call__(self, done: int, /) -> None:
        """Report."""


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Report on stderr how many of `total` steps are done."""
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task(what, total=total)
            yield lambda done: bars.update(task, completed=done)
        return
    last = start = time.monotonic()

    def advance(done: int, /) -> None:
        nonlocal last
        now = time.monotonic()
        if done and now - last >= QUIET_SECONDS:
            last = now
            left = (now - start) * (total - done) / done
            print(f"{what}: {done} of {total}, {left:.0f} s left", file=sys.stderr, flush=True)

    yield advance


def say(line: str) -> None:
    """A line for the user, beside the results: on stderr."""
    print(line, file=sys.stderr, flush=True)
