"""WAV files that grow: after each `sync`, everything written so far can be read, whatever happens next."""

import os
import struct
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

IEEE_FLOAT = 3  # wFormatTag of Microsoft's "Multiple channel audio data and WAVE files"
HEADER = struct.Struct("<4sI4s4sIHHIIHHH4sII4sI")


class GrowingWav:
    """Floating-point samples (n, channels), or (n,) for one channel, of the type `dtype` (f4 or f8)."""

    def __init__(self, path: Path, rate: int, channels: int, bytes_each: int) -> None:
        self._rate, self._channels, self._width = rate, channels, bytes_each
        self.frames = 0
        self._file = path.open("xb")
        self.sync()

    def write(self, samples: NDArray[Any]) -> None:
        """Append samples, converted to the file's type."""
        self._file.write(samples.astype(f"<f{self._width}").tobytes())
        self.frames += len(samples)

    def sync(self) -> None:
        """Flush everything to the disk, including the header."""
        self._file.seek(0)
        self._file.write(self._header())
        self._file.seek(0, os.SEEK_END)
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Sync and close."""
        try:
            self.sync()
        finally:
            self._file.close()

    def _header(self) -> bytes:
        frame_bytes = self._channels * self._width
        size = self.frames * frame_bytes
        head = (b"RIFF", HEADER.size - 8 + size, b"WAVE")
        form = (b"fmt ", 18, IEEE_FLOAT, self._channels, self._rate, self._rate * frame_bytes, frame_bytes)
        return HEADER.pack(*head, *form, 8 * self._width, 0, b"fact", 4, self.frames, b"data", size)
