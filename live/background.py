"""Work that may take its time (loading, learning, saving), in the order in which it was asked for, beside the show."""

import queue
import threading
from collections.abc import Callable

from live.notices import Notices, describe

Then = Callable[[], None]
"""What is left to do in the main thread once a job is done."""


class Background:
    """One thread; a job that fails is told of, and the next one begins."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Then], str] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Then] = queue.SimpleQueue()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, seconds: float = 5.0) -> None:
        """Finish what is being done, for so long; what waits is left."""
        self._over = True
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(seconds)

    def do(self, job: Callable[[], Then], address: str) -> None:
        """Do it; `address` is who asked, for the error."""
        self._jobs.put((job, address))

    def done(self) -> list[Then]:
        """What is to be done now by the main thread, of the jobs that have been done since the last call."""
        taken = []
        while not self._done.empty():
            taken.append(self._done.get())
        return taken

    def _run(self) -> None:
        while (entry := self._jobs.get()) is not None and not self._over:
            job, address = entry
            try:
                self._done.put(job())
            except Exception as error:  # also out of memory: the show has what it had before
                self._notices.tell(describe(error), address)
