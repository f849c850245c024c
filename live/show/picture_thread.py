"""The thread between ticks and images: it paints the newest tick; those that come meanwhile are dropped, but for the newest."""

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
    """An image, and the tick it was made for."""

    image: UInt8[np.ndarray, "h w 3"]
    analysed: AnalysedTick
    took_s: float
    """Seconds from the latent to the image on the host."""
    copy_s: float
    """Seconds of it for the copy from the card; 0 where there is none."""
    at: float
    """When it was ready (s, monotonic)."""


class PictureThread:
    """Where the generator is late, the picture is dropped, never a descriptor. An error costs this picture alone.

    on_image: called in this thread. hashes: the SHA-256 of every image made, by tick; filled where given.
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
        self.made = self.dropped = 0
        self._waiting: AnalysedTick | None = None
        self._last: tuple[Picture, UInt8[np.ndarray, "h w 3"]] | None = None
        self._over = False
        self._turn = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Finish the picture at work, and stop; what waits is dropped."""
        with self._turn:
            self._over = True
            self._turn.notify()
        if self._thread.is_alive():
            self._thread.join()

    def offer(self, analysed: AnalysedTick) -> None:
        """The newest tick; one that waits makes room for it."""
        with self._turn:
            self.dropped += self._over or self._waiting is not None
            if not self._over:
                self._waiting = analysed
                self._turn.notify()

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._over or self._waiting is not None)
                analysed, self._waiting = self._waiting, None
                if self._over:
                    self.dropped += analysed is not None
                    return
            assert analysed is not None
            self._paint(analysed)

    def _paint(self, analysed: AnalysedTick) -> None:
        began = time.monotonic()
        try:
            image, copy_s = self._image(analysed.tick.picture)
        except Exception as error:  # whatever it is: the last good picture stays, and the next may be made
            with self._turn:
                self.dropped += 1
            self._notices.tell(f"no picture: {one_line(error)}; the last one stays")
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            return
        with self._turn:
            self.made += 1
        now = time.monotonic()
        if self._hashes is not None:
            self._hashes[analysed.tick.number] = hashlib.sha256(image.tobytes()).hexdigest()
        self._on_image(PaintedImage(image, analysed, now - began, copy_s, now))

    def _image(self, picture: Picture) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
        """Not painted again where nothing has changed: frozen, paused, or before the first sound."""
        if self._last is not None and same(self._last[0], picture):
            return self._last[1], 0.0
        download = Download(self._painter.paint(picture))
        image = download.result()
        self._last = picture, image
        return image, download.copy_s


def same(a: Picture | None, b: Picture | None) -> bool:
    """Whether two pictures ask for the same image."""
    if a is None or b is None:
        return a is b
    return (
        np.array_equal(a.latent, b.latent)
        and same(a.under, b.under)
        and vars(replace(a, latent=b.latent, under=b.under)) == vars(b)
    )
