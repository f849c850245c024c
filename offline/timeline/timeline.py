"""The timeline of a sound or a recording: what moves when, measured for each tick while its film is rendered."""

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from offline.laboratory.measures import speed
from offline.laboratory.table import Column, Table
from offline.rendering.render import Job, render, within
from offline.timeline.meter import PictureMeter
from offline.timeline.passages import Limits, Passage, local_correspondence, passages
from offline.timeline.sound_entropy import sound_entropies
from shared.atomic import make_folder
from shared.errors import Stopped

FILM = "timeline.mp4"


@dataclass(frozen=True, eq=False)
class Timeline:
    """What was measured of n ticks, and the passages that they make.

    times: beginnings of the ticks in seconds of the sound. speeds: of the latent vector, in deviations of the pairs' latent
    vectors per second. changes: of the picture, grey levels from the one before. correspondence: of both, around the tick.
    sound_entropy: 0 to 1, NaN without a sound; picture_entropy: bits. distances: from the nearest pair, in deviations.
    """

    fps: Fraction
    times: Float64[np.ndarray, "n"]
    speeds: Float64[np.ndarray, "n"]
    changes: Float64[np.ndarray, "n"]
    correspondence: Float64[np.ndarray, "n"]
    sound_entropy: Float64[np.ndarray, "n"]
    picture_entropy: Float64[np.ndarray, "n"]
    distances: Float64[np.ndarray, "n"]
    nearest: tuple[str, ...]
    """Names of the nearest pairs."""
    reach: float
    spread: float
    passages: tuple[Passage, ...]
    limits: Limits

    def table(self) -> Table:
        """A row for each tick."""
        moods = [passage.mood for passage in self.passages for _ in range(passage.ticks)]
        columns = (
            Column("tick"),
            Column("time", "s"),
            Column("latent speed", "1/s"),
            Column("picture change", "grey levels"),
            Column("correspondence"),
            Column("sound entropy"),
            Column("picture entropy", "bits"),
            Column("distance", "deviations"),
            Column("nearest pair"),
            Column("mood"),
        )
        series = (self.times, self.speeds, self.changes, self.correspondence)
        more = (self.sound_entropy, self.picture_entropy, self.distances)
        numbers = (array.tolist() for array in (*series, *more))
        return Table(columns, tuple(zip(range(len(moods)), *numbers, self.nearest, moods, strict=True)))


def measure(job: Job, folder: Path, limits: Limits) -> Timeline:
    """Render the film of a job into the folder and measure it. Stopped after a Ctrl-C: the same call continues."""
    make_folder(folder)
    material = job.material
    wanted = job.excerpt(material.numbers(job.fps))
    ticks = list(within(material.ticks(job.fps), wanted))
    identity = hashlib.sha256(
        json.dumps((material.identity(), str(job.fps), wanted.start, wanted.stop)).encode()
    ).hexdigest()
    meter = PictureMeter(folder / "timeline.measures", identity, wanted)
    try:
        render(job, folder / FILM, resume=meter.known > 0, log=meter)
    except Stopped as error:
        raise Stopped(f"{str(error).partition(';')[0]}; the same command continues there") from None
    preset = job.preset
    latents = np.stack([tick.picture.latent for tick in ticks])
    descriptors = np.stack([tick.descriptors for tick in ticks])
    moved = np.concatenate([[0.0], np.linalg.norm(np.diff(descriptors, axis=0), axis=1)])
    distances = np.array([tick.distance for tick in ticks])
    correspondence = local_correspondence(moved, meter.changes, job.fps)
    found = passages(meter.changes, correspondence, distances, meter.spread, preset.mapping.reach, job.fps, limits)
    timeline = Timeline(
        job.fps,
        np.array([float(tick.number / job.fps) for tick in ticks]),
        speed(latents, job.fps, preset.pairs.latent_deviation),
        meter.changes,
        correspondence,
        sound_entropies(material.soundtrack(job.fps, wanted, False), len(ticks), job.fps),
        meter.entropies,
        distances,
        tuple(tick.nearest for tick in ticks),
        preset.mapping.reach,
        meter.spread,
        tuple(found),
        limits,
    )
    meter.close()
    return timeline
