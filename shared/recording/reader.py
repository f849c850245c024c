"""Reads a recording, complete or interrupted."""

import hashlib
from collections import Counter, deque
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import soundfile
from jaxtyping import Float32
from numpy.typing import NDArray

from shared.audio.cleaning import clean
from shared.controls import ControlChange, aspect_ratio
from shared.errors import PresetError, SettingError, SoundError
from shared.mapping.decimation import checked_rate, ticks_within
from shared.pipeline import Pipeline, Tick
from shared.pipeline.exchanges import Exchange, UseMapping
from shared.preset.preset import Preset, sha256_of
from shared.preset.settings import GeneratorFile
from shared.recording import snapshots, state_file
from shared.recording.entries import VERSION, ChangeLine, End, Head, Line, PresetLine, decode_change, parse_fraction
from shared.recording.state_file import MOST_PRESETS
from shared.recording.writer import FILE_ROWS, FILE_STEMS, FORMS
from shared.regular_file import open_regular
from shared.stage import HOP, SAMPLE_RATE

LOG = "log.jsonl"
READ = 65536  # rows of a file at a time
MAX_LOG_BYTES = 128 << 20
LAST_SAMPLE = 2**53
MOST_AHEAD = 60 * SAMPLE_RATE  # samples between the request of a change and its effect


def is_recording(path: Path) -> bool:
    """Whether a path is a folder with a recording in it."""
    return (path / LOG).is_file()


