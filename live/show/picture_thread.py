"""The thread that paints ticks: always the newest one; ticks that arrive meanwhile are dropped."""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import UInt8

from live.show.engine import AnalysedTick
from live.show.notices import Notices
from shared.errors import one_line
from shared.image.download import Download
from shared.painter import Painter
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
    """When it was painted (s, monotonic)."""

    @property
    def number(self) -> int:
        """The number of the tick."""
        return self.analysed.tick.number


class PictureThread:
    """If the generator is late, a picture is dropped, never a descriptor. An error costs one picture.

    on_image: called in this thread. hashes: filled with the SHA-256 of every image by tick, if given.
    """

    def __init__(
        self,
        painter: Painter,
        on_image: Callable[[PaintedImage], None],
        notices: Notices,
        hashes: dict[int, str] | None = None,
    ) -> None:
        self._painter, self._on_image, self._notices = painter, on_image, notices
        self._hashes = hashes
        self.painted = self.dropped = 0
        self._next: AnalysedTick | None = None
        self._last: tuple[Picture, UInt8[np.ndarray, "h w 3"]] | None = None
        self._over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Finish the current picture and stop; a tick that waits is dropped."""
        with self._changed:
            self._over = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def offer(self, analysed: AnalysedTick) -> None:
        """Paint this tick next, instead of one that waits."""
        with self._changed:
            self.dropped += self._over or self._next is not None
            if not self._over:
                self._next = analysed
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._next is not None)
                analysed, self._next = self._next, None
                if self._over:
                    self.dropped += analysed is not None
                    return
            assert analysed is not None
            self._paint(analysed)

    def _paint(self, analysed: AnalysedTick) -> None:
        start = time.monotonic()
        try:
            image, copy_s = self._image(analysed.tick.picture)
        except Exception as error:  # any error: the last good picture stays, the next one may succeed
            with self._changed:
                self.dropped += 1
            self._notices.tell(f"cannot paint: {one_line(error)}; the last picture stays")
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            return
        with self._changed:
            self.painted += 1
        now = time.monotonic()
        if self._hashes is not None:
            self._hashes[analysed.tick.number] = hashlib.sha256(image.tobytes()).hexdigest()
        self._on_image(PaintedImage(image, analysed, now - start, copy_s, now))

    def _image(self, picture: Picture) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
        """The image, and the seconds that its copy took.

        Painted only if the picture has changed, which it has not when frozen, paused or before the sound.
        """
        if self._last is not None and same(self._last[0], picture):
            return self._last[1], 0.0
        download = Download(self._painter.paint(picture))
        image = download.result()
        self._last = picture, image
        return image, download.copy_s


def same(a: Picture | None, b: Picture | None) -> bool:
    """Whether two pictures have the same image."""
    if a is None or b is None:
        return a is b
    return (
        np.array_equal(a.latent, b.latent)
        and same(a.under, b.under)
        and vars(replace(a, latent=b.latent, under=b.under)) == vars(b)
    )
