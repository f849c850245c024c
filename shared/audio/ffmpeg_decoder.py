"""Sounds that libsndfile does not read, decoded by ffmpeg: m4a, aac, mp4, mov, webm, wma, ..."""

import os
import struct
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import Float32

from shared.errors import Failure, SoundError, printable
from shared.ffmpeg import SETTINGS, find_ffmpeg

DEMUXERS = (  # no playlists or lists of files, which would make ffmpeg read other places
    "aac,ac3,aiff,amr,amrnb,amrwb,asf,asf_o,au,avi,caf,dts,eac3,flac,flv,m4v,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,"
    "mpeg,mpegts,ogg,tta,w64,wav,wv,ape"
)
LARGEST_HEADER = 4096  # bytes of a WAV header from ffmpeg
MAX_CHANNELS = 64


class Form(NamedTuple):
    """Rate in Hz, number of channels, and number of frames of a decoded sound."""

    rate: int
    channels: int
    frames: int
    remark: str
    """ffmpeg's error; empty for an intact file."""


def sound_form(path: Path) -> Form:
    """Decode a sound once and count its frames: containers only estimate them. Raises SoundError.

    Encoder delay and padding are not counted if the container states them; frames are those that ffmpeg delivers.
    """
    status = path.stat()
    return _sound_form(path, status.st_size, status.st_mtime_ns)


def decoded(path: Path, start: int, stop: int, chunk: int) -> Generator[Float32[np.ndarray, "n channels"], None, None]:
    """The frames from `start` up to `stop`, in pieces of `chunk` frames; fewer if the sound ends.

    The sound is decoded from its beginning, so frames do not depend on `start`.
    """
    with _running(path) as (output, _):
        _, channels = _read_header(path, output)
        place = 0
        while place < stop:
            content = output.read(4 * channels * min(chunk, stop - place if place >= start else start - place))
            frames = np.frombuffer(content[: len(content) // (4 * channels) * 4 * channels], "<f4").reshape(
                -1, channels
            )
            if not len(frames):
                return
            if place >= start:
                yield frames
            place += len(frames)


@lru_cache(maxsize=64)
def _sound_form(path: Path, size: int, changed_ns: int) -> Form:
    with _running(path) as (output, errors):
        rate, channels = _read_header(path, output)
        count = 0
        while content := output.read(1 << 20):
            count += len(content)
        errors.seek(0)
        remark = _last_line(errors.read())
    return Form(rate, channels, count // (4 * channels), remark)


@contextmanager
def _running(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The output of ffmpeg, a WAV of 32-bit floating-point numbers, and its errors. ffmpeg ends with the block."""
    try:
        ffmpeg = _ffmpeg(os.environ.get(SETTINGS[0], ""))
    except Failure as error:
        raise SoundError(f"{path} needs ffmpeg to be read, but {error}") from error
    command: list[str | Path] = [ffmpeg, "-nostdin", "-hide_banner", "-v", "error", "-format_whitelist", DEMUXERS]
    command += ["-protocol_whitelist", "file", "-i", f"file:{os.path.abspath(path)}"]
    command += ["-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_f32le", "-bitexact", "-f", "wav", "pipe:1"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        try:
            header = process.stdout
            yield header, errors
        except _NoSound:
            process.wait()
            errors.seek(0)
            report = errors.read()
            reason = _last_line(report)
            if not reason or b"matches no streams" in report:  # other lines follow it
                reason = "there is no sound in it"
            raise SoundError(
                f"{path} is not a sound file that can be read (ffmpeg: {reason}); convert it to WAV"
            ) from None
        finally:
            process.kill()


class _NoSound(Exception):
    """ffmpeg delivers nothing."""


def _read_header(path: Path, output: IO[bytes]) -> tuple[int, int]:
    """Rate and channels from the WAV header; the output stands at the first frame then."""
    if output.read(12)[8:] != b"WAVE":
        raise _NoSound
    rate = channels = 0
    for _ in range(LARGEST_HEADER // 8):
        chunk = output.read(8)
        if len(chunk) < 8:
            raise _NoSound
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            break
        content = output.read(min(size, LARGEST_HEADER))
        if name == b"fmt ":
            channels, rate = struct.unpack_from("<HI", content, 2)
    if not (1 <= channels <= MAX_CHANNELS and rate):
        raise SoundError(f"{path} has {channels} channels at {rate} Hz; convert it to WAV")
    return rate, channels


@lru_cache(maxsize=4)
def _ffmpeg(setting: str) -> Path:
    """The ffmpeg to use, looked for once as long as the setting stays the same."""
    return find_ffmpeg()


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return printable(lines[-1].strip())[:200] if lines else ""
