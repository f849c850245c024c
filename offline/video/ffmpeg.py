"""An ffmpeg process that reads its input from a pipe."""

import errno
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from shared.errors import DISK_FULL, Failure

_LINES_KEPT = 8  # different error lines of ffmpeg; the first ones name the cause, later ones its consequences
# Older versions, such as 5.1, exit with status 0 although the end of the file is missing.
_UNFINISHED = ("Error writing trailer", "Error closing file")
_FULL = os.strerror(errno.ENOSPC)
if sys.platform == "win32":
    _NEW_GROUP = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _NEW_GROUP = 0
_PIPE_BYTES = 1 << 20  # the largest pipe that Linux allows without privileges; ignored elsewhere


class Feed:
    """A running ffmpeg that reads its input from a pipe (`pipe:0` in its arguments).

    It runs in a session of its own, so a Ctrl-C in the terminal does not reach it. Threads read its output all the time,
    so it never blocks on a full pipe. All files in the arguments are relative to `folder`, which keeps characters with a
    meaning to ffmpeg (%, a leading dash, a colon) out of its command line.
    """

    def __init__(self, ffmpeg: Path, arguments: Sequence[str], *, folder: Path, task: str) -> None:
        """task: completes the sentence "ffmpeg stopped while ..."."""
        self._task = task
        self._errors: list[str] = []
        self._pictures = 0
        command = [
            str(ffmpeg),
            "-hide_banner",
            "-nostdin",
            "-loglevel",
            "error",
            "-y",
            "-progress",
            "pipe:1",
            *arguments,
        ]
        try:
            with _without_ctrl_c():
                self._process = subprocess.Popen(
                    command,
                    cwd=folder,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    pipesize=_PIPE_BYTES,
                    start_new_session=os.name == "posix",
                    creationflags=_NEW_GROUP,
                )
        except OSError as error:
            raise Failure(f"{ffmpeg} does not start: {error.strerror or error}") from error
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        self._stdin = stdin
        self._readers = [
            threading.Thread(target=read, args=(stream,), daemon=True)
            for read, stream in ((self._read_progress, stdout), (self._read_errors, stderr))
        ]
        for reader in self._readers:
            reader.start()

    def write(self, data: bytes | memoryview) -> None:
        """Write all of `data` into the pipe, waiting for room. Raise Failure with ffmpeg's error lines if it has died."""
        try:
            self._stdin.write(data)
        except OSError as error:  # a broken pipe; on Windows also EINVAL
            raise self._failure() from error

    def finish(self) -> int:
        """Close the pipe and wait for ffmpeg to end; return the number of pictures that it reports.

        Raises Failure with ffmpeg's error lines.
        """
        try:
            self._stdin.close()
        except OSError as error:
            raise self._failure() from error
        status = self._process.wait()
        for reader in self._readers:
            reader.join()
        if status or any(line.startswith(_UNFINISHED) for line in self._errors):
            raise self._failure()
        return self._pictures

    def kill(self) -> None:
        """Kill it. Does nothing if it has ended already."""
        if self._process.poll() is None:
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)  # the program and its children, in case it is a script
        with suppress(OSError):
            self._stdin.close()
        self._process.wait()
        for reader in self._readers:
            reader.join()

    def _failure(self) -> Failure:
        with suppress(OSError):
            self._stdin.close()
        status = self._process.wait()
        for reader in self._readers:
            reader.join()
        if self._errors:
            reason = "; ".join(self._errors[:2])[:400]
        elif status < 0:
            reason = f"it was ended by {signal.Signals(-status).name}"
        else:
            reason = f"it gave no reason (status {status})"
        if _FULL in "; ".join(self._errors):
            reason = f"{DISK_FULL}, then continue with --resume"
        return Failure(f"ffmpeg stopped while {self._task}: {reason}")

    def _read_progress(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                if line.startswith(b"frame="):
                    self._pictures = int(line[6:])

    def _read_errors(self, stream: IO[bytes]) -> None:
        with stream:
            for raw in stream:
                line = re.sub(r"\[[^]]*@ [^]]*\] *", "", raw.decode(errors="replace")).strip()
                known = not line or line in self._errors or line.startswith("Last message repeated")
                if not known and len(self._errors) < _LINES_KEPT:
                    self._errors.append(line)


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Programs started in this block ignore Ctrl-C from the first moment, before they have a session of their own."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # child processes inherit the mask
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
