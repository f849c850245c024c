"""Work that may take its time (loading, learning, saving), in the order in which it was asked for, beside the show."""

import queue
import threading
from collections.abc import Callable
from functools import partial

from shared.errors import one_line

Then = Callable[[], None]
"""What is left to do in the main thread once a job is done."""


class Background:
    """One thread; a job that fails costs nothing but itself."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Then], Callable[[str], None]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Then] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, seconds: float = 5.0) -> None:
        """Finish what was asked for, for so long; what is not done by then is left."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(seconds)

    def do(self, job: Callable[[], Then], failed: Callable[[str], None]) -> None:
        """Do it; `failed` is called by the main thread with a line that says why it could not be done."""
        self._jobs.put((job, failed))

    def done(self) -> list[Then]:
        """What is to be done now by the main thread, of the jobs that have been done since the last call."""
        taken = []
        while not self._done.empty():
            taken.append(self._done.get())
        return taken

    def _run(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, failed = entry
            try:
                self._done.put(job())
            except Exception as error:  # also out of memory: the show has what it had before
                self._done.put(partial(failed, one_line(error)))
