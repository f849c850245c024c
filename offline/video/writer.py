"""Writes pictures and their sound to a film: every picture, at an exact rate, and resumable after an interruption.

Pictures are encoded in segments of a fixed length, each by an ffmpeg of its own, and joined without encoding them again. A
resumed film therefore holds the same pictures, bit for bit, as one made in a single run.
"""

import os
import queue
import re
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from jaxtyping import UInt8

from offline.video.codecs import Codec, Size
from offline.video.ffmpeg import Feed
from offline.video.joining import Piece, check_count, join, timescale
from offline.video.segments import Segments, gather, writing
from offline.video.shards import Film
from offline.video.soundtrack import Soundtrack, encode_sound, limited
from shared.errors import SettingError, UserError
from shared.ffmpeg import find_ffmpeg, version

WAITING_PICTURES = 4  # between the caller and ffmpeg: enough to overlap their work, little memory
SEGMENT_PICTURES = 240  # 8 s at 30 a second: the most that an interruption costs; each segment starts with a key frame
SHORTEST_SEGMENT = 15
SEGMENTS = 16  # a film has at least these, unless they would be too short: as many processes can share its render

_MAX_FPS = 480
_NUMBERED = re.compile(r"\d{6,}\.png")
_MAX_NUMERATOR = 240_000  # of the rate: the film's time unit stays well above ffmpeg's microsecond


@dataclass
class _Encoding:
    """A segment that is being encoded."""

    index: int
    feed: Feed
    file: str
    pictures: int = 0

    def finish(self) -> int:
        """Wait for its last picture; return the number of its pictures."""
        return check_count(self.feed.finish(), self.pictures, self.file)


