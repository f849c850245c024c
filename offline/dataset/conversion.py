"""Converts films and pictures to the zip of a data set: sources in order, each picture once."""

import base64
import io
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from offline.dataset.archive import GrowingArchive, Line
from offline.dataset.film import frames
from offline.dataset.film_facts import FilmFacts
from offline.dataset.layout import Label, label_array, listing_text, picture_name
from offline.dataset.left_out import LeftOut, Omission
from offline.dataset.likeness import Likeness, fingerprint
from offline.dataset.selection import Selection
from offline.dataset.sources import FilmFile, Still
from offline.dataset.square import Crop, resized
from offline.dataset.stills import Colour, decoded, eight_bit_rgb
from shared.errors import UserError

WORKERS = max(2, min(16, os.cpu_count() or 2))
ALIKE = "like an earlier picture"


@dataclass(frozen=True)
class Making:
    """Settings for the pictures of the data set."""

    size: int
    """Pixels a side."""
    selection: Selection = field(default_factory=Selection)
    crop: Crop = field(default_factory=Crop)
    background: Colour = (0, 0, 0)
    grey: bool = False
    mirror: bool = False
    distinct: float | None = None
    """Largest difference of near-duplicates in grey levels (see Likeness); None keeps them."""
    deinterlace: bool = False
    labels: bool = False


class Square(NamedTuple):
    """A picture of the data set, and its flipped copy if there is one."""

    pngs: list[bytes]
    fingerprint: UInt8[np.ndarray, "n"] | None
    enlarged: bool


class _Task(NamedTuple):
    """A picture of source `item`, to be made by a worker; or the end of that source."""

    item: int
    frame: int | None = None
    time_s: float | None = None
    make: Callable[[], list[Square]] | None = None
    """Raises LeftOut. None at the end of a source."""
    reason: str | None = None
    """At the end: what is missing from here on."""


class Counts(NamedTuple):
    """Numbers of a finished data set."""

    pictures: int
    """In the zip, flipped copies included."""
    frames: int
    """Frames and picture files that were read."""
    enlarged: int
    """Pictures whose square was smaller than asked for."""
    omissions: list[Omission]


def convert(
    archive: GrowingArchive,
    items: list[Still | FilmFile],
    facts: dict[int, FilmFacts],
    making: Making,
    advance: Callable[[int], None],
) -> None:
    """Add the pictures of all sources that the archive does not contain yet. facts: those of all readable films.

    advance is called with the number of frames and picture files so far.
    """
    likeness = Likeness(making.distinct) if making.distinct is not None else None
    finished = 0  # sources
    begun = 0  # pictures of the next source
    for line in archive.lines:
        if line.get("end"):
            finished, begun = line["item"] + 1, 0
        else:
            begun += 1
        if likeness is not None:
            for text in line.pop("fingerprints", []):
                likeness.keep(np.frombuffer(base64.b64decode(text), np.uint8))
    done = sum(not line.get("end") for line in archive.lines)
    advance(done)
    tasks = _tasks(items, facts, making, finished, begun)
    try:
        for task, result in _in_order(tasks):
            if task.make is None:
                archive.add({"item": task.item, "end": True, "reason": task.reason})
                continue
            _add(archive, task, result, likeness)
            done += 1
            advance(done)
    finally:
        tasks.close()


def counts(lines: Iterable[Line], items: list[Still | FilmFile]) -> Counts:
    """The content of an archive's journal."""
    omissions, pictures, frames_read, enlarged = [], 0, 0, 0
    for line in lines:
        name = items[line["item"]].name
        pictures += len(line["files"])
        if line.get("end"):
            if line["reason"]:
                omissions.append(Omission(name, line["reason"]))
            continue
        frames_read += 1
        enlarged += line["enlarged"]
        omissions += [
            Omission(name, reason, count, line["frame"], line["time_s"]) for reason, count in line["omitted"].items()
        ]
    return Counts(pictures, frames_read, enlarged, omissions)


def check_labels(items: Iterable[Still | FilmFile]) -> None:
    """Raises UserError if names of classes and numbers are mixed, or lists of several lengths."""
    given = [item.label for item in items if item.label is not None]
    if any(isinstance(label, str) for label in given):
        if not all(isinstance(label, str) for label in given):
            raise UserError("some sources have labels with names, others numbers; make a data set of each")
    else:
        label_array([label for label in given if not isinstance(label, str)], "the sources' labels")


