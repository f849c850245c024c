"""Sound files of any format, rate and number of channels, read in blocks in constant memory."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from shared.audio.cleaning import clean
from shared.audio.decoders import READ, open_sound
from shared.audio.resampling import Resampler
from shared.errors import SoundError

HEADER_BYTES = 4096  # no empty sound has a longer header
ESTIMATE = {"MP3": 2 * 1152}  # frames by which a header may be wrong; that of an MP3 without a tag is an estimate


class SoundReader:
    """A sound file. A frame here is one sample of every channel at the file's own rate.

    rate            Hz
    channels        number of channels
    subtype         libsndfile's name of the sample format (PCM_16, PCM_24, FLOAT, VORBIS, ...), or "ffmpeg"
    frames          their number in the header, or counted if the header has none or an estimate
    frames_read     the number that `blocks` has read: the true length of the sound once it has ended
    nonfinite       samples that `blocks` has set to 0 because they were NaN, infinite or absurdly loud
    soundtrack_nonfinite   the same for `soundtrack`, over all channels
    truncated       None, or a line about the missing end of the file; complete once `blocks` has ended

    As a context manager it ends all unfinished readings. Raises SoundError if the file cannot be read as a sound, is
    empty, or has no channel of that number (from 1).
    """

    def __init__(self, path: str | Path, channel: int | None = None) -> None:
        self.path = Path(path)
        self._channel = channel
        self._readings = ExitStack()
        self.frames_read = self.nonfinite = self.soundtrack_nonfinite = 0
        self._decoder = open_sound(self.path)
        self.rate, self.channels = self._decoder.rate, self._decoder.channels
        self.subtype, self.frames = self._decoder.subtype, self._decoder.frames
        self._tolerance = ESTIMATE.get(self._decoder.format, 0)
        self.truncated = self._decoder.damage or self._cut_off(self._decoder.promised, self.frames)
        self._check()

    def _check(self) -> None:
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
        """Lines for the user about problems of this file, complete once `blocks` has ended."""
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

        It is independent of `blocks`; both may run at the same time.
        """
        stop = self.frames if stop_frame is None else min(stop_frame, self.frames)
        for chunk in self._read(start_frame, stop):
            samples, bad = clean(chunk)
            self.soundtrack_nonfinite += bad
            yield samples

    def _read(self, start: int, stop: int) -> Iterator[NDArray[Any]]:
        """Frames start to stop, (n, channels) floating point; fewer if the file ends or is damaged."""
        if start < stop:
            yield from self._readings.enter_context(closing(self._decoder.read(start, stop)))


def _average(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the channels, (n, channels) to (n,), added in one fixed order whatever n is."""
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    total = np.zeros(len(samples))
    for channel in samples.T:
        total += channel
    mean: NDArray[np.float32] = (total / samples.shape[1]).astype(np.float32)
    return mean
