"""One program at a time changes a preset."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from filelock import FileLock, Timeout

from shared.atomic import written_atomically
from shared.errors import PonticelloError, PresetError, UserError, printable

LOCK, OWNER = ".lock", ".lock-owner"  # files in the preset's folder: the lock, and who holds it
PATIENCE_S = 5.0
OWNER_BYTES = 200  # of which the message shows no more

P = ParamSpec("P")
R = TypeVar("R")

_thread_locks: dict[Path, threading.RLock] = {}
_held: set[Path] = set()  # folders that this process holds
_guard = threading.Lock()


@contextmanager
def preset_lock(folder: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Lock a preset while it is read, modified and written. Read what you will modify under the lock.

    The thread that holds the lock may take it again; other threads and programs wait. Raises PresetError with the name of
    the program that still holds it after `patience_s` seconds, UserError if the folder is not writable.
    """
    folder = folder.resolve()
    with _guard:
        thread_lock = _thread_locks.setdefault(folder, threading.RLock())
    if not thread_lock.acquire(timeout=patience_s):
        raise PresetError(f"{folder} is in use by this program; try again")
    try:
        if folder in _held:
            yield
        else:
            with _between_programs(folder, patience_s):
                _held.add(folder)
                try:
                    yield
                finally:
                    _held.discard(folder)
    finally:
        thread_lock.release()


def locked(function: Callable[Concatenate[Path, P], R]) -> Callable[Concatenate[Path, P], R]:
    """Lock the preset folder, which is the first argument, while the function runs."""

    @wraps(function)
    def holding(folder: Path, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with preset_lock(folder):
            return function(folder, *args, **kwargs)

    return holding


@contextmanager
def _between_programs(folder: Path, patience_s: float) -> Iterator[None]:
    lock = FileLock(folder / LOCK, timeout=patience_s, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise PresetError(f"{folder} is in use by {_owner(folder)}; try again") from None
    except OSError as error:
        raise UserError(
            f"cannot write in {folder}: {error.strerror or error}; choose a folder that you can write to"
        ) from error
    try:
        with suppress(PonticelloError), written_atomically(folder / OWNER) as temporary:  # only for the message
            temporary.write_text(f"{program()} ({os.getpid()})", "utf-8", "replace")
        yield
    finally:
        with suppress(OSError):
            (folder / OWNER).unlink(missing_ok=True)
        with suppress(
            OSError
        ):  # while it is held: a waiting program notices that the file has gone, and makes a new one
            (folder / LOCK).unlink()
        lock.release()


def program() -> str:
    """The name of this program with its command, `ponticello pair`."""
    name = Path(sys.argv[0]).stem or "python"
    command = sys.argv[1] if name == "ponticello" and len(sys.argv) > 1 else ""
    return f"{name} {command}".strip()


def _owner(folder: Path) -> str:
    try:
        if not (folder / OWNER).is_file():
            return "another program"
        with (folder / OWNER).open("rb") as file:
            return printable(file.read(OWNER_BYTES).decode("utf-8", "replace")) or "another program"
    except OSError:
        return "another program"
