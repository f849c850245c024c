"""The rehearsal's record: what the engine hears and is told, written beside the show by a thread of its own."""

import contextlib
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

SYNC_S = 1.0  # so much is lost at most when the power fails


class Recorder:
    """A recording in a new folder; UserError where it cannot be made. The engine tells it everything, in order.

    Where the disk refuses, the show goes on without it: what has been written stays, and `failed` is true.
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
        """How long the recording is so far."""
        return self._writer.samples / SAMPLE_RATE

    def begin(self, state: PipelineState, gives: InputKind) -> None:
        """The pipeline stands like this; what follows is what it gets."""
        self._put(lambda: self._writer.begin(state, gives, self._settings))

    def block(self, block: Block | FrameBlock) -> None:
        """It takes in a block."""
        match block:
            case Block(_, samples):
                self._put(lambda: self._writer.sound(samples))
            case FrameBlock(_, frames):
                self._put(lambda: self._writer.frames(frames))

    def change(self, sample: int, what: ControlChange | Exchange) -> None:
        """It was told something that acts on this sample."""
        self._put(lambda: self._writer.change(sample, what))

    def end(self, sample: int) -> None:
        """The recording ends at this sample of the show; zeros that complete its last frame have been recorded too."""
        self._put(lambda: self._writer.end(sample))
        self._work.put(None)

    def wait(self) -> None:
        """Until all is written, after `end`; or, where it was never begun, until it has let go."""
        self._work.put(None)
        self._thread.join()

    def _put(self, work: Callable[[], None]) -> None:
        if not self.failed:  # else nobody would take it
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
        except Exception as error:  # the disk is full or gone, or whatever it is: the show is not to suffer from it
            self.failed = True
            self._notices.tell(
                f"recording {self.folder} has stopped after {self.seconds:.0f} s: {one_line(error)}; what was recorded stays"
            )
            while not self._work.empty():
                self._work.get()
        finally:
            with contextlib.suppress(OSError):
                self._writer.close()
