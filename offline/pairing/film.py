"""The film: the picture at the playhead, as a mock-up (the nearest placed image) or made by the generator."""

import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from offline.pairing.ticks import FPS, Score, Ticks
from offline.pictures import read_png
from shared.errors import PonticelloError, one_line
from shared.stage import SAMPLE_RATE

if TYPE_CHECKING:
    from offline.pairing.studio import Studio
    from shared.painter import Painter

Kind = Literal["mock-up", "generator"]

KEPT_IMAGES = 64  # full pictures of candidates kept in memory, 0.8 MB each
LATE = 8  # ticks; while the sound plays, the mock-up replaces a generated picture that is older
RATED_S = 2.0  # over which the generator's rate is measured


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture to show. image (h, w, 3), None if there is none; name: of the nearest image; tick: number at 30 a second.

    stands_in: the mock-up is shown because the generator is not loaded yet or too slow.
    """

    image: UInt8[np.ndarray, "h w 3"] | None
    name: str
    tick: int
    kind: Kind
    stands_in: bool = False


@dataclass(frozen=True, eq=False)
class _Wish:
    score: Score
    tick: int


class Film:
    """Pictures in time with the sound. Call `mockup` and `generated` at each tick of the window; they do not block.

    The generator works in a thread: `generated` returns its newest picture. Played at speed 1, picture i is that of
    `ponticello render` at tick i, bit for bit, if the mapping is trained on the present pairs.
    """

    def __init__(self, studio: "Studio") -> None:
        self.generating = False
        """Whether the generator's picture is shown; the window sets it."""
        self._studio = studio
        self._images: OrderedDict[str, UInt8[np.ndarray, "h w 3"]] = OrderedDict()
        self._mockup: Shown | None = None
        self._newest: tuple[_Wish, Shown] | None = None
        self._wish: _Wish | None = None
        self._wake, self._ended = threading.Event(), threading.Event()
        self._times: deque[float] = deque(maxlen=120)
        self._problem = ""
        self._is_loaded = False
        self._thread: threading.Thread | None = None
        for name in ("preset", "candidates"):
            studio.events.on(name, self._images.clear)

    @property
    def tick(self) -> int:
        """Number of the tick at the playhead, at 30 a second."""
        return int(self._studio.transport.samples * FPS // SAMPLE_RATE)

    def mockup(self) -> Shown | None:
        """The image nearest to the playhead; None without pairs. Returns the same object while nothing changes."""
        name = self._nearest()
        if not name:
            return None
        image, tick = self.image_of(name), self.tick
        if self._mockup is None or self._mockup.name != name or self._mockup.image is not image:
            self._mockup = Shown(image, name, tick, "mock-up")
        return self._mockup

    def _nearest(self) -> str:
        row, board, project = self._studio.row, self._studio.board, self._studio.project
        if row is None or board is None or project is None or board.nearest[row] < 0:
            return ""
        return project.pairs[int(board.nearest[row])].name

    def generated(self) -> Shown | None:
        """The generator's newest picture for the playhead, or else the mock-up. None without pairs and mapping."""
        score = self._score()
        if score is None:
            return self._stand_in()
        wish = _Wish(score, self.tick)
        if self._wish is None or (wish.tick, True) != (self._wish.tick, score.looks_like(self._wish.score)):
            self._wish = wish
            self._wake.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="generator", daemon=True)
                self._thread.start()
        if self._newest is None:
            return self._stand_in()
        made, shown = self._newest
        is_close = abs(wish.tick - made.tick) <= LATE and made.score.sound == score.sound
        return (
            shown
            if is_close or (self._studio.transport.state == "stopped" and self._wish is made)
            else self._stand_in()
        )

    def _stand_in(self) -> Shown | None:
        shown = self.mockup()
        return None if shown is None else replace(shown, stands_in=True)

    def _score(self) -> Score | None:
        project = self._studio.project
        if project is None or project.corpus is None or not len(project.learned_from):
            return None
        try:
            mapping = project.preset.mapping
        except PonticelloError:
            return None
        if len(mapping.scaler.mean) != len(project.corpus.facts.inputs):
            return None
        sound = min(self._studio.transport.sound, len(project.corpus.facts.sounds) - 1)
        return Score(project.preset, project.corpus, sound, mapping, project.learned_from, project.settings)

    def image_of(self, name: str) -> UInt8[np.ndarray, "h w 3"] | None:
        """The full picture of a candidate (its PNG), cached; its thumbnail if the file is missing."""
        if name in self._images:
            self._images.move_to_end(name)
            return self._images[name]
        project = self._studio.project
        if project is None:
            return None
        file = project.image_file(name)
        image = None
        if file is not None:
            try:
                image = read_png(file)
            except (OSError, SyntaxError):  # damaged: use its thumbnail
                image = None
        if image is None and (small := project.thumbnail(name)) is not None:
            image = np.asarray(Image.fromarray(small).resize((256, 256), Image.Resampling.BICUBIC))
        if image is not None:
            self._images[name] = image
            if len(self._images) > KEPT_IMAGES:
                self._images.popitem(last=False)
        return image

    @property
    def is_waiting(self) -> bool:
        """Whether the generator is still making the last requested picture."""
        newest = self._newest
        return (
            self.generating
            and not self._problem
            and self._wish is not None
            and (not newest or newest[0] is not self._wish)
        )

    @property
    def rate(self) -> float:
        """Pictures per second that the generator makes at present; 0 before the first."""
        times = [made for made in list(self._times) if made > time.monotonic() - RATED_S]
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 else 0.0

    @property
    def state(self) -> str:
        """The state in one line for the window."""
        if self._problem:
            return self._problem
        if self._score() is None:
            return "not trained yet"
        if not self._is_loaded:
            return "loading the generator" if self._thread else ""
        return f"{self.rate:.1f} pictures/s" if self.rate else ""

    def close(self) -> None:
        """End the generator's thread."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5.0)

    # the generator's thread

    def _work(self) -> None:
        painter: Painter | None = None
        generator, ticks, failed = "", Ticks(), ""
        while self._wake.wait() and not self._ended.is_set():
            self._wake.clear()
            wish = self._wish
            if wish is None:
                continue
            try:
                if painter is None:
                    painter = _new_painter()
                if wish.score.preset.generator_sha256 != generator:
                    self._is_loaded = False
                    painter.load_untrained(wish.score.preset)
                    painter.keep([wish.score.preset])
                    generator, self._is_loaded = wish.score.preset.generator_sha256, True
                tick = ticks.tick(wish.score, wish.tick, partial(self._is_wanted, wish))
                if tick is not None:
                    image = np.ascontiguousarray(painter.paint(tick.picture).cpu().numpy())
                    self._newest = (wish, Shown(image, tick.nearest, wish.tick, "generator"))
                    self._times.append(time.monotonic())
                    self._studio.events.send("film")
                self._problem = failed = ""
            except (PonticelloError, OSError, MemoryError, RuntimeError) as error:  # RuntimeError: torch's, of a device
                self._problem = one_line(error)
                if self._problem != failed:
                    failed = self._problem
                    self._studio.events.send("error", failed)

    def _is_wanted(self, wish: _Wish) -> bool:
        newest = self._wish
        return not self._ended.is_set() and newest is not None and newest.score.looks_like(wish.score)


def _new_painter() -> "Painter":
    from shared.image.device import pick_device
    from shared.painter import Painter

    return Painter(pick_device(None), "auto")
