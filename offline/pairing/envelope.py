"""Sounds prepared for playing and drawing: decoded once into a file, with the peaks of every 256 samples."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import platformdirs
from jaxtyping import Float32
from numpy.typing import NDArray

from shared.atomic import written_atomically
from shared.audio.files import SoundReader
from shared.errors import Failure
from shared.stage import SAMPLE_RATE

CACHE = Path(platformdirs.user_cache_dir("ponticello")) / "sounds"
PEAK = 256  # samples for a pair of peaks: 5.8 ms
KEPT_BYTES = 4 * 2**30  # of decoded sounds; those that were used longest ago are removed


@dataclass(frozen=True)
class Decoded:
    """A sound at 44.1 kHz, as analysed: `samples` float32 samples in `file`, read from disk on demand."""

    file: Path
    samples: int

    @cached_property
    def wave(self) -> Float32[np.ndarray, "n"]:
        """The samples, mapped into memory."""
        return np.memmap(self.file, np.float32, "r")

    @cached_property
    def peaks(self) -> Float32[np.ndarray, "k 2"]:
        """Minimum and maximum of every 256 samples."""
        return np.asarray(np.load(_peaks_of(self.file)))

    def envelope(self, start: float, end: float, columns: int) -> Float32[np.ndarray, "columns 2"]:
        """Minimum and maximum in each of `columns` equal parts of start..end seconds; 0 outside the sound."""
        out = np.zeros((columns, 2), np.float32)
        edges = np.linspace(start * SAMPLE_RATE, end * SAMPLE_RATE, columns + 1)
        step = PEAK if (edges[-1] - edges[0]) / max(1, columns) >= 2 * PEAK else 1
        count = len(self.peaks) if step == PEAK else self.samples
        firsts = np.floor(edges[:-1] / step).astype(np.int64)
        lasts = np.maximum(np.ceil(edges[1:] / step).astype(np.int64), firsts + 1)
        inside = (lasts > 0) & (firsts < count)
        if not inside.any():
            return out
        firsts, lasts = np.clip(firsts[inside], 0, count - 1), np.clip(lasts[inside], 1, count)
        base, stop = int(firsts[0]), int(lasts[-1])
        piece = self.peaks[base:stop] if step == PEAK else np.repeat(self.wave[base:stop, None], 2, axis=1)
        bounds = np.stack([firsts, lasts], axis=1).reshape(-1) - base
        padded = np.concatenate([piece, piece[-1:]])  # reduceat takes no end beyond the last
        out[inside, 0] = np.minimum.reduceat(padded[:, 0], bounds)[::2]
        out[inside, 1] = np.maximum.reduceat(padded[:, 1], bounds)[::2]
        return out


def decode(
    sound: Path, sha256: str, channel: int | None, advance: Callable[[int, int], None] = lambda done, total: None
) -> Decoded:
    """The sound, decoded on first use into a file named by its SHA-256, with constant memory.

    advance: called with the file's frames read so far and in all. Raises SoundError if it cannot be read.
    """
    file = CACHE / f"{sha256}-{channel or 0}.f32"
    if not (file.is_file() and _peaks_of(file).is_file()):
        try:
            CACHE.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failure(f"cannot make {CACHE}: {error.strerror}; free some space or mend its rights") from error
        _make_room(sound)
        with SoundReader(sound, channel) as reader, written_atomically(file) as temporary:
            peaks = _written(reader, temporary, advance)
        with written_atomically(_peaks_of(file)) as temporary:
            np.save(temporary, peaks)
    os.utime(file)
    return Decoded(file, file.stat().st_size // 4)


def _written(reader: SoundReader, file: Path, advance: Callable[[int, int], None]) -> NDArray[np.float32]:
    """Write the samples; return their peaks."""
    peaks, rest = [], np.empty(0, np.float32)
    with file.open("wb") as out:
        for block in reader.blocks():
            out.write(block.tobytes())
            joined = np.concatenate([rest, block])
            whole = len(joined) // PEAK * PEAK
            peaks.append(_peaks(joined[:whole].reshape(-1, PEAK)))
            rest = joined[whole:]
            advance(reader.frames_read, reader.frames)
    if len(rest):
        peaks.append(_peaks(rest[None]))
    return np.concatenate(peaks)


def _peaks(rows: Float32[np.ndarray, "k n"]) -> NDArray[np.float32]:
    return np.stack([rows.min(axis=1), rows.max(axis=1)], axis=1)


def _peaks_of(file: Path) -> Path:
    return file.with_suffix(".peaks.npy")


def _make_room(sound: Path) -> None:
    """Remove the least recently used sounds until the others and a new one are within the limit."""
    files = sorted(CACHE.glob("[!.]*.f32"), key=lambda file: file.stat().st_mtime, reverse=True)
    room = KEPT_BYTES
    for file in files:
        room -= file.stat().st_size
        if room < 0:
            file.unlink(missing_ok=True)
            _peaks_of(file).unlink(missing_ok=True)
