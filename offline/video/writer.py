"""Pictures in, a film with its sound out: every picture in it, at an exact rate, and nothing lost by an interruption.

Pictures are encoded in segments of a fixed count, each by an ffmpeg of its own, then joined without encoding again. So a
film that was resumed holds the same pictures, bit for bit, as one made in one go.
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
from offline.video.joining import Piece, counted, join, timescale
from offline.video.segments import Segments, writing
from offline.video.soundtrack import Soundtrack, encode_sound
from shared.errors import SettingError, UserError
from shared.ffmpeg import find_ffmpeg, version

WAITING_PICTURES = 4  # between the caller and ffmpeg: enough to overlap, and memory stays flat
SEGMENT_PICTURES = 240  # 8 s at 30 a second: what an interruption costs at most, and the film's key pictures

_MAX_FPS = 480
_NUMBERED = re.compile(r"\d{6,}\.png")
_MAX_NUMERATOR = 240_000  # of the rate: a tick of film time stays well above ffmpeg's microsecond


@dataclass
class _Making:
    """A segment that is being encoded."""

    index: int
    feed: Feed
    file: str
    pictures: int = 0

    def finish(self) -> int:
        """Wait for its last picture; how many it holds."""
        return counted(self.feed.finish(), self.pictures, self.file)


class VideoWriter:
    """Writes one film, or one folder of pictures. A context manager: leaving it by an error stops ffmpeg and keeps the
    finished segments for `resume`.

    Encoding runs beside the caller: `write` waits only when `WAITING_PICTURES` are waiting already, so an error of
    ffmpeg's may come to light some pictures later, and at the latest in `finish`.
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
    ) -> None:
        """
        image_size: width and height of the pictures given, in pixels. size: those of the film, the same by default; where
        their proportions differ, pictures are cut, or with `bars` lie on black.
        soundtrack: the sound from the first picture's time on; None for a silent film.
        identity: a hash of everything that decides the pictures; segments of another one are never joined.
        resume: go on from what an earlier run left; otherwise its leftovers are discarded.
        first_number: the number in the first picture's name, for a folder of pictures.
        SettingError for a size or rate that cannot be; UserError where the output cannot be written, or is in the way,
        or the leftovers are another render's; Failure without ffmpeg.
        """
        size = image_size if size is None else size
        check_output(output, codec, fps, size)
        if segment_pictures < 1:
            raise ValueError(f"segments of {segment_pictures} pictures")
        self.output = output
        # a link to a folder, or a name like ".": what is renamed in the end is the folder itself
        self._place = output.resolve() if codec.folder else output
        end = "" if codec.folder else output.suffix
        self._partial = self._place.with_name(f"{self._place.name.removesuffix(end)}.partial{end}")
        self.note: str | None = None
        """What the user should know about the film's sound, one line."""
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
        self._segments = Segments(
            self._place,
            pictures_apart=codec.folder,
            first_number=first_number,
            identity=identity,
            encoding=f"{codec.name}, {fps} pictures a second, {_written(image_size)} to {_written(size)} pixels"
            f"{', bars' if bars else ''}, segments of {segment_pictures}, numbers from {first_number}, {version(self._ffmpeg)}",
            resume=resume,
        )
        self.start = self._segments.pictures
        """The number of the first picture that is wanted, counted from the film's first: 0, or what is finished."""
        self._done = False
        self._begun = len(self._segments.finished)  # segments
        self._given = self.start  # pictures
        self._making: _Making | None = None
        self._ending: Future[None] | None = None  # a segment whose last pictures are encoded while the next one begins
        self._enders = ThreadPoolExecutor(1, "segment")
        self._error: Exception | None = None
        self._told_to_end = False
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
        """The next picture, copied. Failure with ffmpeg's own words if it has died."""
        expected = (*self._image_size[::-1], 3)
        if image.shape != expected or image.dtype != np.uint8:
            raise ValueError(f"picture of {image.shape} {image.dtype}, expected {expected} uint8")
        if self._error:
            raise self._error
        self._queue.put(image.tobytes())

    def finish(self) -> Path:
        """Encode what waits, join, add the sound; the output stands whole under its name. Gives the output.

        UserError without a single picture; Failure where ffmpeg or the disk fails: the segments then stay for `resume`.
        """
        self._end_thread()
        if self._making:
            self._end_segment()
        self._wait_for_ending()
        if not self._segments.pictures:
            raise UserError(f"{self.output}: there are no pictures to write")
        if self._codec.folder:
            self._segments.deliver(self._place)
        else:
            self._join([], self._place, whole=True)
        self._done = True
        _delete(self._partial)
        self._segments.close(remove=True)
        self.close()
        return self.output

    def interrupt(self) -> Path | None:
        """After a Ctrl-C: what there is so far as OUT.partial.EXT, playable and with its sound; None without a picture.

        The finished segments stay for `resume`. For a folder of pictures: the folder OUT.partial.
        """
        if self._done:
            self.close()
            return None
        self._end_thread()
        self._wait_for_ending()
        last = []
        if self._making:
            last = [Piece(self._making.file, self._making.finish())]
            self._making = None
        some = bool(last) or self._segments.pictures > 0
        if some and self._codec.folder:
            self._gather(self._partial)
        elif some:
            self._join(last, self._partial, whole=False)
        self.close()
        return self._partial if some else None

    def close(self) -> None:
        """Stop at once, keeping the finished segments. Does nothing after `finish` or `interrupt`."""
        if self._making:
            self._making.feed.kill()  # the thread's next write to it fails, so the thread comes to its end
        self._say_end()
        self._thread.join()
        if self._making:
            self._making.feed.kill()
            self._making = None
        self._enders.shutdown()
        self._segments.close()

    def _end_thread(self) -> None:
        self._say_end()
        self._thread.join()
        if self._error:
            raise self._error

    def _say_end(self) -> None:
        if not self._told_to_end:
            self._queue.put(None)
            self._told_to_end = True  # only now: a Ctrl-C may have cut the waiting short

    def _encode(self) -> None:
        """The writer thread."""
        try:
            while (picture := self._queue.get()) is not None:
                if self._making is None:
                    self._making = self._begin_segment()
                self._making.feed.write(picture)
                self._making.pictures += 1
                self._given += 1
                if self._making.pictures == self._segment_pictures:
                    self._end_segment()
        except Exception as error:  # raised in the caller's thread by its next call
            self._error = error
            while self._queue.get() is not None:
                pass

    def _begin_segment(self) -> _Making:
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
        return _Making(index, Feed(self._ffmpeg, arguments, folder=self._segments.folder, task=task), file)

    def _end_segment(self) -> None:
        """Let the segment finish beside the next one: x264 still holds some fifty pictures when the last one is in."""
        self._wait_for_ending()
        making = self._making
        assert making
        self._ending = self._enders.submit(lambda: self._segments.finish(making.index, making.finish()))
        self._making = None

    def _wait_for_ending(self) -> None:
        if self._ending:
            self._ending.result()
            self._ending = None

    def _join(self, last: Sequence[Piece], target: Path, *, whole: bool) -> None:
        """Finished segments, and the pieces `last` after them, become the film `target`."""
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
        """All pictures that there are, in the folder `target`; the finished ones stay where they are as well."""
        folder = self._segments.folder
        gathered = folder / "gathered"
        with writing(target):
            gathered.mkdir()
            for name in [*self._segments.names(), *self._segments.unfinished()]:
                picture = gathered / Path(name).name
                try:
                    picture.hardlink_to(folder / name)
                except OSError:  # a disk without links
                    shutil.copyfile(folder / name, picture)
            _delete(target)
            os.replace(gathered, target)


