"""The finished part of a render, kept beside the output so that another run can continue it.

    film.mp4.parts/
        manifest.json           the render that the segments belong to, and the pictures and bytes of each segment
        lock                    held by the running render
        000000.mov ...          finished segments; for a folder of pictures: pictures/000000.png ...
        unfinished-000003.mov   the segment being encoded; useless until it is complete
        joined.mp4              the film while it is joined
        sound.f32               the film's sound, in the folder of its first shard (see `shards`)

A segment counts once the manifest lists it. Its bytes are flushed to the disk before that, so neither a killed process nor
a power cut leaves a damaged segment.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from offline.video.shards import SOUND, Film
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
    """The render that the segments belong to, and the finished ones."""

    identity: str  # the caller's hash of preset, sound and settings
    encoding: str  # codec, rate, sizes and ffmpeg version: only segments of the same encoding can be joined
    finished: tuple[Finished, ...] = ()
    film: Film | None = None  # the film of which they are a shard
    sound_bytes: int | None = None  # of the film's sound, if it is stored here

    @property
    def pictures(self) -> int:
        """Number of pictures in the finished segments."""
        return sum(segment.pictures for segment in self.finished)


class Segments:
    """The segments of one output, or of a shard of it."""

    def __init__(
        self,
        folder: Path,
        *,
        pictures_apart: bool,
        first_number: int,
        identity: str,
        encoding: str,
        resume: bool,
        film: Film | None = None,
    ) -> None:
        """Open `folder`; empty it unless `resume`.

        pictures_apart: segments are PNG files, numbered from `first_number`, instead of pieces of film.
        film: the film of which the segments are a shard.
        Raises UserError if the folder cannot be made, is not a render's, is in use, or (with resume) belongs to another
        render.
        """
        self.folder = folder
        self._pictures_apart = pictures_apart
        self._first_number = first_number
        self._manifest = Manifest(identity, encoding, film=film)
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
        """Number of pictures in the finished segments."""
        return self._manifest.pictures

    def names(self) -> list[str]:
        """Files of the finished segments (pieces of film, or pictures), relative to the folder."""
        if self._pictures_apart:
            return picture_files(self._first_number, self.pictures)
        return [piece_file(index) for index in range(len(self.finished))]

    def begin(self, index: int) -> str:
        """The name, relative to the folder, of the file that ffmpeg may write for segment `index`.

        An earlier file of that name is unlinked, not overwritten: the ffmpeg of a killed render may still be writing to it.
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
        """Files of unfinished segments, relative to the folder, in order."""
        found = self.folder.glob(f"{_UNFINISHED}*{'/*.png' if self._pictures_apart else '.mov'}")
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def finish(self, index: int, pictures: int) -> None:
        """Add segment `index`, the next one, to the finished ones; it holds `pictures` pictures."""
        name = f"{_UNFINISHED}{index:06d}"
        with writing(self.folder):
            if self._pictures_apart:
                made = sorted((self.folder / name).iterdir())
                (self.folder / _PICTURES).mkdir(exist_ok=True)
            else:
                made = [self.folder / f"{name}.mov"]
            targets = [self.folder / file for file in self._files(pictures)]
            for path, target in zip(made, targets, strict=True):
                to_disk(path)
                os.replace(path, target)
            if self._pictures_apart:
                (self.folder / name).rmdir()
                to_disk(self.folder / _PICTURES)
            segment = Finished(pictures, sum(target.stat().st_size for target in targets))
            self._manifest = msgspec.structs.replace(self._manifest, finished=(*self.finished, segment))
            self._save()

    def store_sound(self, blocks: Iterable[bytes]) -> None:
        """Store the sound of the film of which this is the first shard."""
        with writing(self.folder):
            with written_atomically(self.folder / SOUND) as temporary:
                with temporary.open("wb") as file:
                    for block in blocks:
                        file.write(block)
                to_disk(temporary)
            size = (self.folder / SOUND).stat().st_size
            self._manifest = msgspec.structs.replace(self._manifest, sound_bytes=size)
            self._save()

    def drop_unfinished(self) -> None:
        """Delete everything but the finished segments and the stored sound."""
        self._empty(keep=("manifest.json", SOUND, _PICTURES, *(self.names() if not self._pictures_apart else ())))

    def deliver(self, output: Path) -> None:
        """Rename the folder of finished pictures to `output`."""
        with writing(output):
            if output.is_dir():
                output.rmdir()  # it is empty: `check_output` refuses any other
            os.replace(self.folder / _PICTURES, output)

    def close(self, *, remove: bool = False) -> None:
        """Release the folder. It is deleted with `remove`, or if there is no finished segment to resume from."""
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

    def _files(self, pictures: int) -> list[str]:
        """Files of the next segment, with this number of pictures."""
        if self._pictures_apart:
            return picture_files(self._first_number + self.pictures, pictures)
        return [piece_file(len(self.finished))]

    def _open(self) -> BinaryIO:
        """Make the folder and lock it."""
        if self._manifest.film is not None:
            with suppress(OSError):  # the next lines report it
                self.folder.parent.mkdir(exist_ok=True)
        if not self.folder.parent.is_dir():
            raise UserError(f"no folder {self.folder.parent}; make it first or choose another place")
        if os.path.lexists(self.folder) and not self._is_ours():
            raise UserError(f"{self.folder} exists and does not belong to a render; rename it or choose another output")
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
                f"another render of the same output is running in {self.folder}; wait until it ends"
            ) from None
        except OSError:
            pass  # a network folder that has no locks
        return lock

    def _is_ours(self) -> bool:
        """Whether the folder belongs to a render: it holds a manifest, or nothing but a lock."""
        return self.folder.is_dir() and (
            (self.folder / "manifest.json").exists()
            or all(path.name == "lock" or path.name.startswith(".manifest-") for path in self.folder.iterdir())
        )

    def _adopt(self) -> None:
        """Take over the segments of an earlier run. Raises UserError if they belong to another render."""
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
        for segment in found.finished:
            if not is_complete(self.folder, self._files(segment.pictures), segment.bytes):
                break  # deleted or truncated since: continue from here
            self._manifest = msgspec.structs.replace(self._manifest, finished=(*self.finished, segment))
        self.drop_unfinished()

    def _save(self) -> None:
        with written_atomically(self.folder / "manifest.json") as temporary:
            temporary.write_bytes(msgspec.json.encode(self._manifest))
            to_disk(temporary)
        to_disk(self.folder)

    def _empty(self, keep: tuple[str, ...]) -> None:
        # the manifest is deleted last: without it, a folder with other files would not be ours
        for path in sorted(self.folder.iterdir(), key=lambda path: path.name == "manifest.json"):
            if path.name in (*keep, "lock"):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def piece_file(index: int) -> str:
    """The file of a finished piece of film."""
    return f"{index:06d}.mov"


