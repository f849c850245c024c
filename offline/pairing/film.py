"""The film: the picture at the playhead, as a mock-up (the nearest placed image) or made by the generator."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from offline.pairing.film_painter import FilmPainter, ImageWish, TickWish
from offline.pairing.ticks import FPS, Score
from offline.pictures import read_png
from shared.controls import CONTROLS, aspect_ratio
from shared.errors import PonticelloError
from shared.picture import Picture
from shared.preset.candidates import Origin
from shared.stage import SAMPLE_RATE

if TYPE_CHECKING:
    from offline.pairing.project import Project
    from offline.pairing.studio import Studio

Kind = Literal["mock-up", "generator"]

KEPT_IMAGES = 64  # full pictures of candidates kept in memory, 0.8 MB each
LATE = 8  # ticks; while the sound plays, the mock-up replaces a generated picture that is older


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


class Film:
    """Pictures in time with the sound. Call `mockup` and `generated` at each tick of the window; they do not block.

    The generator works in a thread: `generated` returns its newest picture. Played at speed 1, picture i is that of
    `ponticello render --shape SHAPE` at tick i, bit for bit, if the mapping is trained on the present pairs. A decoder draws it
    for a preset that draws directly.
    """

    def __init__(self, studio: "Studio") -> None:
        self.generating = False
        """Whether the generator's picture is shown; the window sets it."""
        self._studio = studio
        self._images: OrderedDict[str, UInt8[np.ndarray, "h w 3"]] = OrderedDict()
        self._mockup: Shown | None = None
        self._newest: tuple[TickWish, Shown] | None = None
        self._wish: TickWish | None = None
        self._shape, self._aspect = "square", Fraction(1)
        self._drawn: OrderedDict[tuple[str, Fraction], UInt8[np.ndarray, "h w 3"]] = OrderedDict()
        self._asked: tuple[str, Fraction] | None = None
        self._painter = FilmPainter(studio.events)
        self._origin: Origin | None = None
        for name in ("preset", "candidates"):
            studio.events.on(name, self._forget)

    def _forget(self) -> None:
        """Read the candidates' files again; draw again only if their look has changed, and not because there are more."""
        self._images.clear()
        project = self._studio.project
        origin = None if project is None or project.candidates is None else project.candidates.origin
        if origin != self._origin:
            self._origin = origin
            self._drawn.clear()

    @property
    def shape(self) -> str:
        """Of the pictures: `square` or a ratio such as 16:9, as `--shape` takes it. May be set; SettingError for others."""
        return self._shape

    @shape.setter
    def shape(self, shape: str) -> None:
        self._shape = str(CONTROLS["shape"].checked(shape))
        self._aspect = aspect_ratio(self._shape)

    @property
    def tick(self) -> int:
        """Number of the tick at the playhead, at 30 a second."""
        return int(self._studio.transport.samples * FPS // SAMPLE_RATE)

    def mockup(self) -> Shown | None:
        """The image nearest to the playhead; None without pairs. Returns the same object while nothing changes."""
        name = self._nearest()
        if not name:
            return None
        image, tick = self.image_in_shape(name), self.tick
        if self._mockup is None or self._mockup.name != name or self._mockup.image is not image:
            self._mockup = Shown(image, name, tick, "mock-up")
        return self._mockup

    def _nearest(self) -> str:
        row, board, project = self._studio.row, self._studio.board, self._studio.project
        if row is None or board is None or project is None or board.nearest[row] < 0:
            return ""
        return project.pairs[int(board.nearest[row])].name

    def image_in_shape(self, name: str) -> UInt8[np.ndarray, "h w 3"] | None:
        """A candidate or placed image in the film's shape; its square one until that is drawn."""
        project, aspect = self._studio.project, self._aspect
        if project is None:
            return None
        if aspect == 1 and project.thumbnail(name) is not None:
            return self.image_of(name)
        for wish, drawn in self._painter.images():
            self._drawn[wish.key] = drawn
            if len(self._drawn) > KEPT_IMAGES:
                self._drawn.popitem(last=False)
        if (name, aspect) in self._drawn:
            self._drawn.move_to_end((name, aspect))
            return self._drawn[name, aspect]
        if (name, aspect) != self._asked or not self._painter.is_drawing_images:
            self._asked = name, aspect
            self._painter.ask_for_images(self._wanted_images(project, name))
        return self.image_of(name)

    def _wanted_images(self, project: "Project", first: str) -> list[ImageWish]:
        """What is not drawn in this shape yet: the image, and the placed ones if they are not too many to keep."""
        pairs, candidates = project.learned_from, project.candidates
        numbers = {} if candidates is None else {name: i for i, name in enumerate(candidates.names)}
        wishes = []
        placed = pairs.names if len(pairs) < KEPT_IMAGES else ()
        for name in (first, *(name for name in placed if name != first)):
            if (name, self._aspect) in self._drawn:
                continue
            if candidates is not None and name in numbers:
                latent, space = candidates.latents[numbers[name]], candidates.space
                look = candidates.origin.truncation, candidates.origin.rotate, candidates.origin.translate
            elif name not in pairs.names:
                continue
            else:  # paired while playing
                latent, space, look = pairs.latents[pairs.names.index(name)], pairs.space, (1.0, 0.0, (0.0, 0.0))
            picture = Picture(project.preset.generator_sha256, latent, space, *look, 1.0, aspect=self._aspect)
            wishes.append(ImageWish(name, project.preset, picture))
        return wishes

    def generated(self) -> Shown | None:
        """The generator's newest picture for the playhead, or else the mock-up. None without pairs and mapping."""
        score = self._score()
        if score is None:
            return self._stand_in()
        wish = TickWish(score, self.tick, self._aspect)
        if not wish.is_like(self._wish):
            self._wish = wish
            self._painter.ask_for_tick(wish)
        newest = self._painter.newest
        if newest is None:
            return self._stand_in()
        made, image, nearest = newest
        if self._newest is None or self._newest[0] is not made:
            self._newest = made, Shown(image, nearest, made.tick, "generator")
        is_close = abs(wish.tick - made.tick) <= LATE and made.score.sound == score.sound and made.aspect == wish.aspect
        is_there = is_close or (self._studio.transport.state == "stopped" and self._wish is made)
        return self._newest[1] if is_there else self._stand_in()

    def _stand_in(self) -> Shown | None:
        shown = self.mockup()
        return None if shown is None else replace(shown, stands_in=True)

    def _score(self) -> Score | None:
        project = self._studio.project
        if project is None or project.corpus is None:
            return None
        playing = project.preset.for_playing
        try:
            mapping = playing.mapping
            pairs = playing.pairs if playing.is_direct else project.learned_from
        except PonticelloError:
            return None
        if not len(pairs):
            return None
        if len(mapping.scaler.mean) != len(project.corpus.facts.inputs):
            return None
        sound = min(self._studio.transport.sound, len(project.corpus.facts.sounds) - 1)
        return Score(playing, project.corpus, sound, mapping, pairs, project.settings)

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
        """Whether requested pictures are still being drawn."""
        newest = self._painter.newest
        is_drawing = self.generating and self._wish is not None and (newest is None or newest[0] is not self._wish)
        return not self._painter.problem and (is_drawing or self._painter.is_drawing_images)

    @property
    def rate(self) -> float:
        """Pictures per second that the generator makes at present; 0 before the first."""
        return self._painter.rate

    @property
    def state(self) -> str:
        """The state in one line for the window."""
        if self._painter.problem:
            return self._painter.problem
        if self._score() is None:
            return "not trained yet"
        if self._painter.is_loading:
            return "loading the generator"
        return f"{self.rate:.1f} pictures/s" if self.rate else ""

    def close(self) -> None:
        """End the generator's thread."""
        self._painter.close()
