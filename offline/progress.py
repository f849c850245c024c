"""Progress of long work: a bar with the time left in a terminal, occasional plain lines elsewhere, or a window's display."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

QUIET_SECONDS, LIVELY_SECONDS = 15.0, 0.3  # between two plain lines
LIVELY = "PONTICELLO_PROGRESS"  # environment variable, set by a program that shows the plain lines as its own progress


@runtime_checkable
class Advance(Protocol):
    """Called with the number of steps done so far."""

    def __call__(self, done: int, /) -> None:
        """Report the number."""


@runtime_checkable
class Reporter(Protocol):
    """Shows progress and lines in place of stderr."""

    def begin(self, what: str, total: int) -> Advance:
        """Begin work of `total` steps. The returned function may raise an error to end the work."""

    def say(self, line: str) -> None:
        """Show a line to the user."""


_reporter: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Send the progress and lines of this thread to a reporter."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Report how many of `total` steps are done, on stderr or to the thread's reporter."""
    if (reporter := _reporter.get()) is not None:
        yield reporter.begin(what, total)
        return
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task(what, total=total)
            yield lambda done: bars.update(task, completed=done)
        return
    last = start = time.monotonic()
    quiet_s = LIVELY_SECONDS if os.environ.get(LIVELY) else QUIET_SECONDS

    def advance(done: int, /) -> None:
        nonlocal last
        now = time.monotonic()
        if done and now - last >= quiet_s:
            last = now
            left = (now - start) * (total - done) / done
            print(f"{what}: {done} of {total}, {left:.0f} s left", file=sys.stderr, flush=True)

    yield advance


def say(line: str) -> None:
    """Show a line to the user, on stderr or through the thread's reporter."""
    if (reporter := _reporter.get()) is not None:
        reporter.say(line)
        return
    print(line, file=sys.stderr, flush=True)
