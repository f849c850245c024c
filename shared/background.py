"""A background thread for work that takes its time: loading, training, saving."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from shared.errors import Failure, one_line

MAX_JOBS = 64  # that wait

Then = Callable[[], None]
"""What is left to do in the main thread when a job is done."""


@dataclass(frozen=True)
class _Job:
    work: Callable[[], Then]
    failed: Callable[[str], None]
    kind: str
    sender: object
    every_s: float


class Background:
    """Runs jobs one after the other in a thread. A job that fails does not affect others."""

    def __init__(self, name: str = "background") -> None:
        self._jobs: list[_Job] = []
        self._done: list[Then] = []
        self._started: dict[str, float] = {}  # when a job of a kind last started
        self._changed = threading.Condition()
        self._running: list[_Job] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, seconds: float = 5.0) -> None:
        """Finish the queued jobs within a time limit; abandon the others."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def stop(self, finish: bool = True) -> None:
        """Hurry from now on: finish the queued jobs, or only the running one."""
        with self._changed:
            self._closing = True
            if not finish:
                self._jobs.clear()
            self._changed.notify()

    def do(
        self,
        work: Callable[[], Then],
        failed: Callable[[str], None],
        kind: str = "",
        sender: object = None,
        every_s: float = 0.0,
    ) -> None:
        """Queue a job. If it raises, the main thread calls `failed` with the reason in one line.

        kind: if not empty, the job replaces one of the same kind and sender that has not started yet. every_s: jobs of this kind start
        at least so many seconds apart. Raises Failure if too many jobs are waiting.
        """
        with self._changed:
            if kind:
                self._jobs = [job for job in self._jobs if (job.kind, job.sender) != (kind, sender)]
            if len(self._jobs) >= MAX_JOBS:
                raise Failure(f"{MAX_JOBS} jobs are waiting already; try again later")
            self._jobs.append(_Job(work, failed, kind, sender, every_s))
            self._changed.notify()

    def has_job_of(self, sender: object) -> bool:
        """Whether a job of this sender is running or waiting."""
        with self._changed:
            return any(job.sender == sender for job in [*self._running, *self._jobs])

    def done(self) -> list[Then]:
        """What the main thread has to do now for the jobs that are done."""
        with self._changed:
            taken, self._done = self._done, []
        return taken

    def _next(self) -> _Job | None:
        """The next job, when its time has come; None at the end."""
        with self._changed:
            while True:
                if self._jobs:
                    job = self._jobs[0]
                    wait = self._started.get(job.kind, -math.inf) + job.every_s - time.monotonic()
                    if wait <= 0 or self._closing:
                        self._started[job.kind] = time.monotonic()
                        self._running = [self._jobs.pop(0)]
                        return job
                    self._changed.wait(wait)
                elif self._closing:
                    return None
                else:
                    self._changed.wait()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                then = job.work()
            except Exception as error:  # out of memory, too: everything stays as it was
                then = partial(job.failed, one_line(error))
            with self._changed:
                self._running.clear()
                self._done.append(then)
