"""Decoders of sound files: libsndfile for formats that it reads, link by link for chained Ogg files, else ffmpeg."""

import os
import re
from collections.abc import Generator, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import soundfile
from numpy.typing import NDArray

from shared.audio import ffmpeg_decoder
from shared.audio.ogg import FileRange, chain_links
from shared.errors import Failure, SoundError
from shared.regular_file import open_regular

READ = 65536  # frames read at a time; independent of the block size, so that damage is always found at the same frame

WIDTHS = {
    1: ("PCM_S8", "PCM_U8", "ULAW", "ALAW"),
    2: ("PCM_16",),
    3: ("PCM_24",),
    4: ("PCM_32", "FLOAT"),
    8: ("DOUBLE",),
}
SAMPLE_BYTES = {subtype: width for width, subtypes in WIDTHS.items() for subtype in subtypes}
STREAMED_BYTES = 0x7FFFF000  # headers of sounds that were written to a pipe hold this or more, for "unknown"
UNKNOWN_FRAMES = 2**48  # libsndfile reports more than this for a FLAC that was written to a pipe
SHORTENED = ("GSM610",)  # codecs of long blocks, of which the WAV header says how many samples count


@runtime_checkable
class Decoder(Protocol):
    """A decoded sound. frames: its length. promised: the length in the header if the file is shorter.

    damage: what is wrong with the file, or None.
    """

    rate: int
    channels: int
    subtype: str
    format: str
    frames: int
    promised: int | None
    damage: str | None

    def read(self, start: int, stop: int) -> Generator[NDArray[Any], None, None]:
        """Frames from `start` up to `stop` in pieces (n, channels) of floating point; fewer if the sound ends."""


def open_sound(path: Path) -> Decoder:
    """The decoder for a file. Raises SoundError if it cannot be read as a sound."""
    _check_file(path)
    try:
        links = chain_links(path)
        return Chain(path, links) if len(links) > 1 else LibsndfileSound(path)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a headerless .raw
        reason = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
        try:
            return FfmpegSound(path)
        except SoundError as refusal:
            if isinstance(refusal.__cause__, Failure):
                raise
            allowed = "WAV, AIFF, FLAC, OGG, MP3, M4A, MP4 and everything else that libsndfile or ffmpeg reads"
            raise SoundError(
                f"{path} is not a sound file that can be read ({reason.rstrip('.')}); allowed are {allowed}; "
                "convert others to WAV"
            ) from None


class LibsndfileSound:
    """A sound that libsndfile reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _open(path) as file:
            self.rate: int = file.samplerate
            self.channels: int = file.channels
            self.subtype: str = file.subtype
            self.format: str = file.format
            self.frames: int = file.frames
            self.promised = _promised_frames(file)
            counted = _fact_frames(file)
        self.damage: str | None = None
        if self.frames >= UNKNOWN_FRAMES:
            status = path.stat()
            self.frames = _count(path, status.st_size, status.st_mtime_ns)
        elif counted is not None:
            self.frames = min(self.frames, counted)

    def read(self, start: int, stop: int) -> Generator[NDArray[np.float64], None, None]:
        """See `Decoder`."""
        with _open(self._path) as file:
            if start and not _seek(file, start):  # from the beginning, then: some codecs cannot be sought in
                skipped = 0
                with _open(self._path) as again:
                    for chunk in _read_on(again, stop):
                        yield chunk[max(0, start - skipped) :]
                        skipped += len(chunk)
                return
            yield from _read_on(file, stop - start)


class Chain:
    """A chained Ogg: several sounds of one rate and number of channels, one after the other."""

    def __init__(self, path: Path, links: list[tuple[int, int]]) -> None:
        self._path, self._links = path, links
        self._lengths: list[int] = []
        forms = set()
        for start, stop in links:
            with soundfile.SoundFile(FileRange(path, start, stop)) as file:
                forms.add((file.samplerate, file.channels))
                self._lengths.append(file.frames)
                self.subtype: str = file.subtype
                self.format: str = file.format
        if len(forms) > 1:
            kinds = ", ".join(f"{channels} channels at {rate} Hz" for rate, channels in sorted(forms))
            raise SoundError(f"{path} is a chain of sounds of different kinds ({kinds}); convert it to WAV")
        ((self.rate, self.channels),) = forms
        self.frames = sum(self._lengths)
        self.promised: int | None = None
        self.damage: str | None = None

    def read(self, start: int, stop: int) -> Generator[NDArray[np.float64], None, None]:
        """See `Decoder`."""
        place = 0
        for (first, last), length in zip(self._links, self._lengths, strict=True):
            begin, end = max(start - place, 0), min(stop - place, length)
            if begin < end:
                with soundfile.SoundFile(FileRange(self._path, first, last)) as file:
                    file.seek(begin)
                    yield from _read_on(file, end - begin)
            place += length


class FfmpegSound:
    """A sound that ffmpeg decodes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rate, self.channels, self.frames, remark = ffmpeg_decoder.sound_form(path)
        self.subtype = self.format = "ffmpeg"
        self.promised: int | None = None
        self.damage = f"{path} may be damaged (ffmpeg: {remark})" if remark else None

    def read(self, start: int, stop: int) -> Generator[NDArray[np.float32], None, None]:
        """See `Decoder`."""
        return ffmpeg_decoder.decoded(self._path, start, stop, READ)


