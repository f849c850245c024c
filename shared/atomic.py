"""Files that are either complete or absent: written under a temporary name, then renamed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import DISK_FULL, Failure, UserError, is_disk_full, refusal
from shared.stale import remove_stale, temporary_prefix


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it replaces `path` when the block ends without an error.

    Raises UserError if the folder is missing or not writable, Failure if the disk is full or fails.
    """
    temporary = new_temporary(path)
    try:
        yield temporary
        _make_public(temporary)
        _bring_to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        why = DISK_FULL if is_disk_full(error) else f"{error.strerror or error}; choose another place"
        raise Failure(f"cannot write {path}: {why}") from error
    finally:
        temporary.unlink(missing_ok=True)


def new_temporary(path: Path) -> Path:
    """A new empty file beside `path`, with the same suffix."""
    check_place(path)
    remove_stale(path.parent)
    try:
        handle, name = tempfile.mkstemp(prefix=temporary_prefix(path.stem), suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise refusal(f"cannot write in {path.parent}", error) from error
    os.close(handle)
    return Path(name)


@contextmanager
def folder_made_atomically(path: Path) -> Iterator[Path]:
    """A new folder of the same name to fill, in a temporary one beside `path`; it becomes `path` when the block ends.

    `path` may exist if it is empty. Raises OSError if the system refuses.
    """
    remove_stale(path.parent)
    temporary = Path(tempfile.mkdtemp(prefix=temporary_prefix(path.name), dir=path.parent))
    try:
        made = temporary / path.name
        made.mkdir()
        yield made
        if path.exists():
            path.rmdir()  # empty; not every system renames onto one
        made.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make a folder if it does not exist. Raises UserError if that is not allowed, Failure if the disk is full."""
    if path.is_symlink():  # of a preset from a stranger: it would put files into any other place
        raise UserError(f"{path} is a symbolic link; put a folder in its place")
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise refusal(f"cannot make the folder {path}", error) from error


def check_place(path: Path) -> None:
    """Raise UserError if no file can have this name."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise UserError(f"no folder {path.parent}; make it first or choose another place")


def _bring_to_disk(path: Path) -> None:
    """Flush to the disk, so that a power failure leaves no name without its content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _make_public(path: Path) -> None:
    """Give it the permissions of a new file: temporary files, and those of safetensors, are private."""
    if os.name == "posix":
        mask = os.umask(0)
        os.umask(mask)
        path.chmod(0o666 & ~mask)
