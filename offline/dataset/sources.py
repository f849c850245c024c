"""Finds films and picture files in the given paths, with their labels."""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from offline.dataset.layout import LABELS_FILE, PICTURE_SUFFIXES, Label, Listing, parse_listing
from offline.dataset.left_out import Omission
from shared.errors import UserError

STILLS = PICTURE_SUFFIXES | {".jfif", ".tga", ".psd", ".jp2", ".avif", ".heic", ".heif", ".ppm", ".pgm", ".pnm"}
ZIP_ERRORS = (zipfile.BadZipFile, RuntimeError, NotImplementedError)
"""What zipfile raises for damage, for a password, and for a compression that it does not know."""
FILMS = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".mxf", ".wmv"}
    | {".asf", ".flv", ".3gp", ".ogv", ".gif", ".dv", ".y4m", ".vob"}
)


class Still(NamedTuple):
    """A picture file, on disk or in a zip."""

    name: str
    read: Callable[[], bytes]
    label: str | Label | None
    """The name of its class, or the number or numbers in a data set; None if there is no label."""
    identity: tuple[int, int]
    """Size in bytes and time of the last change, or the zip's checksum."""


class FilmFile(NamedTuple):
    """A film file."""

    name: str
    path: Path
    label: str | Label | None
    identity: tuple[int, int]


@dataclass
class Sources:
    """All films and pictures in their order, and the files that are neither."""

    items: list[Still | FilmFile] = field(default_factory=list)
    left_out: list[Omission] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)
    """Data sets that have labels."""


def find_sources(paths: Sequence[Path]) -> Sources:
    """Find the sources in the paths, including subfolders, sorted by name. Raises UserError.

    A file's class is the first folder below the given one, the given folder if the file lies directly in it, or the parent
    folder of a file that is given itself. Labels of a data set take precedence over its folders.
    """
    sources = Sources()
    for path in paths:
        if path.is_dir():
            _add_folder(sources, path)
        elif not path.exists():
            raise UserError(f"no file or folder {path}; give films, pictures, folders or zips")
        elif zipfile.is_zipfile(path):
            _add_zip(sources, path)
        else:
            _add_file(sources, path, path.resolve().parent.name, path.suffix.lower() in STILLS)
    if not sources.items:
        raise UserError(f"no films or pictures in {', '.join(map(str, paths))}; give films, pictures, folders or zips")
    return sources


def _add_folder(sources: Sources, folder: Path) -> None:
    listing_file = folder / LABELS_FILE
    listing = parse_listing(listing_file.read_bytes(), str(listing_file)) if listing_file.is_file() else None
    if listing and listing.labels:
        sources.labelled.append(str(folder))
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        inner = path.relative_to(folder)
        suffix = path.suffix.lower()
        if any(part.startswith(".") for part in inner.parts) or inner.as_posix() == LABELS_FILE:
            continue
        label = _label(inner.as_posix(), folder.resolve().name, listing)
        if suffix in STILLS or suffix in FILMS:
            _add_file(sources, path, label, suffix in STILLS)
        else:
            sources.left_out.append(Omission(str(path), "neither a film nor a picture, by its name"))


def _add_file(sources: Sources, path: Path, label: str | Label | None, is_still: bool) -> None:
    status = path.stat()
    identity = (status.st_size, status.st_mtime_ns)
    kind: Still | FilmFile = (
        Still(str(path), path.read_bytes, label, identity) if is_still else FilmFile(str(path), path, label, identity)
    )
    sources.items.append(kind)


def _add_zip(sources: Sources, path: Path) -> None:
    try:
        archive = zipfile.ZipFile(path)  # stays open while the pictures are read
        listing = None
        if LABELS_FILE in archive.namelist():
            listing = parse_listing(archive.read(LABELS_FILE), f"{path}: {LABELS_FILE}")
    except (OSError, *ZIP_ERRORS) as error:
        raise UserError(f"{path} cannot be read as a zip ({error}); repair it or leave it out") from error
    if listing and listing.labels:
        sources.labelled.append(str(path))
    for info in sorted(archive.infolist(), key=lambda info: info.filename):
        inner = PurePosixPath(info.filename)
        if (
            info.is_dir()
            or any(part.startswith((".", "__MACOSX")) for part in inner.parts)
            or str(inner) == LABELS_FILE
        ):
            continue
        name = f"{path}/{inner}"
        if inner.suffix.lower() in STILLS:
            label = _label(str(inner), path.stem, listing)
            read = _Member(archive, info)
            sources.items.append(Still(name, read, label, (info.file_size, info.CRC)))
        else:
            is_film = inner.suffix.lower() in FILMS
            reason = "a film inside a zip; unpack it" if is_film else "neither a film nor a picture, by its name"
            sources.left_out.append(Omission(name, reason))


class _Member:
    """Reads one file of a zip."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info

    def __call__(self) -> bytes:
        try:
            return self._archive.read(self._info)
        except (EOFError, *ZIP_ERRORS) as error:
            raise OSError(str(error)) from error


def _label(inner: str, root: str, listing: Listing | None) -> str | Label | None:
    if listing and listing.labels:
        label = listing.labels.get(inner)
        is_named = isinstance(label, int) and label < len(listing.classes)
        return listing.classes[label] if is_named and isinstance(label, int) else label
    first, slash, _ = inner.partition("/")
    return first if slash and listing is None else root  # folders of a data set are numbers of pictures
