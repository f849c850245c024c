"""The generator in a thread of the studio: pictures of ticks, and placed images in the film's shape."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from offline.pairing.events import Events
from offline.pairing.ticks import Score, Ticks
from shared.errors import PonticelloError, one_line
from shared.picture import Picture
from shared.preset import Preset

if TYPE_CHECKING:
    from shared.painter import Painter

RATED_S = 2.0  # over which the rate is measured

Image = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, eq=False)
class TickWish:
    """The picture of a tick (number at 30 a second) in an aspect ratio (width over height)."""

    score: Score
    tick: int
    aspect: Fraction

    def is_like(self, other: "TickWish | None") -> bool:
        """Whether the picture is the same."""
        return (
            other is not None
            and (self.tick, self.aspect) == (other.tick, other.aspect)
            and self.score.looks_like(other.score)
        )


@dataclass(frozen=True, eq=False)
class ImageWish:
    """An image of the preset's generator, by name."""

    name: str
    preset: Preset
    picture: Picture

    @property
    def key(self) -> tuple[str, Fraction]:
        """Name and aspect ratio."""
        return self.name, self.picture.aspect


class FilmPainter:
    """Draws in a thread, which starts with the first request. Ticks precede images, and a newer request replaces the last.

    Sends `film` for each new picture, and `error` if none can be drawn.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._tick: TickWish | None = None
        self._images: list[ImageWish] = []
        self._images_lock = threading.Lock()
        self._drawn: SimpleQueue[tuple[ImageWish, Image]] = SimpleQueue()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._times: deque[float] = deque(maxlen=120)
        self._thread: threading.Thread | None = None
        self._painter: Painter | None = None
        self._generator = ""  # SHA-256 of the one that was used last
        self._kept: list[Preset] = []  # one preset, perhaps both with its generator and with its decoder
        self._ticks = Ticks()
        self.newest: tuple[TickWish, Image, str] | None = None
        """The last tick that was drawn, with the name of the nearest pair."""
        self.problem = ""
        """Why nothing can be drawn; empty while it can."""

    def ask_for_tick(self, wish: TickWish) -> None:
        """Draw this tick next."""
        self._tick = wish
        self._begin()

    def ask_for_images(self, wishes: Sequence[ImageWish]) -> None:
        """Draw these images, in this order, and no others."""
        with self._images_lock:
            self._images = list(wishes)
        self._begin()

    def images(self) -> list[tuple[ImageWish, Image]]:
        """The images drawn since the last call."""
        drawn = []
        while not self._drawn.empty():
            drawn.append(self._drawn.get())
        return drawn

    @property
    def is_drawing_images(self) -> bool:
        """Whether some requested images are not drawn yet."""
        return bool(self._images)

    @property
    def is_loading(self) -> bool:
        """Whether the generator is still being loaded."""
        return self._thread is not None and not self._generator

    @property
    def rate(self) -> float:
        """Ticks drawn per second; 0 before the first."""
        times = [made for made in list(self._times) if made > time.monotonic() - RATED_S]
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 else 0.0

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def _begin(self) -> None:
        self._wake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="generator", daemon=True)
            self._thread.start()

    # in the thread

    def _work(self) -> None:
        done: TickWish | None = None
        while self._wake.wait() and not self._ended.is_set():
            self._wake.clear()
            failed = self.problem
            try:
                if (wish := self._tick) is not None and wish is not done:
                    self._draw_tick(wish)
                    done = wish
                elif self._images:
                    self._draw_image()
                else:
                    continue
                self.problem = ""
            except (PonticelloError, OSError, MemoryError, RuntimeError) as error:  # RuntimeError: torch's, of a device
                done, self._images = wish, []
                self.problem = one_line(error)
                if self.problem != failed:
                    self._events.send("error", self.problem)
            if self._images or self._tick is not done:
                self._wake.set()

    def _draw_tick(self, wish: TickWish) -> None:
        painter = self._loaded(wish.score.preset)
        tick = self._ticks.tick(wish.score, wish.tick, partial(self._is_wanted, wish))
        if tick is not None:
            self.newest = wish, _painted(painter, replace(tick.picture, aspect=wish.aspect)), tick.nearest
            self._times.append(time.monotonic())
            self._events.send("film")

    def _draw_image(self) -> None:
        wish = self._images[0]
        image = _painted(self._loaded(wish.preset), wish.picture)
        self._drawn.put((wish, image))
        with self._images_lock:  # others may be asked for by now
            self._images = [other for other in self._images if other.key != wish.key]
        self._events.send("film")

    def _loaded(self, preset: Preset) -> "Painter":
        """The painter with what draws a preset: its generator, for placed images, or its decoder. Other presets' are dropped."""
        if self._painter is None:
            self._painter = _new_painter()
        if preset.generator_sha256 != self._generator:
            self._generator = ""
            self._painter.load_untrained(preset)
            self._kept = [preset, *(kept for kept in self._kept[:1] if kept.folder == preset.folder)]
            self._painter.keep(self._kept)
            self._generator = preset.generator_sha256
        return self._painter

    def _is_wanted(self, wish: TickWish) -> bool:
        newest = self._tick
        return not self._ended.is_set() and newest is not None and newest.score.looks_like(wish.score)


def _painted(painter: "Painter", picture: Picture) -> Image:
    return np.ascontiguousarray(painter.paint(picture).cpu().numpy())


def _new_painter() -> "Painter":
    from shared.image.device import pick_device
    from shared.painter import Painter

    return Painter(pick_device(None), "auto")