def _check_file(path: Path) -> None:
    """Raise SoundError if there is no file with content."""
    try:
        with open_regular(path) as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise SoundError(f"no file {path}; name an existing sound file") from None
    except IsADirectoryError:
        raise SoundError(f"{path} is a folder; name one sound file in it") from None
    except OSError as error:
        raise SoundError(f"{path} cannot be opened: {error.strerror}; choose a file that you can read") from None
    except ValueError as error:  # a NUL in the name
        raise SoundError(f"{path} cannot be opened: {error}") from None
    if empty:
        raise SoundError(f"{path} is empty (0 bytes); record or export it again")


def _open(path: Path) -> soundfile.SoundFile:
    return soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)  # any letters in the name


def _seek(file: soundfile.SoundFile, frame: int) -> bool:
    """Whether the file now stands at this frame."""
    try:
        return bool(file.seekable() and file.seek(frame) == frame)
    except soundfile.SoundFileError:
        return False


def _read_on(file: soundfile.SoundFile, count: int) -> Iterator[NDArray[np.float64]]:
    """The next frames, `count` or fewer if the file ends or is damaged."""
    while count > 0:
        asked = min(READ, count)
        buffer = np.full((asked, file.channels), np.nan)
        try:
            chunk: NDArray[np.float64] = file.read(out=buffer)
        except (
            soundfile.SoundFileError
        ):  # the error does not tell the number of good frames: compare what was overwritten
            untouched = np.isnan(buffer).all(axis=1)
            chunk = buffer[: untouched.argmax()] if untouched.any() else buffer
            count = 0  # the last one
        yield chunk
        if len(chunk) < asked:
            return
        count -= asked


@lru_cache(maxsize=64)
def _count(path: Path, size: int, changed_ns: int) -> int:
    """The number of frames in a file whose header does not say it."""
    with _open(path) as file:
        return sum(len(chunk) for chunk in _read_on(file, UNKNOWN_FRAMES))


def _fact_frames(file: soundfile.SoundFile) -> int | None:
    """The number of samples in a WAV's `fact` chunk, for codecs that fill their last block with silence."""
    if file.subtype not in SHORTENED:
        return None
    found = re.search(r"^fact : \d+\s+frames\s*: (\d+)", file.extra_info, re.MULTILINE)
    return int(found[1]) if found and int(found[1]) > 0 else None


def _promised_frames(file: soundfile.SoundFile) -> int | None:
    """The length in the header according to libsndfile's log, if the file is shorter than that."""
    if file.format in ("AIFF", "RF64"):
        counted = re.search(r"^\s*Frames\s*: (\d+)", file.extra_info, re.MULTILINE)
        return int(counted[1]) if counted else None
    # WAV says "data", AU "Data Size"
    promised = re.search(
        r"^\s*data(?: size)?\s*: (\d+) \(should be \d+\)", file.extra_info, re.MULTILINE | re.IGNORECASE
    )
    if promised is None or file.subtype not in SAMPLE_BYTES or int(promised[1]) >= STREAMED_BYTES:
        return None
    frame_bytes: int = SAMPLE_BYTES[file.subtype] * file.channels
    return int(promised[1]) // frame_bytes
