"""The client of the sound card's process: lists devices, records and plays."""

import contextlib
import json
import math
import subprocess
import sys
import threading
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from shared.errors import Failure
from shared.sound_card.process import BLOCK, BLOCK_FRAMES

PROGRAM = Path(__file__).with_name("process.py")
OPENING_S, LEAVING_S = 15.0, 1.0  # time limit for an answer of the sound system
BUFFERED_S = 10.0  # of sound kept for a reader that stalls

NO_PORTAUDIO = "no sound card without the library PortAudio; install it (Debian, Ubuntu: apt install libportaudio2)"


class NoPortAudio(Failure):
    """PortAudio is not installed. There is no sound card, but everything else works."""


@dataclass(frozen=True)
class Device:
    """A sound device as PortAudio lists it: input and output channels, and the rate at which it runs now (Hz)."""

    number: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    rate: int
    default_input: bool = False
    default_output: bool = False

    def __str__(self) -> str:
        return f"{self.number} {self.name} ({self.host_api})"


class Recorded(NamedTuple):
    """A recorded block: number of its first frame, float32 (n, k) samples, time of its first frame at the converter (s,
    monotonic), delay from there to the callback (s), and whether sound was lost before it.
    """

    number: int
    samples: Float32[np.ndarray, "n k"]
    time: float
    delay: float
    overflow: bool


class Played(NamedTuple):
    """A played block: number of its first frame (-1 for silence, if no block was queued), time at which it is heard (s,
    monotonic), and whether the sound system reported a gap before it.
    """

    number: int
    time: float
    underflow: bool


def list_devices() -> list[Device]:
    """List the present devices. Raises NoPortAudio or Failure."""
    with SoundProcess({"do": "list"}) as process:
        return [Device(**row) for row in process.answer["devices"]]


class InputStream:
    """A device that records: blocks of its chosen columns (channels from 0), at the rate asked for, else its own.

    rate    Hz
    over    whether the device has failed and delivers nothing more
    """

    def __init__(self, device: Device, columns: list[int], rate: int | None) -> None:
        self._columns = len(columns)
        self._process = SoundProcess({"do": "record", "device": asdict(device), "columns": columns, "rate": rate})
        self.rate: int = self._process.answer["rate"]
        self.over = False
        self._most = math.ceil(BUFFERED_S * self.rate / BLOCK_FRAMES)
        self._blocks: SimpleQueue[Recorded | None] = SimpleQueue()  # None: the end
        threading.Thread(target=self._receive, name="sound card", daemon=True).start()

    def _receive(self) -> None:
        size = BLOCK.size + 4 * BLOCK_FRAMES * self._columns
        while piece := self._process.read(size):
            number, time, delay, lost = BLOCK.unpack_from(piece)
            samples = np.frombuffer(piece, np.float32, offset=BLOCK.size).reshape(BLOCK_FRAMES, self._columns)
            self._blocks.put(Recorded(number, samples, time, delay, lost))
            if self._blocks.qsize() > self._most:
                self._blocks.get()
        self._process.release()
        self.over = True
        self._blocks.put(None)

    def take(self, timeout: float = 0.0) -> list[Recorded]:
        """The recorded blocks; waits up to `timeout` s for one. Blocks older than 10 s are dropped."""
        taken: list[Recorded] = []
        try:
            while (block := self._blocks.get(timeout > 0 and not taken, timeout)) is not None:
                taken.append(block)
        except Empty:
            pass
        return taken

    def close(self) -> None:
        """End it."""
        self._process.end()


class OutputStream:
    """A device that plays a number of channels, at its own rate.

    rate, channels   Hz, and number of channels
    over             whether the device has failed and plays nothing more
    """

    def __init__(self, device: Device, channels: int) -> None:
        self._process = SoundProcess({"do": "play", "device": asdict(device), "channels": channels})
        self.rate: int = self._process.answer["rate"]
        self.channels = channels
        self._reports: deque[Played] = deque(maxlen=1000)
        self.over = False
        threading.Thread(target=self._receive, name="sound card", daemon=True).start()

    def _receive(self) -> None:
        while head := self._process.read(BLOCK.size):
            number, time, _, underflow = BLOCK.unpack(head)
            self._reports.append(Played(number, time, underflow))
        self._process.release()
        self.over = True

    def send(self, samples: Float32[np.ndarray, "512 channels"]) -> None:
        """Send a block to play. `reports` tells the caller what has been played, so that it can keep the queue short."""
        self._process.write(np.ascontiguousarray(samples).tobytes())

    def reports(self) -> list[Played]:
        """The blocks played since the last call."""
        taken = []
        while self._reports:
            taken.append(self._reports.popleft())
        return taken

    def close(self) -> None:
        """End it."""
        self._process.end()


class SoundProcess:
    """The process, and its first line, `answer`. Raises NoPortAudio or Failure if it reports an error."""

    def __init__(self, request: dict[str, Any]) -> None:
        # -P: its own folder is no place to find modules in, else ours would stand in for others of the same name
        command = [sys.executable, "-P", str(PROGRAM), json.dumps(request)]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        except OSError as error:
            raise Failure(f"the sound card's process did not start: {error.strerror}; free some memory") from None
        hung = threading.Timer(OPENING_S, self._process.kill)
        hung.daemon = True
        hung.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        hung.cancel()
        self.answer: dict[str, Any] = json.loads(line) if line else {"error": "the sound system does not answer"}
        if "error" in self.answer:
            self.__exit__()
            if self.answer.get("missing"):
                raise NoPortAudio(NO_PORTAUDIO)
            raise Failure(self.answer["error"])

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes; empty at the end."""
        assert self._process.stdout is not None
        piece = self._process.stdout.read(size)
        return piece if len(piece) == size else b""

    def write(self, data: bytes) -> None:
        """Write data. If the process has ended, `read` notices it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def end(self) -> None:
        """Let it end by itself, or kill it if its sound system hangs."""
        assert self._process.stdin is not None
        hung = threading.Timer(LEAVING_S, self._process.kill)
        hung.daemon = True
        hung.start()
        with contextlib.suppress(OSError):  # unsent data
            self._process.stdin.close()
        self._process.wait()
        hung.cancel()

    def release(self) -> None:
        """Close the end of the pipe that this side reads; only the reading thread may call it."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> "SoundProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self.release()
