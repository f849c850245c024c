"""A sound file played like a tape: an endless stream in which play, pause, seek and loop act on hops."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from jaxtyping import Float32
from numpy.typing import NDArray

from shared.audio.files import SoundReader
from shared.errors import SoundError
from shared.stage import HOP, SAMPLE_RATE


class TapePosition(NamedTuple):
    """A position of the tape: a frame of the file, and whether the tape runs."""

    frame: int
    runs: bool


class Tape:
    """The frames of the file, hop by hop (512 samples at 44.1 kHz, at the file's own rate), and silence when it stands still.

    A command acts from the next hop on and fades within it: out for a pause, in for a start, across for a jump. So nothing
    clicks, for the ear or for the analysis: the loudness gate holds the last frame that sounded, and with a fade that ends
    on a hop this is the sound itself, only softer. A pause continues from where its fade began. `seek` and `play` restart
    a tape that has ended.
    """

    def __init__(self, path: Path, loop: bool = False) -> None:
        with SoundReader(path) as reader:
            self.rate, self.channels, self.length = reader.rate, reader.channels, reader.frames
            self.damage: str | None = f"{path}: {reader.truncated}" if reader.truncated else None
            """What is wrong with the file, as far as known."""
        self.loop = loop
        self.plays = True
        """Whether it should play, as set by `play` and `pause`."""
        self.ended_at: int | None = None
        """The frame of the stream after the last one of the file; None before the end."""
        self.path = path
        self._file = ExitStack()
        self._reader: SoundReader | None = None
        self._nonfinite = 0  # of files opened before
        self._reading: Iterator[NDArray[np.float32]] = iter(())
        self._rest: NDArray[np.float32] | None = None  # of the newest piece read; None at the end
        self._hops = 0
        self._jump: int | None = None
        self.place = 0
        """The frame of the file that is read next."""
        self.runs = False
        """Whether it ran at the end of the newest hop."""
        self._turns: deque[tuple[int, TapePosition]] = deque([(0, TapePosition(0, False))], maxlen=1000)

    @property
    def frames(self) -> int:
        """Frames of the stream so far."""
        return self._hops * HOP * self.rate // SAMPLE_RATE

    @property
    def nonfinite(self) -> int:
        """Samples so far, over all channels, that were NaN, infinite or absurdly loud and were set to 0."""
        return self._nonfinite + (self._reader.soundtrack_nonfinite if self._reader is not None else 0)

    def play(self) -> None:
        """Continue; from the beginning if it has ended."""
        if self.ended_at is not None:
            self._jump = 0
        self.plays = True

    def pause(self) -> None:
        """Pause."""
        self.plays = False

    def seek(self, frame: int) -> None:
        """Jump to this frame of the file, or to the nearest end."""
        self._jump = min(max(frame, 0), self.length)

    def place_at(self, frame: int) -> TapePosition:
        """The position in the file of a recent frame of the stream."""
        turn, place = next((t for t in reversed(self._turns) if t[0] <= frame), self._turns[0])
        return TapePosition(place.frame + max(0, frame - turn), True) if place.runs else place

    def next(self) -> Float32[np.ndarray, "n channels"]:
        """The next hop."""
        begin = self.frames
        self._hops += 1
        n = self.frames - begin
        jump, self._jump = self._jump, None
        runs = self.plays and (self.ended_at is None or jump is not None)
        if jump is not None or runs != self.runs:
            return self._turn(begin, n, runs, jump)
        return self._take(begin, n) if runs else self._silence(n)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _turn(self, begin: int, n: int, runs: bool, jump: int | None) -> NDArray[np.float32]:
        """A hop in which the tape starts, stops or jumps."""
        rising = np.sin(np.pi / 2 * (np.arange(n, dtype=np.float32)[:, None] + 0.5) / n) ** 2
        hop, place = self._silence(n), self.place if jump is None else jump
        if self.runs:
            hop += self._take(begin, n) * (1 - rising)
        elif place == 0:
            rising[:] = 1  # the beginning of a file is not faded
        self.place = place
        self.runs, self.ended_at = runs, None
        self._turns.append((begin, TapePosition(self.place, runs)))
        if runs:
            self._open()
            hop += self._take(begin, n) * rising
        return hop

    def _take(self, begin: int, n: int) -> NDArray[np.float32]:
        """The next n frames of the file; after its end the beginning again (unless it is shorter than a hop), or silence."""
        pieces: list[NDArray[np.float32]] = []
        wanted = n
        while wanted:
            piece = self._read(wanted)
            if len(piece) == 0 and self.loop and self.place >= n:
                self.place = 0
                self._turns.append((begin + n - wanted, TapePosition(0, True)))
                self._open()
                continue
            if len(piece) == 0:
                self.runs, self.ended_at = False, begin + n - wanted
                self._turns.append((self.ended_at, TapePosition(self.place, False)))
                piece = self._silence(wanted)
            else:
                self.place += len(piece)
            pieces.append(piece)
            wanted -= len(piece)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _open(self) -> None:
        """Read from the current position on."""
        self._file.close()
        self._rest = self._silence(0)
        self._nonfinite = self.nonfinite
        self._reader = None
        try:
            self._reader = self._file.enter_context(SoundReader(self.path))
            self._reading = self._reader.soundtrack(self.place)
        except SoundError as error:
            self._rest, self.damage = None, str(error)

    def _read(self, n: int) -> NDArray[np.float32]:
        """Up to n frames; none at the end."""
        try:
            while self._rest is not None and len(self._rest) == 0:
                self._rest = next(self._reading, None)
        except (SoundError, soundfile.SoundFileError) as error:
            self._rest, self.damage = None, f"{self.path} cannot be read any further: {error}"
        if self._rest is None:
            return self._silence(0)
        piece, self._rest = self._rest[:n], self._rest[n:]
        return piece

    def _silence(self, n: int) -> NDArray[np.float32]:
        return np.zeros((n, self.channels), np.float32)
