"""Long work (loading, learning, saving) in a thread beside the main one."""

import queue
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from shared.errors import one_line

Then = Callable[[], None]
"""The rest of a job, for the main thread."""


class _Job(NamedTuple):
    work: Callable[[], Then]
    failed: Callable[[str], None]
    kind: str
    number: int


class Background:
    """One thread that does jobs in their order; a job that fails costs nothing but itself.

    Of the jobs of one kind that wait, only the newest is done.
    """

    def __init__(self, name: str = "background") -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Then] = queue.SimpleQueue()
        self._newest: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, seconds: float = 5.0) -> None:
        """Finish the jobs that were asked for, for at most so long; the others are dropped."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(seconds)

    def do(self, job: Callable[[], Then], failed: Callable[[str], None], kind: str = "") -> None:
        """Do a job; the main thread calls `failed` with one line where it raises. kind: "" where none replaces another."""
        self._newest[kind] += 1
        self._jobs.put(_Job(job, failed, kind, self._newest[kind]))

    def done(self) -> list[Then]:
        """What the main thread is to do now, of the jobs that ended since the last call."""
        taken = []
        while not self._done.empty():
            taken.append(self._done.get())
        return taken

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.kind and job.number != self._newest[job.kind]:
                continue
            try:
                self._done.put(job.work())
            except Exception as error:  # out of memory too: the show keeps what it had before
                self._done.put(partial(job.failed, one_line(error)))
