"""Writes a recording that can be read up to its last `sync`, whatever happens afterwards."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.controls import ControlChange
from shared.errors import UserError
from shared.pipeline.exchanges import Exchange
from shared.pipeline.state import PipelineState
from shared.recording import state_file
from shared.recording.entries import VERSION, End, Fact, Head, InputKind, Line, encode_change
from shared.recording.snapshots import Snapshots
from shared.recording.wav import GrowingWav
from shared.stage import HOP, SAMPLE_RATE

FRAME_RATE = 86  # Hz in the header of files of frames: a whole number is all it can hold (44100 / 512 is 86.13)
FILE_ROWS: Mapping[InputKind, int] = {"samples": 600 * SAMPLE_RATE, "frames": 600 * FRAME_RATE}
"""Rows of a file: ten minutes."""
FILE_STEMS: Mapping[InputKind, str] = {"samples": "sound", "frames": "frames"}
"""Names of the files, before their number."""


FORMS: Mapping[InputKind, tuple[int, int]] = {"samples": (1, SAMPLE_RATE), "frames": (23, FRAME_RATE)}
"""Channels and sample rate (Hz) of the files."""


class RecordingWriter:
    """A recording in a new folder. Call `begin` first, then the others in the order of events. Raises OSError if the disk fails."""

    def __init__(self, folder: Path) -> None:
        """Make the folder. Raises UserError if it is not empty or cannot be made."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise UserError(f"{folder} is not empty; a recording needs a new folder")
        except OSError as error:
            raise UserError(
                f"cannot record in {folder}: {error.strerror}; choose a folder that you can write to"
            ) from error
        self.folder = folder
        self.samples = 0
        """Samples recorded so far, at 44.1 kHz."""
        self._snapshots = Snapshots(folder)
        self._log = (folder / "log.jsonl").open("ab")
        self._first_sample = 0
        self._file: GrowingWav | None = None
        self._files = 0

    def begin(self, state: PipelineState, gives: InputKind, settings: Mapping[str, Fact]) -> None:
        """Store the state of the pipeline before the first block, and the options of the show."""
        self._first_sample = state.samples
        state_file.write(self.folder / "state.safetensors", state, self._snapshots)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        top = state.playing[-1]
        preset = self._snapshots.preset(top.preset, top.mapping, top.pairs)
        self._append_line(Head(VERSION, now, str(state.fps), gives, state.samples, preset, dict(settings)))
        self.sync()

    def sound(self, samples: Float32[np.ndarray, "n"]) -> None:
        """Append a block of samples that the pipeline has processed."""
        self._append(samples, "samples", SAMPLE_RATE, 1, 4)
        self.samples += len(samples)

    def frames(self, frames: Float64[np.ndarray, "m 23"]) -> None:
        """Append frames that the pipeline has processed."""
        self._append(frames, "frames", FRAME_RATE, frames.shape[1], 8)
        self.samples += len(frames) * HOP

    def change(self, sample: int, change: ControlChange | Exchange) -> None:
        """Append a change that acts from this sample of the show."""
        self._append_line(encode_change(self._first_sample + self.samples, sample, change, self._snapshots))

    def sync(self) -> None:
        """Flush everything to the disk: changes first, because they precede the sound on which they act."""
        self._log.flush()
        os.fsync(self._log.fileno())
        if self._file is not None:
            self._file.sync()

    def end(self, sample: int) -> None:
        """End at this sample of the show. Sound after it consists of zeros that complete the last frame."""
        self._append_line(End(sample))
        self.close()

    def close(self) -> None:
        """Close the files; a second call does nothing."""
        self._log.close()
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _append_line(self, line: Line) -> None:
        self._log.write(msgspec.json.encode(line) + b"\n")

    def _append(self, rows: NDArray[Any], gives: InputKind, rate: int, channels: int, width: int) -> None:
        while len(rows):
            if self._file is None:
                self._files += 1
                path = self.folder / f"{FILE_STEMS[gives]}-{self._files:03d}.wav"
                self._file = GrowingWav(path, rate, channels, width)
            part, rows = np.split(rows, [FILE_ROWS[gives] - self._file.frames])
            self._file.write(part)
            if self._file.frames == FILE_ROWS[gives]:
                self._file.close()
                self._file = None
