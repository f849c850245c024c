"""Images between the thread that paints and the one that shows them."""

import heapq
import itertools
import math
import threading

from live.show.picture_thread import PaintedImage


class PresentationQueue:
    """Images that wait for their presentation time. One thread puts, another takes."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, PaintedImage]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._newest = -1  # tick of the newest image taken

    def put(self, painted: PaintedImage, due: float) -> None:
        """Keep an image until `due` (s, monotonic)."""
        with self._lock:
            heapq.heappush(self._heap, (due, next(self._order), painted))

    def take(self, now: float) -> tuple[float, PaintedImage] | None:
        """The newest image that is due, with its time; older ones are dropped."""
        taken = None
        with self._lock:
            while self._heap and self._heap[0][0] <= now:
                due, _, painted = heapq.heappop(self._heap)
                if painted.number > self._newest:  # otherwise a newer one was due before it
                    taken, self._newest = (due, painted), painted.number
        return taken

    def next_due(self) -> float:
        """When the next image is due (s, monotonic); infinity if none waits."""
        with self._lock:
            return self._heap[0][0] if self._heap else math.inf
