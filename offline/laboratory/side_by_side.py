"""Variants of a motion played through one sound: a film with all of them, and what it measures of each."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8

from offline.laboratory import measures
from offline.laboratory.contact_film import Layout, shown_tick
from offline.laboratory.grid import Variant
from offline.laboratory.sensitivity import sensitivity
from offline.pictures import thumbnail
from offline.progress import progress, say
from offline.rendering.material import SoundMaterial
from offline.rendering.relaxation import RelaxedMaterial
from offline.rendering.render import Job, within
from offline.video.codecs import CODECS
from offline.video.writer import SEGMENT_PICTURES, VideoWriter
from shared.atomic import make_folder
from shared.errors import Stopped
from shared.image.device import pick_device
from shared.image.download import Download, downloaded
from shared.painter import Painter
from shared.pipeline import Tick
from shared.pipeline.dynamics import published
from shared.preset import Preset

SIDE = 64  # pixels of the pictures that are measured
KEPT = 240  # pictures of a variant whose spread is measured, at most
STRIP = 12  # pictures of a strip
FASTEST_FILM = 60


@dataclass(frozen=True, eq=False)
class Played:
    """A variant's ticks in the excerpt. paper: descriptors (n, d) of the same ticks with the paper's smoothing."""

    variant: Variant
    ticks: list[Tick]
    paper: Float64[np.ndarray, "n d"]
    deviation: float
    """Of the pairs' latent vectors."""


@dataclass(frozen=True, eq=False)
class Measured:
    """A variant and what was measured of it. changes[i]: grey levels from picture i-1 to i; 0 for the first."""

    variant: Variant
    half_ms: float
    most_ms: float
    speeds: Float64[np.ndarray, "n"]
    jitter: float
    changes: Float64[np.ndarray, "n"]
    spread: float
    correlation: float
    best_correlation: float
    lag_ms: float
    strip: list[UInt8[np.ndarray, "side side 3"]]

    @property
    def change(self) -> float:
        """Median change from picture to picture, in grey levels."""
        return float(np.median(self.changes[1:])) if len(self.changes) > 1 else 0.0


class _Drawn(NamedTuple):
    """A picture to draw: the film's picture for which it is new, the variant, its tick in the excerpt."""

    film: int
    cell: int
    tick: int


class Comparison:
    """Plays all variants, draws the film, measures. An interrupted film continues with the same call."""

    def __init__(
        self,
        preset: Preset,
        sound: Path,
        variants: list[Variant],
        folder: Path,
        start: Fraction = Fraction(0),
        end: Fraction | None = None,
        device: str | None = None,
        side: int = 160,
        segment_pictures: int = SEGMENT_PICTURES,
    ) -> None:
        self._preset, self._sound, self._folder = preset, sound, folder
        self._start, self._end = start, end
        self._painter = Painter(pick_device(device))
        self._device = self._painter.load(preset).device
        self._variants = variants
        self._segment_pictures = segment_pictures
        self.layout = Layout(tuple(f"{v.number}  {v.name}" for v in variants), side)
        self.film = folder / "lab.mp4"

    def run(self) -> list[Measured]:
        """Make lab.mp4 in the folder; return what was measured. Stopped after a Ctrl-C: call again to continue."""
        make_folder(self._folder)
        self._variants = self.resolved()
        with progress("variants", len(self._variants)) as advance:
            played = []
            for variant in self._variants:
                played.append(self._play(variant))
                advance(len(played))
        kept = self._draw(played)
        shutil.rmtree(self._folder / "lab.flow", ignore_errors=True)
        measured = []
        with progress("delays", len(played)) as advance:
            for one, changes, thumbnails in zip(played, *kept, strict=True):
                measured.append(self._measure(one, changes, thumbnails))
                advance(len(measured))
        return measured

    def resolved(self) -> list[Variant]:
        """The variants, with the speed limits that limits of the picture's change make."""
        if not any(variant.change_limit for variant in self._variants):
            return self._variants
        paper = Variant(0, "", published(self._preset.settings.inputs)).applied(self._preset)
        pictures = [tick.picture for tick in self._ticks(paper, Fraction(30))]
        found = sensitivity(
            pictures, paper.pairs.latent_deviation, lambda picture: self._painter.paint(picture).cpu().numpy()
        )
        return [variant.with_sensitivity(found) for variant in self._variants]

    def _job(self, preset: Preset, fps: Fraction) -> Job:
        return Job(preset, self._sound, fps, start=self._start, end=self._end)

    def _play(self, variant: Variant) -> Played:
        preset = variant.applied(self._preset)
        paper = Variant(0, "", published(self._preset.settings.inputs)).applied(self._preset)
        ticks = self._ticks(preset, variant.fps, variant.relax)
        reference = np.stack([tick.descriptors for tick in self._ticks(paper, variant.fps)])
        return Played(variant, ticks, reference, preset.pairs.latent_deviation)

    def _ticks(self, preset: Preset, fps: Fraction, relax: float = 0.0) -> list[Tick]:
        job = self._job(preset, fps)
        material = job.material
        if relax:
            material = RelaxedMaterial(material, self._painter, relax, self._folder / "lab.flow")
        return list(within(material.ticks(fps), job.excerpt(material.numbers(fps))))

    def _draw(
        self, played: list[Played]
    ) -> tuple[list[Float64[np.ndarray, "n"]], list[UInt8[np.ndarray, "kept 64 64 3"]]]:
        """The changes of each variant's pictures, and those kept of them."""
        fps = min(Fraction(FASTEST_FILM), max(one.variant.fps for one in played))
        job = self._job(self._preset, fps)
        material = job.material
        assert isinstance(material, SoundMaterial)
        wanted = job.excerpt(material.numbers(fps))
        identity = self._identity(fps)
        ledger = _Ledger(self._folder / "lab.measures", identity, [len(one.ticks) for one in played])
        writer = VideoWriter(
            self.film,
            codec=CODECS["h264"],
            fps=fps,
            image_size=self.layout.size,
            soundtrack=material.soundtrack(fps, wanted, self._end is None),
            identity=identity,
            resume=ledger.is_resumed,
            segment_pictures=self._segment_pictures,
        )
        first = writer.start if ledger.is_resumed else 0
        if first:
            say(f"continues after {first} of {len(wanted)} pictures")
        sheet = self.layout.sheet()
        shown: dict[int, UInt8[np.ndarray, "64 64 3"]] = {}
        done = first
        new = _new_pictures(played, fps, max(0, first - 1), len(wanted))

        def paint(item: _Drawn) -> Download:
            return Download(self._painter.paint(played[item.cell].ticks[item.tick].picture))

        with (
            writer,
            closing(downloaded(paint, new, self._device)) as images,
            progress("pictures", len(wanted)) as advance,
        ):
            try:
                for item, image in images:
                    assert image is not None
                    while done < item.film:  # nothing more is new in it
                        writer.write(sheet)
                        done += 1
                        advance(done)
                    self.layout.paste(sheet, item.cell, image)
                    small = thumbnail(image, SIDE)
                    if item.cell in shown:
                        ledger.changes[item.cell][item.tick] = measures.picture_change(shown[item.cell], small)
                    shown[item.cell] = small
                    ledger.keep(item.cell, item.tick, small)
                while done < len(wanted):
                    writer.write(sheet)
                    done += 1
                advance(done)
                writer.finish()
            except KeyboardInterrupt:
                writer.interrupt()
                raise Stopped(
                    f"stopped after {done} of {len(wanted)} pictures; the same command continues there"
                ) from None
        return ledger.finish()

    def _measure(
        self, one: Played, changes: Float64[np.ndarray, "n"], thumbnails: UInt8[np.ndarray, "kept 64 64 3"]
    ) -> Measured:
        variant = one.variant
        latents = np.stack([tick.picture.latent for tick in one.ticks])
        chosen = np.linspace(0, len(thumbnails) - 1, STRIP).round().astype(int)
        return Measured(
            variant,
            *measures.step_delays(variant.applied(self._preset), variant.fps),
            measures.speed(latents, variant.fps, one.deviation),
            measures.jitter(latents),
            changes,
            measures.spread(list(thumbnails)),
            *measures.correspondence(one.paper, changes, variant.fps),
            [thumbnails[i] for i in chosen],
        )

    def _identity(self, fps: Fraction) -> str:
        material = self._job(self._preset, fps).material
        rows = [
            (v.number, v.name, sorted((k, str(x)) for k, x in v.values.items()), str(v.fps), v.relax)
            for v in self._variants
        ]
        facts = (material.identity(), rows, str(fps), str(self._start), str(self._end), self.layout.side)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


