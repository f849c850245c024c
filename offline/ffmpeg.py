"""ffmpeg, the program that makes the films: which one, and a running one that is fed through a pipe."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from shared.errors import Failure

SETTINGS = ("PONTICELLO_FFMPEG", "IMAGEIO_FFMPEG_EXE")  # environment variables that name an ffmpeg, the stronger first

_WORDS_KEPT = 8  # different lines of ffmpeg's complaint; the first name the cause, what follows are consequences
# Older versions (5.1 does) end with status 0 although the end of the file is missing.
_UNFINISHED = ("Error writing trailer", "Error closing file")
if sys.platform == "win32":
    _NEW_GROUP = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _NEW_GROUP = 0
_PIPE_BYTES = 1 << 20  # Linux's largest pipe without privileges; elsewhere the system's own size


def find_ffmpeg(encoder: str | None = None) -> Path:
    """The ffmpeg to use: the one a setting names, else the one on PATH, else the one that comes with imageio-ffmpeg.

    A setting (`PONTICELLO_FFMPEG`, then `IMAGEIO_FFMPEG_EXE`) is an order: if what it names does not run or lacks
    `encoder`, that is a Failure. An ffmpeg on PATH is only an offer: distributions build it without patented encoders,
    so one that does not run or lacks `encoder` is passed over.
    """
    for setting in SETTINGS:
        if name := os.environ.get(setting):
            found = shutil.which(name)
            trouble = _trouble(found, encoder) if found else "is no program"
            if found is None or trouble:
                raise Failure(f"{setting} names {name}, which {trouble}: name another ffmpeg or unset {setting}")
            return Path(found).absolute()
    on_path = shutil.which("ffmpeg")
    if on_path and not _trouble(on_path, encoder):
        return Path(on_path).absolute()
    bundled = _bundled()
    trouble = _trouble(bundled, encoder) if bundled else "is missing"
    if bundled is None or trouble:
        wanted = "no ffmpeg that runs" + (f" and has the encoder {encoder}" if encoder else "")
        raise Failure(f"{wanted} (the one of imageio-ffmpeg {trouble}): install ffmpeg or set {SETTINGS[0]} to one")
    return Path(bundled).absolute()


def version(ffmpeg: Path) -> str:
    """What `ffmpeg` calls itself, e.g. "ffmpeg version 7.1"."""
    first = subprocess.run(
        [ffmpeg, "-version"], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False
    ).stdout.partition("\n")[0]
    return first.partition(" Copyright")[0]


def _bundled() -> str | None:
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:  # a platform for which its wheel carries no binary
        return None


def _trouble(ffmpeg: str, encoder: str | None) -> str | None:
    """What is wrong with this program, as the end of a sentence; None where nothing is."""
    try:
        done = subprocess.run(
            [ffmpeg, "-hide_banner", "-encoders"],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except OSError as error:
        return f"does not run ({error.strerror or error})"
    except subprocess.TimeoutExpired:
        return "does not answer"
    if done.returncode:
        return f"does not run ({' '.join(done.stderr.split())[:200] or f'status {done.returncode}'})"
    if encoder and not re.search(rf"^ [A-Z.]{{6}} {re.escape(encoder)} ", done.stdout, re.MULTILINE):
        return f"has no encoder {encoder}"
    return None


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
