"""Recordings of a show, one after the other: where they go, and when they begin and end."""

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path

from live.show.engine import Engine
from live.show.notices import Notices
from live.show.recorder import Recorder
from shared.errors import UserError
from shared.preset.preset import OWN
from shared.recording.entries import Fact


class Takes:
    """folder: of the first take; others come beside it, numbered. None: all go to the artist's own recordings.

    facts: what a recording says of how the show was played. One thread at a time begins and ends.
    """

    def __init__(self, folder: Path | None, engine: Engine, notices: Notices, facts: Mapping[str, Fact]) -> None:
        self._folder, self._engine, self._notices = folder, engine, notices
        self._facts = {"program": version("ponticello"), **facts}
        self._recorder: Recorder | None = None

    @property
    def running(self) -> bool:
        """Whether a recording is being made."""
        return self._recorder is not None and not self._recorder.failed

    @property
    def seconds(self) -> float:
        """How long it is; NaN where none is being made."""
        return self._recorder.seconds if self._recorder is not None and self.running else float("nan")

    def begin(self, preset: str) -> None:
        """Record from the next block on, if that isn't done yet; UserError where the folder cannot be made."""
        if self.running:
            return
        self._recorder = Recorder(self._next(preset), self._facts, self._notices)
        self._engine.record(self._recorder)
        self._notices.tell(f"recording: {self._recorder.folder}", wrong=False)

    def end(self) -> None:
        """End the take that is being made."""
        if self._recorder is not None:
            self._engine.record(None)
            self._tell_where(self._recorder)
        self._recorder = None

    def close(self) -> None:
        """The engine has ended: wait until all is written."""
        if self._recorder is not None:
            self._recorder.wait()
            self._tell_where(self._recorder)

    def _tell_where(self, recorder: Recorder) -> None:
        if not recorder.failed:
            self._notices.tell(f"recorded: {recorder.folder}", wrong=False)

    def _next(self, preset: str) -> Path:
        if self._folder is None:
            now = datetime.now().strftime("%Y-%m-%d %H.%M.%S")
            stem = OWN / "recordings" / f"{preset} {now}"
        else:
            stem = self._folder
        if stem.is_file():
            raise UserError(f"{stem} is a file; a recording is a folder: name a new one")
        free = (stem if n == 1 else stem.with_name(f"{stem.name}-{n}") for n in count(1))
        return next(folder for folder in free if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())))