class _Ledger:
    """Changes and small pictures in a folder, so that an interrupted film can continue; removed in the end."""

    def __init__(self, folder: Path, identity: str, ticks: list[int]) -> None:
        self._folder = folder
        note = folder / "identity"
        self.is_resumed = note.is_file() and note.read_text("utf-8") == identity
        """Whether an earlier run of the same film left something."""
        if not self.is_resumed:
            shutil.rmtree(folder, ignore_errors=True)
            make_folder(folder)
        mode: Literal["r+", "w+"] = "r+" if self.is_resumed else "w+"
        self.changes = [np.memmap(folder / f"changes{i}", np.float64, mode, shape=(n,)) for i, n in enumerate(ticks)]
        self._numbers = [np.unique(np.linspace(0, n - 1, min(n, KEPT)).round().astype(int)) for n in ticks]
        self._kept = [
            np.memmap(folder / f"pictures{i}", np.uint8, mode, shape=(len(numbers), SIDE, SIDE, 3))
            for i, numbers in enumerate(self._numbers)
        ]
        note.write_text(identity, "utf-8")

    def keep(self, cell: int, tick: int, picture: UInt8[np.ndarray, "64 64 3"]) -> None:
        """Remember a small picture, if it is one of those that are kept."""
        place = int(np.searchsorted(self._numbers[cell], tick))
        if place < len(self._numbers[cell]) and self._numbers[cell][place] == tick:
            self._kept[cell][place] = picture

    def finish(self) -> tuple[list[Float64[np.ndarray, "n"]], list[UInt8[np.ndarray, "kept 64 64 3"]]]:
        """Everything that was remembered, in memory; the folder is removed."""
        result = [np.array(changes) for changes in self.changes], [np.array(kept) for kept in self._kept]
        self.changes, self._kept = [], []
        shutil.rmtree(self._folder, ignore_errors=True)
        return result


def _new_pictures(played: list[Played], fps: Fraction, first: int, pictures: int) -> Iterator[_Drawn]:
    """What has to be drawn, in the order of the film; all ticks are measured, also those that the film leaves out."""
    begins = [shown_tick(first, fps, one.variant.fps) for one in played]
    for number in range(first, pictures):
        for cell, one in enumerate(played):
            end = min(len(one.ticks), shown_tick(number, fps, one.variant.fps) + 1)
            for tick in range(begins[cell], end):
                yield _Drawn(number, cell, tick)
            begins[cell] = max(begins[cell], end)