def picture_files(first: int, count: int) -> list[str]:
    """The files of finished pictures from number `first` on."""
    return [f"{_PICTURES}/{number:06d}.png" for number in range(first, first + count)]


def is_complete(folder: Path, names: Iterable[str], size: int) -> bool:
    """Whether all these files exist and have `size` bytes together."""
    paths = [folder / name for name in names]
    return all(path.exists() for path in paths) and sum(path.stat().st_size for path in paths) == size


def gather(pictures: Iterable[Path], folder: Path) -> None:
    """Fill a new folder with these files, without moving them."""
    with writing(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in pictures:
            picture = folder / path.name
            try:
                picture.hardlink_to(path)
            except OSError:  # a disk that has no hard links
                shutil.copyfile(path, picture)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError in this block into a Failure that names `path`."""
    try:
        yield
    except OSError as error:
        why = DISK_FULL if is_disk_full(error) else error.strerror or error
        raise Failure(f"cannot write {path}: {why}") from error


def to_disk(path: Path) -> None:
    """Flush a file's bytes, or a folder's entries, to the disk, so that they survive a power cut."""
    if path.is_dir():
        if os.name != "posix":  # Windows cannot open folders, and journals their entries
            return
        handle = os.open(path, os.O_RDONLY)
    else:
        handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _hold(lock: BinaryIO) -> None:
    """Lock an open file until it is closed or this process ends. Raises OSError if another process holds the lock."""
    if sys.platform == "win32":
        msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