def listing(lines: Iterable[Line], items: list[Still | FilmFile], *, use_labels: bool) -> bytes:
    """The content of dataset.json; classes with names are numbered in alphabetical order."""
    if not use_labels:
        return listing_text(None)
    given = [items[line["item"]].label for line in lines for _ in line["files"]]
    classes = sorted({label for label in given if isinstance(label, str)})
    numbers = {name: number for number, name in enumerate(classes)}
    labels: dict[str, Label] = {}
    for number, label in enumerate(given):
        assert label is not None  # such items are left out
        labels[picture_name(number)] = numbers[label] if isinstance(label, str) else label
    return listing_text(labels, classes)


def _add(archive: GrowingArchive, task: _Task, result: list[Square] | LeftOut, likeness: Likeness | None) -> None:
    pngs, prints, omitted = list[bytes](), list[str](), dict[str, int]()
    enlarged = 0
    if isinstance(result, LeftOut):
        omitted[str(result)] = 1
        result = []
    for square in result:
        if likeness is not None and square.fingerprint is not None:
            if likeness.alike(square.fingerprint) is not None:
                omitted[ALIKE] = omitted.get(ALIKE, 0) + 1
                continue
            likeness.keep(square.fingerprint)
            prints.append(base64.b64encode(square.fingerprint.tobytes()).decode())
        pngs += square.pngs
        enlarged += square.enlarged
    line: Line = {
        "item": task.item,
        "frame": task.frame,
        "time_s": task.time_s,
        "omitted": omitted,
        "enlarged": enlarged,
    }
    archive.add(line, pngs, {"fingerprints": prints} if prints else None)


def _tasks(
    items: list[Still | FilmFile], facts: dict[int, FilmFacts], making: Making, finished: int, begun: int
) -> Generator[_Task, None, None]:
    """All remaining tasks, in order. An unfinished film is decoded from its start, which gives the same frames."""
    for number in range(finished, len(items)):
        item = items[number]
        reason = None
        if making.labels and item.label is None:
            reason = "no label in its dataset.json"
        elif isinstance(item, Still):
            if not begun:
                yield _Task(number, make=partial(_still, item, making))
        elif number in facts:
            try:
                stream = frames(item.path, facts[number], making.selection, deinterlace=making.deinterlace)
                for index, (frame, time_s, pixels, damage) in enumerate(stream):
                    if index >= begun:
                        yield _Task(number, frame, time_s, partial(_frame, pixels, damage, making))
            except LeftOut as error:
                reason = str(error)
        yield _Task(number, reason=reason)
        begun = 0


def _still(item: Still, making: Making) -> list[Square]:
    try:
        content = item.read()
    except OSError as error:
        raise LeftOut(f"it cannot be read: {error.strerror or error}") from error
    return _squares(decoded(content, making.background), making)


def _frame(pixels: UInt8[np.ndarray, "h w c"], damage: str | None, making: Making) -> list[Square]:
    if damage is not None:
        raise LeftOut(f"damaged (ffmpeg: {damage.rstrip('.')})")
    return _squares(eight_bit_rgb(Image.fromarray(pixels), making.background), making)


def _squares(image: Image.Image, making: Making) -> list[Square]:
    squares = []
    try:
        boxes = making.crop.boxes(*image.size)
    except UserError as error:
        raise LeftOut(str(error)) from error
    for box in boxes:
        picture = resized(image, box, making.size)
        if making.grey:
            picture = picture.convert("L")
        copies = [picture, ImageOps.mirror(picture)] if making.mirror else [picture]
        mark = fingerprint(picture) if making.distinct is not None else None
        squares.append(Square([_png(copy) for copy in copies], mark, box[2] - box[0] < making.size))
    return squares


def _png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "png", compress_level=0)  # as StyleGAN tools write it: fast to read
    return content.getvalue()


def _in_order(tasks: Iterable[_Task]) -> Iterator[tuple[_Task, list[Square] | LeftOut]]:
    """The results of the tasks, in order. A few run at the same time, and only these are in memory."""
    waiting: deque[tuple[_Task, Future[list[Square]] | None]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for task in tasks:
                waiting.append((task, pool.submit(task.make) if task.make else None))
                if len(waiting) > WORKERS:
                    yield _result(*waiting.popleft())
            while waiting:
                yield _result(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _result(task: _Task, future: Future[list[Square]] | None) -> tuple[_Task, list[Square] | LeftOut]:
    try:
        return task, future.result() if future else []
    except LeftOut as error:
        return task, error
