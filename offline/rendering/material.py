"""The input of a render: a sound file or a recorded show. Both provide ticks and a soundtrack."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from offline.silence import silence_remark
from offline.video.soundtrack import Soundtrack
from shared.audio.files import SoundReader
from shared.errors import SettingError, SoundError
from shared.mapping.decimation import tick_end, ticks_within
from shared.pipeline import Pipeline, Tick
from shared.preset.preset import Preset, sha256_of
from shared.recording.reader import Recording, is_recording
from shared.stage import SAMPLE_RATE


class Material(ABC):
    """presets: those whose generators are needed. remarks: lines for the user, complete once `ticks` has ended."""

    presets: tuple[Preset, ...]
    remarks: list[str]

    @abstractmethod
    def numbers(self, fps: Fraction) -> range:
        """The numbers of all ticks. Raises SoundError if it is shorter than one."""

    @abstractmethod
    def ticks(self, fps: Fraction) -> Iterator[Tick]:
        """All ticks, analysed on demand."""

    def aspect(self, fps: Fraction, tick: int) -> Fraction:
        """Width over height of a tick's picture as it was played; 1 for a sound file."""
        return Fraction(1)

    @abstractmethod
    def soundtrack(self, fps: Fraction, wanted: range, to_the_end: bool) -> Soundtrack | None:
        """The sound of these ticks; to_the_end: with the sound after the last one. None if there is no sound."""

    @abstractmethod
    def identity(self) -> object:
        """Plain data that, with the tick rate, determines the pictures."""

    def close(self) -> None:  # noqa: B027  # most keep nothing
        """Remove what it kept on disk for a stopped render to continue. Does nothing by default."""


class SoundMaterial(Material):
    """A sound file, played through a preset. channel: the one to analyse, from 1; None for the average of all."""

    def __init__(self, preset: Preset, path: Path, channel: int | None = None) -> None:
        self.presets, self._preset = (preset,), preset
        self._path, self._channel = path, channel
        self.remarks = [] if preset.is_trained else [preset.training_advice]
        with SoundReader(path, channel) as reader:
            self._rate, self._channels, self._subtype = reader.rate, reader.channels, reader.subtype
            self._frames = reader.frames
        if remark := silence_remark(path, channel):
            self.remarks.append(remark)

    def numbers(self, fps: Fraction) -> range:
        """As many ticks as fit into the file's length."""
        pictures = ticks_within(self._frames, fps, self._rate)
        if not pictures:
            raise SoundError(
                f"{self._path} is shorter than one picture: {self._frames} samples at {self._rate} Hz, one picture lasts "
                f"{float(self._rate / fps):g}; give a longer sound"
            )
        return range(pictures)

    def ticks(self, fps: Fraction) -> Iterator[Tick]:
        """floor(frames fps / rate) ticks."""
        pipeline = Pipeline(self._preset, fps)
        with SoundReader(self._path, self._channel) as reader:
            pictures = ticks_within(reader.frames, fps, reader.rate)
            try:
                for block in reader.blocks():
                    # a resampled sound may be a fraction of a sample longer than its source
                    yield from (tick for tick in pipeline.process(block) if tick.number < pictures)
                yield from pipeline.finish(ticks_within(reader.frames_read, fps, reader.rate))
            finally:
                self.remarks += reader.remarks()

    def soundtrack(self, fps: Fraction, wanted: range, to_the_end: bool) -> Soundtrack:
        """All channels of the file at its own rate."""
        stop = None if to_the_end else round(wanted.stop * self._rate / fps)

        def sound() -> Iterator[Float32[np.ndarray, "n channels"]]:
            with SoundReader(self._path) as reader:
                yield from reader.soundtrack(round(wanted.start * self._rate / fps), stop)

        return Soundtrack(self._rate, self._channels, self._subtype, sound)

    def identity(self) -> object:
        """Preset, sound and channel."""
        return (self._preset.digest, sha256_of(self._path), self._channel)


class RecordedMaterial(Material):
    """A recorded show. preset: provides the generator where the show played this preset."""

    def __init__(self, preset: Preset, folder: Path) -> None:
        self._recording = recording = Recording(folder, preset)
        self._preset = preset
        self.presets = recording.presets
        self.remarks = recording.remarks

    def numbers(self, fps: Fraction) -> range:
        """The show's own numbers: a recording may begin in the middle of a show."""
        numbers = self._recording.numbers(fps)
        if not numbers:
            raise SoundError(
                f"{self._recording.folder} is shorter than one picture: {self._recording.samples} samples at {SAMPLE_RATE} Hz"
            )
        return numbers

    def ticks(self, fps: Fraction) -> Iterator[Tick]:
        """The ticks of the show."""
        return self._recording.ticks(fps)

    def aspect(self, fps: Fraction, tick: int) -> Fraction:
        """The shape in which the show played the tick."""
        return self._recording.aspect_at(tick_end(tick, fps))

    def soundtrack(self, fps: Fraction, wanted: range, to_the_end: bool) -> Soundtrack | None:
        """The recorded channel; None if the show's input was descriptors from another program."""
        recording = self._recording
        if recording.gives == "frames":
            return None
        start = round(wanted.start * SAMPLE_RATE / fps)
        end = recording.first_sample + recording.samples
        stop = end if to_the_end else min(end, round(wanted.stop * SAMPLE_RATE / fps))
        return Soundtrack(SAMPLE_RATE, 1, "FLOAT", lambda: recording.sound(start, stop))

    def identity(self) -> object:
        """Recording and generator."""
        return (self._recording.digest, self._preset.generator_sha256)


def find_material(preset: Preset, path: Path, channel: int | None) -> Material:
    """The material in a sound file or a recording's folder. Raises SoundError, PresetError or SettingError."""
    if not is_recording(path):
        return SoundMaterial(preset, path, channel)
    if channel is not None:
        raise SettingError(
            f"--channel {channel} given; {path} is a recording, which has a single channel: omit --channel"
        )
    return RecordedMaterial(preset, path)
