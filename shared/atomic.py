"""Files that are either whole or not there: written under a temporary name, then renamed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import Failure, UserError


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it takes the place of `path` when the block ends without an error.

    Raises UserError where the folder is missing or may not be written, Failure where the disk refuses (full, broken).
    """
    temporary = new_temporary(path)
    try:
        yield temporary
        _make_public(temporary)
        _bring_to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise Failure(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another place"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def new_temporary(path: Path) -> Path:
    """An empty file with a new name beside `path`, ending like it."""
    check_place(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise UserError(f"cannot write in {path.parent}: {error.strerror}; choose a folder that is yours") from error
    os.close(handle)
    return Path(name)


def make_folder(path: Path) -> None:
    """A folder, if it is not there yet; UserError where there can be none."""
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {path}: {error.strerror}; choose a place that is yours") from error


def check_place(path: Path) -> None:
    """UserError where no file can stand under this name."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise UserError(f"no folder {path.parent}; make it first or choose another place")


def _bring_to_disk(path: Path) -> None:
    """So that a failing power does not leave a name without its content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _make_public(path: Path) -> None:
    """The rights that a new file has: temporary files, and safetensors', are private."""
    if os.name == "posix":
        mask = os.umask(0)
        os.umask(mask)
        path.chmod(0o666 & ~mask)
