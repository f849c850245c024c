"""Sound files: read in blocks, whatever their format, rate and channels, in memory that does not grow."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile
from jaxtyping import Float32
from numpy.typing import NDArray

from shared.audio.cleaning import clean
from shared.audio.resampling import Resampler
from shared.errors import SoundError

READ = 65536  # frames asked of a file at a time, whatever blocks are wanted: so damage shows in the same place for all

WIDTHS = {
    1: ("PCM_S8", "PCM_U8", "ULAW", "ALAW"),
    2: ("PCM_16",),
    3: ("PCM_24",),
    4: ("PCM_32", "FLOAT"),
    8: ("DOUBLE",),
}
SAMPLE_BYTES = {subtype: width for width, subtypes in WIDTHS.items() for subtype in subtypes}
STREAMED_BYTES = 0x7FFFF000  # headers of sounds that were written to a pipe hold this or more, for "unknown"
HEADER_BYTES = 4096  # no header of an empty sound is longer
UNKNOWN_FRAMES = 2**48  # libsndfile says more than this where a FLAC was written to a pipe
ESTIMATE = {"MP3": 2 * 1152}  # frames by which a header may be wrong: an MP3's is a guess where no tag tells it


class SoundReader:
    """A sound file. A frame here is one sample of every channel at the file's own rate.

    rate            Hz
    channels        how many
    subtype         libsndfile's name of the sample format: PCM_16, PCM_24, FLOAT, VORBIS, ...
    frames          how many there are by the header (by the file's length, where that is less and the format shows it)
    frames_read     how many `blocks` has read: once it has ended, the true length of the sound
    nonfinite       how many samples `blocks` has met that are NaN, infinite or absurdly loud: they became 0
    soundtrack_nonfinite   the same for `soundtrack`, over all channels
    truncated       None, or what is missing of the file, in words; some formats show it only when `blocks` has ended

    As a context manager it closes every reading that was not brought to its end. Raises SoundError where the file cannot
    be read as a sound, is empty, or has no channel of that number (from 1).
    """

    def __init__(self, path: str | Path, channel: int | None = None) -> None:
        self.path = Path(path)
        self._channel = channel
        self._readings = ExitStack()
        self.frames_read = self.nonfinite = self.soundtrack_nonfinite = 0
        with _open(self.path) as file:
            self.rate: int = file.samplerate
            self.channels: int = file.channels
            self.subtype: str = file.subtype
            self.frames: int = file.frames
            self.truncated = self._cut_off(_promised_frames(file), self.frames)
            self._tolerance = ESTIMATE.get(file.format, 0)
        self._check()

    def _check(self) -> None:
        if self.frames >= UNKNOWN_FRAMES:
            raise SoundError(
                f"{self.path} does not say how long it is, as if it were written to a pipe; save it again, or as WAV"
            )
        if self.frames == 0:
            if (size := self.path.stat().st_size) > HEADER_BYTES:
                raise SoundError(
                    f"{self.path} says that it holds 0 samples and is {size} bytes long: its recorder did not finish it; "
                    "mend it in an audio editor (import it as raw data)"
                )
            what = self.truncated or f"{self.path} holds no sound: it is 0 samples long"
            raise SoundError(f"{what}; record or export it again")
        if self._channel is not None and not 1 <= self._channel <= self.channels:
            has = "1 channel" if self.channels == 1 else f"{self.channels} channels"
            allowed = "only 1" if self.channels == 1 else f"1 to {self.channels}, or none to average all"
            raise SoundError(f"{self.path} has {has}, --channel {self._channel} asked for; allowed is {allowed}")
        try:
            Resampler(self.rate)
        except SoundError as error:
            raise SoundError(f"{self.path}: {error}") from None

    def _cut_off(self, promised: int | None, there: int, tolerance: int = 0) -> str | None:
        if promised is None or promised <= there + tolerance:
            return None
        return f"{self.path} is truncated or damaged: its header promises {promised} samples, it holds {there}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._readings.close()

    def blocks(self, size: int = READ) -> Iterator[Float32[np.ndarray, "n"]]:
        """The whole sound from its beginning, ready for the analysis: float32 (n,) at 44.1 kHz.

        It is the chosen channel, or the average of all, cleaned before it is resampled. `size` is the largest number of
        the file's frames in a block; the samples do not depend on it.
        """
        self.frames_read = self.nonfinite = 0
        resampler = Resampler(self.rate)
        wanted = slice(None) if self._channel is None else slice(self._channel - 1, self._channel)
        for chunk in self._read(0, self.frames):
            for first in range(0, len(chunk), size):
                samples, bad = clean(chunk[first : first + size, wanted])
                self.frames_read += len(samples)
                self.nonfinite += bad
                yield resampler.process(_average(samples))
        if self.frames_read == 0:
            raise SoundError(
                f"{self.path} cannot be read: the sound in it is damaged from the start; record or export it again"
            )
        self.truncated = self.truncated or self._cut_off(self.frames, self.frames_read, self._tolerance)
        yield resampler.finish()

    def remarks(self) -> list[str]:
        """What the user should know about this file, a line each, complete once `blocks` has ended."""
        lines = [self.truncated] if self.truncated else []
        if self.nonfinite:
            many = "s" if self.nonfinite > 1 else ""
            lines.append(
                f"{self.path}: {self.nonfinite} invalid sample{many} (NaN or infinite) count{'' if many else 's'} as 0"
            )
        return lines

    def soundtrack(
        self, start_frame: int = 0, stop_frame: int | None = None
    ) -> Iterator[Float32[np.ndarray, "n channels"]]:
        """All channels at the file's own rate, cleaned, from `start_frame` up to and without `stop_frame` (or the end).

        Readings have nothing to do with each other: this one may run beside `blocks`.
        """
        stop = self.frames if stop_frame is None else min(stop_frame, self.frames)
        for chunk in self._read(start_frame, stop):
            samples, bad = clean(chunk)
            self.soundtrack_nonfinite += bad
            yield samples

    def _read(self, start: int, stop: int) -> Iterator[NDArray[np.float64]]:
        """Frames start to stop as float64 (n, channels), fewer where the file ends or is damaged."""
        if start >= stop:
            return
        with self._readings.enter_context(_open(self.path)) as file:
            try:
                file.seek(start)
            except soundfile.SoundFileError:  # the damage lies before
                return
            while start < stop:
                asked = min(READ, stop - start)
                buffer = np.full((asked, file.channels), np.nan)
                try:
                    chunk: NDArray[np.float64] = file.read(out=buffer)
                except soundfile.SoundFileError:  # nothing says how much of it is good: what has been written over
                    untouched = np.isnan(buffer).all(axis=1)
                    chunk = buffer[: untouched.argmax()] if untouched.any() else buffer
                    stop = start  # the last one
                yield chunk
                if len(chunk) < asked:
                    return
                start += asked


def _open(path: Path) -> soundfile.SoundFile:
    """The file, opened by libsndfile; SoundError says what is wrong with it otherwise."""
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise SoundError(f"no file {path}; name an existing sound file") from None
    except IsADirectoryError:
        raise SoundError(f"{path} is a folder; name one sound file in it") from None
    except OSError as error:
        raise SoundError(f"{path} cannot be opened: {error.strerror}; choose a file that you may read") from None
    if empty:
        raise SoundError(f"{path} is empty (0 bytes); record or export it again")
    try:
        return soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)  # whatever its letters are
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a headerless .raw
        reason = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
        allowed = "WAV, AIFF, FLAC, OGG, MP3 and what else libsndfile reads"
        raise SoundError(
            f"{path} is not a sound file that can be read ({reason.rstrip('.')}); allowed are {allowed}; convert others to WAV"
        ) from None


def _average(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the channels, (n, channels) to (n,), added in one fixed order whatever n is."""
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    total = np.zeros(len(samples))
    for channel in samples.T:
        total += channel
    mean: NDArray[np.float32] = (total / samples.shape[1]).astype(np.float32)
    return mean


def _promised_frames(file: soundfile.SoundFile) -> int | None:
    """How many frames the header speaks of, where libsndfile has found fewer and shortened `frames`: its log tells."""
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