def check_output(output: Path, codec: Codec, fps: Fraction, size: Size | None) -> None:
    """Check what can be checked of a film before anything is loaded.

    size: its width and height, None where they follow from the generator. SettingError for a size or rate that is not allowed, UserError
    where the output is in the way, or its folder is missing or read-only.
    """
    if size is not None:
        codec.check_size(size)
    if not 0 < fps <= _MAX_FPS or fps.numerator > _MAX_NUMERATOR:
        raise SettingError(
            f"--fps {fps} given; allowed is more than 0 and at most {_MAX_FPS}, a number like 25 or a fraction like 30000/1001"
        )
    _check_free(output, codec)
    parent = output.resolve().parent
    if not parent.is_dir():
        raise UserError(f"no folder {output.parent}; make it first or choose another place")
    if not os.access(parent, os.W_OK):
        raise UserError(f"cannot write in {output.parent}; choose a folder that you can write to")


def _written(size: Size) -> str:
    """1920x1080"""
    return f"{size[0]}x{size[1]}"


def _check_free(output: Path, codec: Codec) -> None:
    """UserError where `output` exists and may not be replaced."""
    if not codec.folder:
        if os.path.isdir(output):
            raise UserError(f"{output} is a folder and {codec.name} makes a file: name a file")
    elif os.path.isdir(output):
        if os.listdir(output):
            raise UserError(f"{output} has files in it: name a new or an empty folder for the pictures")
    elif os.path.exists(output):
        raise UserError(f"{output} is a file and {codec.name} makes a folder of pictures: name a folder")


def _delete(path: Path) -> None:
    """Delete an earlier partial film, or folder of nothing but numbered pictures."""
    with suppress(OSError):
        if not path.is_dir():
            path.unlink(missing_ok=True)
        elif all(_NUMBERED.fullmatch(picture.name) for picture in path.iterdir()):
            shutil.rmtree(path)
