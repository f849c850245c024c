"""Records what the engine receives, sound and changes, in a thread of its own."""

import contextlib
import errno
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from live.show.notices import Notices
from live.sound.source import Block, FrameBlock
from shared.controls import ControlChange
from shared.errors import one_line
from shared.pipeline.exchanges import Exchange
from shared.pipeline.state import PipelineState
from shared.recording.entries import Fact, InputKind
from shared.recording.writer import RecordingWriter
from shared.stage import SAMPLE_RATE

SYNC_S = 1.0  # at most so much is lost in a power failure


class Recorder:
    """A recording in a new folder. Raises UserError if the folder cannot be created.

    The engine calls it in order. If the disk fails, the show goes on without it: what was written stays, and `failed` is
    true. settings: facts for readers of the recording.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Fact], notices: Notices) -> None:
        self._writer = RecordingWriter(folder)
        self.folder = folder
        self.failed = False
        self._settings, self._notices = settings, notices
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """Duration so far."""
        return self._writer.samples / SAMPLE_RATE

    @property
    def pending(self) -> int:
        """Writes that wait for the disk."""
        return self._work.qsize()

    def begin(self, state: PipelineState, gives: InputKind) -> None:
        """Start with the state of the pipeline; everything after it follows in order."""
        self._put(lambda: self._writer.begin(state, gives, self._settings))

    def block(self, block: Block | FrameBlock) -> None:
        """A block that the pipeline takes in."""
        match block:
            case Block(_, samples):
                self._put(lambda: self._writer.sound(samples))
            case FrameBlock(_, frames):
                self._put(lambda: self._writer.frames(frames))

    def change(self, sample: int, change: ControlChange | Exchange) -> None:
        """A change that acts on this sample."""
        self._put(lambda: self._writer.change(sample, change))

    def end(self, sample: int) -> None:
        """End at this sample of the show; the zeros that complete the last frame have been recorded, too."""
        self._put(lambda: self._writer.end(sample))
        self._work.put(None)

    def wait(self) -> None:
        """Wait until everything is written, after `end`."""
        self._work.put(None)
        self._thread.join()

    def _put(self, work: Callable[[], None]) -> None:
        if not self.failed:  # otherwise nobody takes it
            self._work.put(work)

    def _run(self) -> None:
        synced = time.monotonic()
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    work = self._work.get(timeout=SYNC_S)
                    if work is None:
                        return
                    work()
                if time.monotonic() - synced >= SYNC_S:
                    self._writer.sync()
                    synced = time.monotonic()
        except Exception as error:  # disk full, disk gone: the show goes on
            self.failed = True
            self._notices.tell(
                f"recording {self.folder} stopped after {self.seconds:.0f} s: {_reason(error)}; what was recorded is kept"
            )
            while not self._work.empty():
                self._work.get()
        finally:
            with contextlib.suppress(OSError):
                self._writer.close()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full, free some space and record again"
    return one_line(error)