class VideoWriter:
    """Writes one film, or one folder of pictures.

    A context manager: leaving it by an error stops ffmpeg and keeps the finished segments for `resume`. Pictures are
    encoded in a thread; `write` blocks only while `WAITING_PICTURES` are queued. An error of ffmpeg is therefore raised
    some pictures later, at the latest by `finish`.
    """

    def __init__(
        self,
        output: Path,
        *,
        codec: Codec,
        fps: Fraction,
        image_size: Size,
        soundtrack: Soundtrack | None,
        identity: str,
        size: Size | None = None,
        bars: bool = False,
        resume: bool = False,
        segment_pictures: int = SEGMENT_PICTURES,
        first_number: int = 0,
        film: Film | None = None,
    ) -> None:
        """
        image_size: width and height of the pictures to be written, in pixels. size: those of the film, the same by default;
        if the proportions differ, pictures are cropped or, with `bars`, centred on black.
        soundtrack: the sound from the first picture's time on; None for a silent film.
        identity: a hash of everything that decides the pictures; segments of different identities are never joined.
        resume: continue from the segments of an earlier run; otherwise they are deleted.
        first_number: the number in the first picture's name, for a folder of pictures.
        film: the whole film, if this is a shard of it, which `keep` ends instead of `finish`.
        Raises SettingError for a size or rate that is not allowed; UserError if the output cannot be written, exists, or
        the earlier segments belong to another render; Failure without ffmpeg.
        """
        size = image_size if size is None else size
        check_output(output, codec, fps, size)
        if segment_pictures < 1:
            raise ValueError(f"segments of {segment_pictures} pictures")
        self.output = output
        # resolved, because a link to a folder, or a name like ".", cannot be renamed
        self._place = output.resolve() if codec.folder else output
        end = "" if codec.folder else output.suffix
        self._partial = self._place.with_name(f"{self._place.name.removesuffix(end)}.partial{end}")
        self.note: str | None = None
        """A remark about the film's sound for the user, one line."""
        if codec.folder:
            self.note = "a folder of pictures has no sound: add it from its own file" if soundtrack else None
        elif soundtrack:
            self.note = encode_sound(output.suffix, soundtrack).note
        self._codec = codec
        self._fps = fps
        self._image_size = image_size
        self._size, self._bars = size, bars
        self._soundtrack = soundtrack
        self._segment_pictures = segment_pictures
        self._first_number = first_number
        self._ffmpeg = find_ffmpeg(codec.encoder)
        self._film = film
        numbers_from = first_number if film is None else film.first_number
        self._segments = Segments(
            parts_folder(self._place) if film is None else film.shard.folder(self._place),
            pictures_apart=codec.folder,
            first_number=first_number,
            identity=identity,
            encoding=f"{codec.name}, {fps} pictures a second, {_written(image_size)} to {_written(size)} pixels"
            f"{', bars' if bars else ''}, segments of {segment_pictures}, numbers from {numbers_from}, {version(self._ffmpeg)}",
            resume=resume,
            film=film,
        )
        self.start = self._segments.pictures
        """The number of finished pictures, which is the index of the first one to be written."""
        self._done = False
        self._begun = len(self._segments.finished)  # segments
        self._given = self.start  # pictures
        self._encoding: _Encoding | None = None
        self._ending: Future[None] | None = None  # a segment whose last pictures are encoded while the next one begins
        self._enders = ThreadPoolExecutor(1, "segment")
        self._error: Exception | None = None
        self._has_ended = False  # whether the thread has its end mark
        self._queue: queue.Queue[bytes | None] = queue.Queue(WAITING_PICTURES)
        self._thread = threading.Thread(target=self._encode, name="encode", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Write a copy of the next picture. Raises Failure with ffmpeg's error lines if it has died."""
        expected = (*self._image_size[::-1], 3)
        if image.shape != expected or image.dtype != np.uint8:
            raise ValueError(f"picture of {image.shape} {image.dtype}, expected {expected} uint8")
        if self._error:
            raise self._error
        self._queue.put(image.tobytes())

    def finish(self) -> Path:
        """Encode the queued pictures, join the segments and add the sound; return the output, now complete under its name.

        Raises UserError if there are no pictures; Failure if ffmpeg or the disk fails, keeping the segments for `resume`.
        """
        self._end_pictures()
        if self._codec.folder:
            self._segments.deliver(self._place)
        else:
            self._join([], self._place, whole=True)
        self._done = True
        _delete(self._partial)
        self._segments.close(remove=True)
        self.close()
        return self.output

    def keep(self) -> Path:
        """Encode the queued pictures of a shard and keep its segments for `ponticello join`; return their folder.

        The first shard stores the film's sound too. Raises UserError and Failure as `finish` does.
        """
        self._end_pictures()
        if self._soundtrack and self._film and self._film.stores_sound:
            self._segments.store_sound(limited(self._soundtrack.blocks(), None))
        self._done = True
        self.close()
        return self._segments.folder

    def interrupt(self) -> Path | None:
        """After a Ctrl-C: write the film so far to OUT.partial.EXT, playable and with its sound, and return its path.

        For a folder of pictures, the folder OUT.partial. None if there are no pictures yet, and for a shard. Keeps the
        finished segments for `resume`.
        """
        if self._done or self._film:
            self.close()
            return None
        self._end_thread()
        self._wait_for_ending()
        last = []
        if self._encoding:
            last = [Piece(self._encoding.file, self._encoding.finish())]
            self._encoding = None
        some = bool(last) or self._segments.pictures > 0
        if some and self._codec.folder:
            self._gather(self._partial)
        elif some:
            self._join(last, self._partial, whole=False)
        self.close()
        return self._partial if some else None

    def close(self) -> None:
        """Stop immediately, keeping the finished segments. Does nothing after `finish` or `interrupt`."""
        if self._encoding:
            self._encoding.feed.kill()  # the thread's next write fails, and the thread ends
        self._send_end()
        self._thread.join()
        if self._encoding:
            self._encoding.feed.kill()
            self._encoding = None
        self._enders.shutdown()
        self._segments.close()

    def _end_pictures(self) -> None:
        """Encode the queued pictures. Raises UserError if there are none at all."""
        self._end_thread()
        if self._encoding:
            self._end_segment()
        self._wait_for_ending()
        if not self._segments.pictures:
            raise UserError(f"{self.output}: there are no pictures to write")

    def _end_thread(self) -> None:
        self._send_end()
        self._thread.join()
        if self._error:
            raise self._error

    def _send_end(self) -> None:
        if not self._has_ended:
            self._queue.put(None)
            self._has_ended = True  # set last: a Ctrl-C may interrupt the wait for room in the queue

    def _encode(self) -> None:
        """The writer thread."""
        try:
            while (picture := self._queue.get()) is not None:
                if self._encoding is None:
                    self._encoding = self._begin_segment()
                self._encoding.feed.write(picture)
                self._encoding.pictures += 1
                self._given += 1
                if self._encoding.pictures == self._segment_pictures:
                    self._end_segment()
        except Exception as error:  # the caller's next call raises it
            self._error = error
            while self._queue.get() is not None:
                pass

    def _begin_segment(self) -> _Encoding:
        index, self._begun = self._begun, self._begun + 1
        file = self._segments.begin(index)
        edge = _written(self._image_size)
        arguments = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", edge, "-framerate", str(self._fps)]
        arguments += ["-i", "pipe:0", "-vf", self._codec.filters(self._image_size, self._size, bars=self._bars)]
        arguments += ["-c:v", self._codec.encoder, *self._codec.options]
        if self._codec.folder:
            arguments += ["-start_number", str(self._first_number + self._given), "-f", "image2", file]
        else:
            arguments += ["-video_track_timescale", str(timescale(self._fps)), "-f", "mov", file]
        task = f"encoding pictures from {self._given} on for {self.output}"
        return _Encoding(index, Feed(self._ffmpeg, arguments, folder=self._segments.folder, task=task), file)

    def _end_segment(self) -> None:
        """Let the segment finish beside the next one: x264 still has about fifty pictures to encode after its last input."""
        self._wait_for_ending()
        ending = self._encoding
        assert ending
        self._ending = self._enders.submit(lambda: self._segments.finish(ending.index, ending.finish()))
        self._encoding = None

    def _wait_for_ending(self) -> None:
        if self._ending:
            self._ending.result()
            self._ending = None

    def _join(self, last: Sequence[Piece], target: Path, *, whole: bool) -> None:
        """Join the finished segments, and the pieces `last` after them, to the film `target`."""
        pieces = [
            *map(Piece, self._segments.names(), (done.pictures for done in self._segments.finished)),
            *last,
        ]
        task = f"putting {self.output} together"
        folder = self._segments.folder
        joined = join(self._ffmpeg, folder, pieces, self._fps, target.suffix, self._soundtrack, whole=whole, task=task)
        with writing(target):
            os.replace(joined, target)

    def _gather(self, target: Path) -> None:
        """Collect all pictures so far in the folder `target`, without moving the finished ones."""
        folder = self._segments.folder
        gathered = folder / "gathered"
        gather((folder / name for name in (*self._segments.names(), *self._segments.unfinished())), gathered)
        with writing(target):
            _delete(target)
            os.replace(gathered, target)


def segment_length(pictures: int) -> int:
    """The number of pictures in a segment of a film with this number of pictures."""
    return min(max(pictures // SEGMENTS, SHORTEST_SEGMENT), SEGMENT_PICTURES)


def parts_folder(output: Path) -> Path:
    """The folder of an unfinished output's segments."""
    return output.with_name(f"{output.name}.parts")


def check_overwriting(output: Path, force: bool, resume: bool = False) -> None:
    """Raise UserError if a finished film would be replaced without `force`."""
    is_stopped = resume and parts_folder(output).is_dir()
    if output.is_file() and not force and not is_stopped:
        raise UserError(f"{output} exists; --force replaces it, or choose another name")


def check_output(output: Path, codec: Codec, fps: Fraction, size: Size | None) -> None:
    """Check everything about a film that can be checked before a generator is loaded.

    size: its width and height; None if they follow from the generator. Raises SettingError for a size or rate that is not
    allowed, UserError if the output cannot be replaced, or its folder is missing or read-only.
    """
    if size is not None:
        codec.check_size(size)
    if not 0 < fps <= _MAX_FPS or fps.numerator > _MAX_NUMERATOR:
        raise SettingError(
            f"--fps {fps} given; allowed are more than 0 and at most {_MAX_FPS}, a number like 25 or a fraction like 30000/1001"
        )
    check_free(output, codec)
    parent = output.resolve().parent
    if not parent.is_dir():
        raise UserError(f"no folder {output.parent}; make it first or choose another place")
    if not os.access(parent, os.W_OK):
        raise UserError(f"cannot write in {output.parent}; choose a folder that you can write to")


def _written(size: Size) -> str:
    """E.g. "1920x1080"."""
    return f"{size[0]}x{size[1]}"


def check_free(output: Path, codec: Codec) -> None:
    """Raise UserError if `output` exists and must not be replaced."""
    if not codec.folder:
        if os.path.isdir(output):
            raise UserError(f"{output} is a folder and {codec.name} makes a file; give the name of a file")
    elif os.path.isdir(output):
        if os.listdir(output):
            raise UserError(f"{output} has files in it; give a new or an empty folder for the pictures")
    elif os.path.exists(output):
        raise UserError(f"{output} is a file and {codec.name} makes a folder of pictures; give the name of a folder")


def _delete(path: Path) -> None:
    """Delete an earlier partial film, or a folder that holds nothing but numbered pictures."""
    with suppress(OSError):
        if not path.is_dir():
            path.unlink(missing_ok=True)
        elif all(_NUMBERED.fullmatch(picture.name) for picture in path.iterdir()):
            shutil.rmtree(path)
