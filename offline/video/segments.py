"""The finished part of a render, kept beside the output so that another run can go on from it.

    film.mp4.parts/
        manifest.json           whose segments these are, and how many pictures and bytes each has
        lock                    held by the render at work
        000000.mov ...          finished segments; for a folder of pictures: pictures/000000.png ...
        unfinished-000003.mov   what is being encoded; worth nothing without its end
        joined.mp4              the film while it is put together

A segment counts once the manifest names it; its bytes are on the disk by then, so neither a killed process nor a power
cut can leave a damaged one.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from shared.atomic import written_atomically
from shared.errors import DISK_FULL, Failure, UserError, is_disk_full, refusal

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_PICTURES = "pictures"
_UNFINISHED = "unfinished-"


class Finished(msgspec.Struct, frozen=True):
    """A finished segment."""

    pictures: int
    bytes: int


class Manifest(msgspec.Struct, frozen=True):
    """Whose segments these are."""

    identity: str  # of preset, sound and settings, from the caller
    encoding: str  # codec, rate, sizes, ffmpeg: segments made alike can be joined
    finished: tuple[Finished, ...] = ()


class Segments:
    """The segments of one output."""

    def __init__(
        self, output: Path, *, pictures_apart: bool, first_number: int, identity: str, encoding: str, resume: bool
    ) -> None:
        """Opens `OUT.parts`, discarding what is in it unless `resume`.

        pictures_apart: a segment is a handful of PNG files, numbered from `first_number`, not a piece of film.
        UserError where the folder cannot be made, is not ours, is in use, or (with resume) belongs to another render.
        """
        self.folder = output.with_name(output.name + ".parts")
        self._pictures_apart = pictures_apart
        self._first_number = first_number
        self._manifest = Manifest(identity, encoding)
        self._lock = self._open()
        try:
            with writing(self.folder):
                if resume and (self.folder / "manifest.json").exists():
                    self._adopt()
                else:
                    self._empty(keep=())
                self._save()
        except BaseException:
            self._lock.close()
            raise

    @property
    def finished(self) -> tuple[Finished, ...]:
        """The finished segments, in order."""
        return self._manifest.finished

    @property
    def pictures(self) -> int:
        """Pictures in finished segments."""
        return sum(segment.pictures for segment in self.finished)

    def names(self) -> list[str]:
        """Files of the finished segments, relative to the folder (pieces of film; pictures otherwise)."""
        return [name for index in range(len(self.finished)) for name in self._files(index)]

    def begin(self, index: int) -> str:
        """A name, relative to the folder, under which ffmpeg may write segment `index`.

        An earlier file of that name is unlinked, not written over: the ffmpeg of a render that was killed may still
        be busy with it.
        """
        name = f"{_UNFINISHED}{index:06d}"
        with writing(self.folder):
            if not self._pictures_apart:
                (self.folder / f"{name}.mov").unlink(missing_ok=True)
                return f"{name}.mov"
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
            return f"{name}/%06d.png"

    def unfinished(self) -> list[str]:
        """Files of segments that were begun and not finished, relative to the folder, in order."""
        found = self.folder.glob(f"{_UNFINISHED}*{'/*.png' if self._pictures_apart else '.mov'}")
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def finish(self, index: int, pictures: int) -> None:
        """Segment `index`, the next one, is complete with `pictures` of them: from now on it counts."""
        name = f"{_UNFINISHED}{index:06d}"
        with writing(self.folder):
            if self._pictures_apart:
                made = sorted((self.folder / name).iterdir())
                (self.folder / _PICTURES).mkdir(exist_ok=True)
            else:
                made = [self.folder / f"{name}.mov"]
            targets = [self.folder / file for file in self._files(index, pictures)]
            for path, target in zip(made, targets, strict=True):
                to_disk(path)
                os.replace(path, target)
            if self._pictures_apart:
                (self.folder / name).rmdir()
                to_disk(self.folder / _PICTURES)
            segment = Finished(pictures, sum(target.stat().st_size for target in targets))
            self._manifest = msgspec.structs.replace(self._manifest, finished=(*self.finished, segment))
            self._save()

    def drop_unfinished(self) -> None:
        """Delete everything but the finished segments."""
        self._empty(keep=("manifest.json", _PICTURES, *(self.names() if not self._pictures_apart else ())))

    def deliver(self, output: Path) -> None:
        """The folder of all finished pictures becomes `output`, whole, in one step."""
        with writing(output):
            if output.is_dir():
                output.rmdir()  # empty, or it would have been refused at the beginning
            os.replace(self.folder / _PICTURES, output)

    def close(self, *, remove: bool = False) -> None:
        """Let go of the folder; delete it where asked to or where nothing in it is worth resuming."""
        if self._lock.closed:
            return
        if remove or not self.finished:
            with suppress(OSError):
                self._empty(keep=())
            self._lock.close()
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            with suppress(OSError):
                self.drop_unfinished()
            self._lock.close()

    def _files(self, index: int, pictures: int | None = None) -> list[str]:
        if not self._pictures_apart:
            return [f"{index:06d}.mov"]
        first = self._first_number + sum(segment.pictures for segment in self.finished[:index])
        count = self.finished[index].pictures if pictures is None else pictures
        return [f"{_PICTURES}/{number:06d}.png" for number in range(first, first + count)]

    def _open(self) -> BinaryIO:
        """Make the folder and hold its lock."""
        if not self.folder.parent.is_dir():
            raise UserError(f"no folder {self.folder.parent}; make it first or choose another place")
        if os.path.lexists(self.folder) and not self._is_ours():
            raise UserError(
                f"{self.folder} is in the way and not a leftover of a render: rename it or choose another output"
            )
        try:
            self.folder.mkdir(exist_ok=True)
            lock = (self.folder / "lock").open("ab")
        except OSError as error:
            raise refusal(f"cannot make {self.folder}", error) from error
        try:
            _hold(lock)
        except (BlockingIOError, PermissionError):
            lock.close()
            raise UserError(
                f"another render of the same output is running in {self.folder}: wait for its end"
            ) from None
        except OSError:
            pass  # a network folder without locks: go on without
        return lock

    def _is_ours(self) -> bool:
        """Whether the folder is a render's: it has a manifest, or none yet and nothing else."""
        return self.folder.is_dir() and (
            (self.folder / "manifest.json").exists()
            or all(path.name == "lock" or path.name.startswith(".manifest-") for path in self.folder.iterdir())
        )

    def _adopt(self) -> None:
        """Take over what another run finished; UserError where it is another render's."""
        give_up = f"omit --resume to start again, or delete {self.folder}"
        try:
            found = msgspec.json.decode((self.folder / "manifest.json").read_bytes(), type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{self.folder / 'manifest.json'} is damaged ({error}): {give_up}") from error
        if found.identity != self._manifest.identity:
            raise UserError(f"{self.folder} belongs to another render (other preset, sound or settings): {give_up}")
        if found.encoding != self._manifest.encoding:
            raise UserError(
                f"{self.folder} was made with {found.encoding}, this is {self._manifest.encoding}: "
                f"ask for the same again, or {give_up}"
            )
        for index, segment in enumerate(found.finished):
            paths = [self.folder / name for name in self._files(index, segment.pictures)]
            if not all(path.exists() for path in paths) or sum(path.stat().st_size for path in paths) != segment.bytes:
                break  # deleted or cut by someone: begin again from here
            self._manifest = msgspec.structs.replace(self._manifest, finished=(*self.finished, segment))
        self.drop_unfinished()

    def _save(self) -> None:
        with written_atomically(self.folder / "manifest.json") as temporary:
            temporary.write_bytes(msgspec.json.encode(self._manifest))
            to_disk(temporary)
        to_disk(self.folder)

    def _empty(self, keep: tuple[str, ...]) -> None:
        paths = sorted(
            self.folder.iterdir(), key=lambda path: path.name == "manifest.json"
        )  # it goes last: see _is_ours
        for path in paths:
            if path.name in (*keep, "lock"):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the disk refuses in this block is a Failure that names `path`."""
    try:
        yield
    except OSError as error:
        why = DISK_FULL if is_disk_full(error) else error.strerror or error
        raise Failure(f"cannot write {path}: {why}") from error


def to_disk(path: Path) -> None:
    """Wait until a file's bytes, or a folder's entries, would survive a power cut."""
    if path.is_dir():
        if os.name != "posix":  # elsewhere folders cannot be opened, and their entries are journalled
            return
        handle = os.open(path, os.O_RDONLY)
    else:
        handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _hold(lock: BinaryIO) -> None:
    """Lock an open file for this process until it is closed or the process ends; OSError where another one has it."""
    if sys.platform == "win32":
        msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
