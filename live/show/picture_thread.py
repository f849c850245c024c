"""The threads that paint ticks: always the newest one; ticks that arrive meanwhile are dropped.

offer ─ newest tick ─ "pictures": paints, waits until the image is computed ─ "images": waits for its copy, hands it on

On a card one image is computed while the one before it is copied, hashed and handed on.
"""

import hashlib
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from live.show.engine import AnalysedTick
from live.show.notices import Notices
from shared.errors import one_line
from shared.image.download import IN_FLIGHT, Arriving, Download
from shared.picture import Picture


@dataclass(frozen=True, eq=False)
class PaintedImage:
    """An image and the tick that it shows."""

    image: UInt8[np.ndarray, "h w 3"]
    analysed: AnalysedTick
    generator_s: float
    """Seconds that the generator took, from the latent to the image on the host."""
    copy_s: float
    """Seconds of it for the copy from the card; 0 without a card."""
    ready: float
    """When it was on the host (s, monotonic)."""

    @property
    def number(self) -> int:
        """The number of the tick."""
        return self.analysed.tick.number


@runtime_checkable
class Paints(Protocol):
    """Draws pictures, such as a Painter."""

    def paint(self, picture: Picture) -> UInt8[Tensor, "h w 3"]:
        """The image, which may still be computed when this returns."""
        ...


@dataclass(frozen=True, eq=False)
class _Computed:
    """An image that is computed, on its way to the host."""

    analysed: AnalysedTick
    arriving: Arriving
    start: float
    is_new: bool


class PictureThread:
    """If the generator is late, a picture is dropped, never a descriptor. An error costs one picture.

    on_image: called for each image in the order of ticks, in a thread of its own. hashes: filled with the SHA-256 of every
    image by tick, if given. download: starts the copy of an image to the host.
    """

    def __init__(
        self,
        painter: Paints,
        on_image: Callable[[PaintedImage], None],
        notices: Notices,
        hashes: dict[int, str] | None = None,
        download: Callable[[Tensor], Arriving] = Download,
    ) -> None:
        self._painter, self._on_image, self._notices = painter, on_image, notices
        self._hashes, self._download = hashes, download
        self.painted = self.dropped = 0
        self._next: AnalysedTick | None = None
        self._last: tuple[Picture, Arriving] | None = None
        self._over = False
        self._changed = threading.Condition()
        self._computed: queue.SimpleQueue[_Computed | None] = queue.SimpleQueue()
        self._places = threading.Semaphore(IN_FLIGHT)
        self._painting = threading.Thread(target=self._paint_all, name="pictures", daemon=True)
        self._delivering = threading.Thread(target=self._deliver_all, name="images", daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self._painting.start()
        self._delivering.start()

    def close(self) -> None:
        """Finish the pictures that were started and stop; a tick that waits is dropped."""
        with self._changed:
            self._over = True
            self._changed.notify()
        if self._painting.is_alive():
            self._painting.join()
        self._computed.put(None)
        if self._delivering.is_alive():
            self._delivering.join()

    def offer(self, analysed: AnalysedTick) -> None:
        """Paint this tick next, instead of one that waits."""
        with self._changed:
            self.dropped += self._over or self._next is not None
            if not self._over:
                self._next = analysed
                self._changed.notify()

    def _paint_all(self) -> None:
        while True:
            self._places.acquire()  # before a tick is taken: the newest one is painted
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._next is not None)
                analysed, self._next = self._next, None
                if self._over:
                    self.dropped += analysed is not None
                    return
            assert analysed is not None
            start = time.monotonic()
            try:
                arriving, is_new = self._paint(analysed.tick.picture)
            except Exception as error:  # any error: the last good picture stays, the next one may succeed
                self._failed(error)
                self._places.release()
            else:
                self._computed.put(_Computed(analysed, arriving, start, is_new))

    def _paint(self, picture: Picture) -> tuple[Arriving, bool]:
        """The image, computed, and whether it is a new one.

        It is painted only if the picture has changed, which it has not when frozen, paused or before the sound.
        """
        last = self._last
        if last is not None and same(last[0], picture):
            return last[1], False
        arriving = self._download(self._painter.paint(picture))
        arriving.computed()
        self._last = picture, arriving
        return arriving, True

    def _deliver_all(self) -> None:
        while (computed := self._computed.get()) is not None:
            try:
                self._deliver(computed, computed.arriving.result())
            except Exception as error:  # as above
                self._last = None  # so that an equal picture is painted anew
                self._failed(error)
            finally:
                self._places.release()

    def _deliver(self, computed: _Computed, image: UInt8[np.ndarray, "h w 3"]) -> None:
        now = time.monotonic()
        copy_s = computed.arriving.copy_s if computed.is_new else 0.0
        number = computed.analysed.tick.number
        if self._hashes is not None:
            self._hashes[number] = hashlib.sha256(image.tobytes()).hexdigest()
        self._on_image(PaintedImage(image, computed.analysed, now - computed.start, copy_s, now))
        with self._changed:
            self.painted += 1

    def _failed(self, error: Exception) -> None:
        with self._changed:
            self.dropped += 1
        self._notices.tell(f"cannot paint: {one_line(error)}; the last picture stays")
        if torch.cuda.is_available():
            with suppress(RuntimeError):  # after some errors the card refuses everything
                torch.cuda.empty_cache()


def same(a: Picture | None, b: Picture | None) -> bool:
    """Whether two pictures have the same image."""
    if a is None or b is None:
        return a is b
    return (
        np.array_equal(a.latent, b.latent)
        and same(a.under, b.under)
        and vars(replace(a, latent=b.latent, under=b.under)) == vars(b)
    )
