"""Reading a recording, also one that was cut off."""

import hashlib
from collections import deque
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

from shared.controls import ControlChange
from shared.errors import PresetError, SoundError
from shared.mapping.decimation import ticks_within
from shared.pipeline import Pipeline, Tick
from shared.pipeline.exchanges import Exchange, UseMapping
from shared.preset.preset import GeneratorFile, Preset, sha256_of
from shared.recording import snapshots, state_file
from shared.recording.entries import VERSION, ChangeLine, End, Head, Line, understand
from shared.recording.writer import FILES, MOST
from shared.stage import HOP, SAMPLE_RATE

LOG = "log.jsonl"
READ = 65536  # rows of a file at a time


def is_recording(path: Path) -> bool:
    """Whether it is a folder with a recording in it."""
    return (path / LOG).is_file()


class Recording:
    """A recorded performance. Raises PresetError or SoundError where it cannot be played.

    preset: its generator takes the place of the one that the recording began with, wherever that one played; where it
    is the same, the pictures are the same. samples: how long it is, at 44.1 kHz. first_sample: the show's, at which it
    begins. remarks: what its user should know, a line each.
    """

    def __init__(self, folder: Path, preset: Preset) -> None:
        self.folder = folder
        self.remarks: list[str] = []
        self._head, self._lines, end = _read_log(folder / LOG)
        self.gives = self._head.gives
        self.fps = Fraction(self._head.fps)
        self.first_sample = self._head.sample
        self._files = self._count(end is not None)
        self.samples = sum(rows for _, rows in self._files) * (HOP if self.gives == "frames" else 1)
        self._last_sample = self.first_sample + self.samples
        if end is None:
            seconds = self.samples / SAMPLE_RATE
            self.remarks.append(f"{folder} was cut off while it was recorded; all of its {seconds:.1f} s are used")
        else:
            self._last_sample = min(end.sample, self._last_sample)
        self._generators = self._generators_from(preset)
        kept = cache(self._preset)  # a preset that is called often is read once
        learned = cache(self._learned)
        self.state = state_file.read(folder / "state.safetensors", kept, learned)
        self._changes: list[tuple[int, int, ControlChange | Exchange]] = []
        for line in self._lines:
            try:
                self._changes.append((line.at, line.sample, understand(line, kept, learned)))
            except PresetError as error:
                if end is not None:
                    raise
                self.remarks.append(f"{error}: what was recorded after that is left out")
                self._last_sample = min(self._last_sample, line.at)
                break

    @property
    def presets(self) -> tuple[Preset, ...]:
        """All that play in it."""
        called = [what for _, _, what in self._changes if isinstance(what, Preset)]
        waiting = [what for of in self.state.waiting.values() for _, _, what in of if isinstance(what, Preset)]
        return (*(layer.preset for layer in self.state.layers), *self.state.last_presets, *waiting, *called)

    def numbers(self, fps: Fraction) -> range:
        """The numbers of its ticks at a tick rate, in the show's counting."""
        heard = (self.first_sample + self.samples) // HOP * HOP
        first = ticks_within(self.state.frames * HOP, fps) if fps != self.fps else self.state.ticks
        return range(first, max(first, min(ticks_within(heard, fps), ticks_within(self._last_sample, fps))))

    def ticks(self, fps: Fraction) -> Iterator[Tick]:
        """All of them, as in the show, or at another rate."""
        pipeline = Pipeline.restored(self.state, fps)
        stop = self.numbers(fps).stop
        waiting = deque(self._changes)
        for block in self._blocks():
            before, each = pipeline.samples, 1 if self.gives == "samples" else HOP
            places = [(at - before) // each for at, _, _ in waiting if at < before + len(block) * each]
            for part in np.split(block, places):
                while waiting and waiting[0][0] <= pipeline.samples:
                    _, sample, what = waiting.popleft()
                    pipeline.schedule(what) if isinstance(what, ControlChange) else pipeline.exchange(sample, what)
                ticks = pipeline.process(part) if self.gives == "samples" else pipeline.process_frames(part)
                yield from (tick for tick in ticks if tick.number < stop)

    def sound(self, start: int, stop: int) -> Iterator[Float32[np.ndarray, "n 1"]]:
        """The samples of the show from `start` to `stop`; silence where the recording has none."""
        before = min(max(0, self.first_sample - start), stop - start)
        yield np.zeros((before, 1), np.float32)
        at = self.first_sample
        for block in self._blocks():
            if at + len(block) > start and at < stop:
                yield block[max(0, start - at) : max(0, stop - at), None]
            at += len(block)

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides the pictures: the log names everything but the sound, with hashes."""
        parts = (self.folder / LOG, self.folder / "state.safetensors", *(path for path, _ in self._files))
        return hashlib.sha256("".join(map(sha256_of, parts)).encode()).hexdigest()

    def _blocks(self) -> Iterator[NDArray[Any]]:
        """What the pipeline took in: float32 (n,) or float64 (m, 23)."""
        for path, rows in self._files:
            with soundfile.SoundFile(path) as file:
                yield from file.blocks(READ, frames=rows, dtype="float32" if self.gives == "samples" else "float64")

    def _count(self, ended: bool) -> list[tuple[Path, int]]:
        """The files of sound or frames in their order, with their lengths; up to the first that is not whole."""
        kind = FILES[self.gives]
        files: list[tuple[Path, int]] = []
        there = sorted(self.folder.glob(f"{kind}-*.wav"))
        for number, path in enumerate(there, 1):
            try:
                info = soundfile.info(str(path))
            except soundfile.SoundFileError as error:
                if number == len(there) and not ended:  # the power failed when it was begun
                    self.remarks.append(f"{path} holds nothing that can be read; it is left out")
                    break
                raise SoundError(f"{path} cannot be read ({error}); restore it") from error
            expected = self.folder / f"{kind}-{number:03d}.wav"
            if path != expected:
                raise SoundError(f"{expected} is missing; restore it")
            files.append((path, info.frames))
            if info.frames < MOST[self.gives] and number < len(there):
                self.remarks.append(f"{path} is cut off; what comes after it is left out")
                break
        return files

    def _generators_from(self, preset: Preset) -> dict[str, GeneratorFile]:
        began_with = Preset.load(self.folder / "presets" / self._head.preset).settings.generator.sha256
        given = GeneratorFile(file=str(preset.generator_path), sha256=preset.generator_sha256)
        if given.sha256 != began_with:
            self.remarks.append(
                f"{self.folder} was played with another generator than {preset.name}'s: the pictures are not the performance's"
            )
        return {began_with: given}

    def _preset(self, name: str) -> Preset:
        preset = snapshots.load_preset(self.folder, name, self._generators)
        _ = preset.mapping, preset.pairs  # read now: later it would be too late to do without them
        return preset

    def _learned(self, name: str) -> UseMapping:
        return snapshots.load_learned(self.folder, name)


def _read_log(path: Path) -> tuple[Head, list[ChangeLine], End | None]:
    """Its lines; a last one that was cut off is left out."""
    try:
        texts = path.read_bytes().split(b"\n")
    except OSError as error:
        raise PresetError(f"{path} cannot be read: {error.strerror}") from error
    lines: list[Line] = []
    decoder = msgspec.json.Decoder(Line)
    for number, text in enumerate(texts[:-1], 1):  # the last is empty, or was cut off
        try:
            lines.append(decoder.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if number > 1 and number == len(texts) - 1:  # the power failed while it was written
                break
            raise PresetError(f"{path}, line {number}, is damaged ({error}); restore it") from error
    head = lines[0] if lines else None
    if not isinstance(head, Head):
        raise PresetError(f"{path} has no beginning: nothing was recorded, or it is damaged")
    if head.version > VERSION:
        raise PresetError(
            f"{path} was written by a newer Ponticello; this one reads up to version {VERSION}: update it"
        )
    changes = [line for line in lines[1:] if not isinstance(line, Head | End)]
    end = lines[-1]
    return head, changes, end if isinstance(end, End) else None