class Recording:
    """A recorded show. Raises PresetError or SoundError if it cannot be played.

    preset: its generator replaces the one with which the recording began; with the same generator the pictures are the same.
    A recording that began with pictures made directly from the sound keeps those.

    samples         length at 44.1 kHz
    first_sample    the sample of the show at which it begins
    remarks         lines for the user about problems
    """

    def __init__(self, folder: Path, preset: Preset) -> None:
        self.folder = folder
        self.remarks: list[str] = []
        self._head, self._lines, end = _read_log(folder / LOG)
        self.gives = self._head.gives
        try:
            self.fps = checked_rate(parse_fraction(self._head.fps))
        except ValueError as error:
            raise PresetError(f"{folder / LOG}: {error}; restore it") from error
        self.first_sample = self._head.sample
        self._files = self._count(end is not None)
        self.samples = sum(rows for _, rows in self._files) * (HOP if self.gives == "frames" else 1)
        self._last_sample = self.first_sample + self.samples
        if end is None:
            seconds = self.samples / SAMPLE_RATE
            self.remarks.append(f"{folder} was interrupted while recording; all of its {seconds:.1f} s are used")
        else:
            self._last_sample = min(end.sample, self._last_sample)
        self._generators = self._generators_from(preset)
        load_preset = cache(self._preset)  # a preset that plays several times is read once
        load_learned = cache(self._learned)
        self.state = state_file.read(folder / "state.safetensors", load_preset, load_learned)
        self._changes: list[tuple[int, int, ControlChange | Exchange]] = []
        for line in self._lines:
            try:
                self._changes.append((line.at, line.sample, decode_change(line, load_preset, load_learned)))
            except (PresetError, SettingError) as error:
                if end is not None:
                    raise PresetError(f"{folder / LOG}: {error}") from error
                self.remarks.append(f"{error}: everything after that is ignored")
                self._last_sample = min(self._last_sample, line.at)
                break

    @property
    def presets(self) -> tuple[Preset, ...]:
        """All presets that play in the recording."""
        waiting = [entry.change for entries in self.state.scheduled.values() for entry in entries]
        changes = [*waiting, *(change for _, _, change in self._changes)]
        later = (change for change in changes if isinstance(change, Preset))
        return (*(playing.preset for playing in self.state.playing), *self.state.last_presets, *later)

    def numbers(self, fps: Fraction) -> range:
        """The numbers of the ticks at a tick rate, counted from the beginning of the show."""
        analysed = (self.first_sample + self.samples) // HOP * HOP
        first = ticks_within(self.state.frames * HOP, fps) if fps != self.fps else self.state.ticks
        return range(first, max(first, min(ticks_within(analysed, fps), ticks_within(self._last_sample, fps))))

    def ticks(self, fps: Fraction) -> Iterator[Tick]:
        """All ticks, as in the show or at another rate."""
        try:
            yield from self._ticks(Pipeline.restored(self.state, fps), fps)
        except SettingError as error:  # a control of a preset that does not play then
            raise PresetError(f"{self.folder / LOG}: {error}; restore it") from error

    def _ticks(self, pipeline: Pipeline, fps: Fraction) -> Iterator[Tick]:
        stop = self.numbers(fps).stop
        waiting = deque(self._changes)
        for block in self._blocks():
            before, each = pipeline.samples, 1 if self.gives == "samples" else HOP
            cuts = sorted({(at - before) // each for at, _, _ in waiting if at < before + len(block) * each})
            for part in np.split(block, cuts):
                while waiting and waiting[0][0] <= pipeline.samples:
                    _, sample, change = waiting.popleft()
                    if isinstance(change, ControlChange):
                        pipeline.schedule(change)
                    else:
                        pipeline.exchange(sample, change)
                ticks = pipeline.process(part) if self.gives == "samples" else pipeline.process_frames(part)
                yield from (tick for tick in ticks if tick.number < stop)

    def aspect_at(self, sample: int) -> Fraction:
        """Width over height of the pictures that were shown at a sample."""
        shape = self.state.values.get("shape", "square")
        waiting = [entry.change for entries in self.state.scheduled.values() for entry in entries]
        for change in (*waiting, *(change for _, _, change in self._changes)):
            if isinstance(change, ControlChange) and change.name == "shape" and change.sample <= sample:
                shape = change.value
        return aspect_ratio(shape)

    def sound(self, start: int, stop: int) -> Iterator[Float32[np.ndarray, "n 1"]]:
        """The samples of the show from `start` to `stop`; silence if the recording has none."""
        before = min(max(0, self.first_sample - start), stop - start)
        yield np.zeros((before, 1), np.float32)
        at = self.first_sample
        for block in self._blocks():
            if at + len(block) > start and at < stop:
                yield block[max(0, start - at) : max(0, stop - at), None]
            at += len(block)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that determines the pictures: the log, which contains hashes of presets, and the sound."""
        parts = (self.folder / LOG, self.folder / "state.safetensors", *(path for path, _ in self._files))
        return hashlib.sha256("".join(map(sha256_of, parts)).encode()).hexdigest()

    def _blocks(self) -> Iterator[NDArray[Any]]:
        """The input of the pipeline: float32 (n,) or float64 (m, 23)."""
        for path, rows in self._files:
            with soundfile.SoundFile(path) as file:
                for part in file.blocks(READ, frames=rows, dtype="float32" if self.gives == "samples" else "float64"):
                    if self.gives == "samples":
                        yield clean(part)[0]
                    elif not np.isfinite(part).all():
                        raise SoundError(f"{path} holds numbers that are not finite; restore it")
                    else:
                        yield part

    def _count(self, ended: bool) -> list[tuple[Path, int]]:
        """The files of sound or frames in order, with their lengths, up to the first that is incomplete."""
        kind = FILE_STEMS[self.gives]
        files: list[tuple[Path, int]] = []
        paths = sorted(self.folder.glob(f"{kind}-*.wav"))
        for number, path in enumerate(paths, 1):
            try:
                open_regular(path).close()
                info = soundfile.info(str(path))
            except (soundfile.SoundFileError, OSError) as error:
                if number == len(paths) and not ended:  # interrupted before its first sync
                    self.remarks.append(f"{path} holds nothing that can be read; it is ignored")
                    break
                raise SoundError(f"{path} cannot be read ({error}); restore it") from error
            expected = self.folder / f"{kind}-{number:03d}.wav"
            if path != expected:
                raise SoundError(f"{expected} is missing; restore it")
            channels, rate = FORMS[self.gives]
            if (info.channels, info.samplerate) != (channels, rate):
                raise SoundError(
                    f"{path} has {info.channels} channels at {info.samplerate} Hz; a recording has {channels} at {rate}"
                )
            files.append((path, info.frames))
            if info.frames < FILE_ROWS[self.gives] and number < len(paths):
                self.remarks.append(f"{path} is cut off; the files after it are ignored")
                break
        return files

    def _generators_from(self, preset: Preset) -> dict[str, GeneratorFile]:
        first = Preset.load(self.folder / "presets" / self._head.preset)
        given = None if first.is_direct else _generator_file(preset)
        if given is None:  # the recording holds its decoders, and a generator is no decoder
            if not first.is_direct or first.generator_sha256 != preset.generator_sha256:
                self.remarks.append(
                    f"{self.folder} was played with other pictures than those of {preset.name}: its own are drawn"
                )
            return {}
        began_with = first.settings.generator.sha256
        if given.sha256 != began_with:
            self.remarks.append(
                f"{self.folder} was played with another generator than that of {preset.name}: the pictures will differ"
            )
        return {began_with: given}

    def _preset(self, name: str) -> Preset:
        preset = snapshots.load_preset(self.folder, name, self._generators)
        _ = preset.mapping, preset.pairs  # read them now: an error in the middle of a render would be too late
        return preset

    def _learned(self, name: str) -> UseMapping:
        return snapshots.load_learned(self.folder, name)


def _generator_file(preset: Preset) -> GeneratorFile | None:
    """The generator of a preset, even if a decoder draws its pictures now; None if a decoder does and there is none."""
    pairing = preset.for_pairing
    try:
        return GeneratorFile(file=str(pairing.generator_path), sha256=pairing.generator_sha256)
    except PresetError:
        if preset.is_direct:
            return None
        raise


def _read_log(path: Path) -> tuple[Head, list[ChangeLine], End | None]:
    """Its lines; a last line that is incomplete is ignored."""
    lines: list[Line] = []
    decoder = msgspec.json.Decoder(Line)
    try:
        with open_regular(path) as file:
            if (size := path.stat().st_size) > MAX_LOG_BYTES:
                raise PresetError(f"{path} has {size:,} bytes; up to {MAX_LOG_BYTES:,} are read")
            for number, text in enumerate(file, 1):
                if not text.endswith(b"\n"):
                    break
                try:
                    lines.append(decoder.decode(text))
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    if number > 1 and file.tell() == size:  # interrupted while it was written
                        break
                    raise PresetError(f"{path}, line {number}, is damaged ({error}); restore it") from error
    except OSError as error:
        raise PresetError(f"{path} cannot be read: {error.strerror}") from error
    head = lines[0] if lines else None
    if not isinstance(head, Head):
        raise PresetError(f"{path} has no first line: nothing was recorded, or it is damaged")
    if head.version > VERSION:
        raise PresetError(
            f"{path} was written by a newer Ponticello; this one reads up to version {VERSION}: update it"
        )
    changes = [line for line in lines[1:] if not isinstance(line, Head | End)]
    _check_changes(path, changes)
    end = lines[-1]
    return head, changes, end if isinstance(end, End) else None


def _check_changes(path: Path, changes: list[ChangeLine]) -> None:
    """Whether a show can have recorded these changes. Raises PresetError if not."""
    presets: Counter[int] = Counter()
    for line in changes:
        if not (0 <= line.at <= LAST_SAMPLE and 0 <= line.sample <= line.at + MOST_AHEAD):
            raise PresetError(f"{path} holds a change at sample {line.at} for sample {line.sample}; restore it")
        if isinstance(line, PresetLine):
            presets[line.sample] += 1
            if presets[line.sample] > MOST_PRESETS:
                raise PresetError(f"{path} starts more than {MOST_PRESETS} presets on one sample; restore it")
