"""A running ffmpeg that is fed through a pipe."""

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

_WORDS_KEPT = 8  # different lines of ffmpeg's complaint; the first name the cause, what follows are consequences
# Older versions (5.1 does) end with status 0 although the end of the file is missing.
_UNFINISHED = ("Error writing trailer", "Error closing file")
_FULL = os.strerror(errno.ENOSPC)
if sys.platform == "win32":
    _NEW_GROUP = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _NEW_GROUP = 0
_PIPE_BYTES = 1 << 20  # Linux's largest pipe without privileges; elsewhere the system's own size


class Feed:
    """An ffmpeg at work that takes its input through a pipe (`pipe:0` in its arguments).

    It has a session of its own, so a Ctrl-C in the terminal does not reach it; what it says is read all the time, so
    it never waits for a reader. All files in the arguments are relative to `folder`: names that mean something to
    ffmpeg (%, a leading dash, a colon) then cannot occur.
    """

    def __init__(self, ffmpeg: Path, arguments: Sequence[str], *, folder: Path, task: str) -> None:
        """`task` finishes the sentence "ffmpeg stopped while ..."."""
        self._task = task
        self._words: list[str] = []
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
            with _deaf_to_ctrl_c():
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
            for read, stream in ((self._read_progress, stdout), (self._read_words, stderr))
        ]
        for reader in self._readers:
            reader.start()

    def write(self, data: bytes | memoryview) -> None:
        """All of `data` into the pipe, waiting for room. Failure with ffmpeg's own words if it has died."""
        try:
            self._stdin.write(data)
        except OSError as error:  # a broken pipe; on Windows also EINVAL
            raise self._failure() from error

    def finish(self) -> int:
        """End of input: wait until ffmpeg is done; the number of pictures it says it wrote. Failure in its own words."""
        try:
            self._stdin.close()
        except OSError as error:
            raise self._failure() from error
        status = self._process.wait()
        for reader in self._readers:
            reader.join()
        if status or any(words.startswith(_UNFINISHED) for words in self._words):
            raise self._failure()
        return self._pictures

    def kill(self) -> None:
        """End it at once; nothing happens where it has ended already."""
        if self._process.poll() is None:
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)  # the program and, where it is a script, what it started
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
        if self._words:
            words = "; ".join(self._words[:2])[:400]
        elif status < 0:
            words = f"it was ended by {signal.Signals(-status).name}"
        else:
            words = f"it gave no reason (status {status})"
        if _FULL in "; ".join(self._words):
            words = f"{DISK_FULL}, then continue with --resume"
        return Failure(f"ffmpeg stopped while {self._task}: {words}")

    def _read_progress(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                if line.startswith(b"frame="):
                    self._pictures = int(line[6:])

    def _read_words(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                words = re.sub(r"\[[^]]*@ [^]]*\] *", "", line.decode(errors="replace")).strip()
                known = not words or words in self._words or words.startswith("Last message repeated")
                if not known and len(self._words) < _WORDS_KEPT:
                    self._words.append(words)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A program started here never hears Ctrl-C, not even in the moment before it has a session of its own."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # is inherited
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
