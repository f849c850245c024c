"""The recordings of a show: where they go, when they begin and end."""

from collections.abc import Mapping
from datetime import datetime
from itertools import count
from pathlib import Path

from live.show.engine import Engine
from live.show.notices import Notices
from live.show.recorder import Recorder
from shared.errors import UserError
from shared.preset import places
from shared.recording.entries import Fact
from shared.version import VERSION


class Takes:
    """Begins and ends recordings, one thread at a time.

    folder: of the first take; later ones are numbered beside it. None: all go to `recordings` in the user's folder.
    facts: what each recording says about how the show was played.
    """

    def __init__(self, folder: Path | None, engine: Engine, notices: Notices, facts: Mapping[str, Fact]) -> None:
        self._folder, self._engine, self._notices = folder, engine, notices
        self._facts = {"program": VERSION, **facts}
        self._recorder: Recorder | None = None
        self.wanted = False
        """Whether the player wants a recording: the latest wish, which begin and end follow."""

    @property
    def running(self) -> bool:
        """Whether a recording is running."""
        return self._recorder is not None and not self._recorder.failed

    @property
    def on(self) -> bool:
        """Whether a recording is running or about to begin."""
        return self.wanted and not (self._recorder is not None and self._recorder.failed)

    @property
    def seconds(self) -> float:
        """Its duration so far; NaN if none is running."""
        return self._recorder.seconds if self._recorder is not None and self.running else float("nan")

    def begin(self, preset: str) -> None:
        """Record from the next block on, unless it runs already or is not wanted any more.

        Raises UserError if the folder cannot be created.
        """
        if self.running or not self.wanted:
            return
        try:
            self._recorder = Recorder(self._next_folder(preset), self._facts, self._notices)
        except BaseException:
            self.wanted = False
            raise
        self._engine.record(self._recorder)
        self._notices.tell(f"recording: {self._recorder.folder}", wrong=False)

    def end(self) -> None:
        """End the recording, unless another one is wanted."""
        if self._recorder is not None and not self.wanted:
            self._engine.record(None)
            self._tell_folder(self._recorder)
            self._recorder = None

    def close(self) -> None:
        """The engine has ended: wait until everything is written."""
        if self._recorder is not None:
            self._recorder.wait()
            self._tell_folder(self._recorder)

    def _tell_folder(self, recorder: Recorder) -> None:
        if not recorder.failed:
            self._notices.tell(f"recorded: {recorder.folder}", wrong=False)

    def _next_folder(self, preset: str) -> Path:
        if self._folder is None:
            now = datetime.now().strftime("%Y-%m-%d %H.%M.%S")
            stem = places.OWN / "recordings" / f"{preset} {now}"
        else:
            stem = self._folder
        if stem.is_file():
            raise UserError(f"{stem} is a file; a recording is a folder: give a new name")
        numbered = (stem if n == 1 else stem.with_name(f"{stem.name}-{n}") for n in count(1))
        return next(path for path in numbered if not path.exists() or (path.is_dir() and not any(path.iterdir())))
