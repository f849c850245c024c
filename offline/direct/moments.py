"""Pictures from files: which moment of sound belongs to each picture in a folder."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray
from PIL import Image

from offline.dataset.left_out import LeftOut
from offline.dataset.stills import decoded
from shared.errors import SettingError, UserError
from shared.preset import Preset
from shared.preset.candidates import shortened
from shared.preset.pairs import Pairs
from shared.regular_file import read_bytes
from shared.stage import HOP, SAMPLE_RATE
from shared.times import format_time, parse_time

MOMENTS = "moments.csv"
COLUMNS = ("picture", "time", "sound")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
MOST_LINES = 10_000
MOST_BYTES = 1 << 20  # of the table
MOST_PICTURE_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class Moment:
    """A picture's file and its moment of sound: standardised descriptors (d,)."""

    file: Path
    descriptors: Float64[np.ndarray, "d"]

    @property
    def name(self) -> str:
        """The name of the file without its suffix."""
        return self.file.stem


def find_moments(folder: Path, preset: Preset, pairs: Pairs | None) -> list[Moment]:
    """The pictures of a folder with their moments: those of moments.csv, and those that are named as a pair (seed17.png).

    moments.csv has the columns picture (a file in the folder), time (in the sound) and, for a preset of several sounds,
    sound (its name). Raises UserError if a line, or the folder, cannot be used.
    """
    if not folder.is_dir():
        raise UserError(f"--pictures {folder}: no such folder; name a folder of pictures")
    table = folder / MOMENTS
    found = _listed(table, preset) if table.is_file() else []
    listed = {moment.file.name for moment in found}
    others = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES and file.name not in listed]
    rows = {} if pairs is None else dict(zip(pairs.names, pairs.descriptors, strict=True))
    found += [Moment(file, rows[file.stem]) for file in others if file.stem in rows]
    if unknown := [file.name for file in others if file.stem not in rows]:
        raise UserError(
            f"{folder}: no moment of sound for {shortened(unknown)}; list them in {MOMENTS} with the columns "
            f"picture,time{',sound' if preset.has_corpus and len(preset.corpus.facts.sounds) > 1 else ''}, or name a "
            "picture as a pair"
        )
    if not found:
        raise UserError(f"{folder} holds no pictures; allowed are {', '.join(SUFFIXES)}")
    return found


def read_picture(file: Path, rows: int, columns: int) -> NDArray[np.uint8]:
    """A picture (rows, columns, 3): the largest part of this shape about its centre, reduced or enlarged.

    Transparent parts lie on black. Raises UserError if the file cannot be read.
    """
    try:
        whole = decoded(read_bytes(file, MOST_PICTURE_BYTES), background=(0, 0, 0))
    except (LeftOut, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{file} cannot be read as a picture: {reason}; save it again as PNG or JPEG") from error
    width, height = whole.size
    factor = min(width / columns, height / rows)
    part = columns * factor, rows * factor
    left, top = (width - part[0]) / 2, (height - part[1]) / 2
    box = (left, top, left + part[0], top + part[1])
    return np.asarray(whole.resize((columns, rows), Image.Resampling.LANCZOS, box=box))


def _listed(table: Path, preset: Preset) -> list[Moment]:
    try:
        text = read_bytes(table, MOST_BYTES).decode("utf-8-sig")
        lines = list(csv.DictReader(text.splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"{table} cannot be read: {reason}; write it as UTF-8 text, columns separated by commas"
        ) from error
    if len(lines) > MOST_LINES:
        raise UserError(f"{table} lists {len(lines):,} pictures; up to {MOST_LINES:,} are read: leave some out")
    found = []
    for number, line in enumerate(lines, 2):
        try:
            found.append(_moment(table.parent, line, preset))
        except SettingError as error:
            raise UserError(f"{table}, line {number}: {error}") from error
    return found


def _moment(folder: Path, line: dict[str, str | None], preset: Preset) -> Moment:
    picture, time, sound = ((line.get(column) or "").strip() for column in COLUMNS)
    if not picture or not time:
        given = ", ".join(str(column) for column in line) or "nothing"
        raise SettingError(f"a picture and a time are needed; the columns are {given}, must be picture,time[,sound]")
    file = folder / picture
    if Path(picture).name != picture or not file.is_file():
        raise SettingError(f"no file {picture[:100]!r} in {folder}")
    if not preset.has_corpus:
        _ = preset.corpus  # says how to analyse sounds
    corpus = preset.corpus
    number_of_sound = corpus.sound_named(sound or None)
    frames = corpus.frames_of(number_of_sound)
    frame = round(float(parse_time(time)) * SAMPLE_RATE / HOP)
    if not 0 <= frame < len(frames):
        name, last = corpus.facts.sounds[number_of_sound].name, format_time((len(frames) - 1) * HOP / SAMPLE_RATE)
        raise SettingError(f"time {time} given; {name} has 0 to {last}")
    return Moment(file, corpus.standardised[frames[frame]])
