"""A data set for training: a zip or folder of square pictures of one size, with labels in dataset.json."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from offline.dataset.layout import LABELS_FILE, is_picture, label_array, parse_listing
from offline.options import counted
from shared.errors import UserError

CHANNELS = {"L": 1, "RGB": 3}  # by Pillow's mode
ADVICE = "make the data set with ponticello dataset"
MOST_CLASSES = 12  # listed one by one


class Dataset:
    """Pictures in the order of their names, read when they are asked for. Several threads may read at once."""

    def __init__(self, path: Path, *, use_labels: bool = False, mirror: bool = False) -> None:
        """mirror: number the flipped copies of all pictures after the pictures. UserError for anything that is no data set."""
        self.path = path
        self._read, names = _open(path)
        self._names = sorted(name for name in names if is_picture(name))
        if not self._names:
            raise UserError(f"{path} has no pictures in it; {ADVICE}")
        self._copies = 2 if mirror else 1
        first = self._decoded(self._names[0])
        self.channels, self.resolution = first.shape[0], first.shape[1]
        if first.shape[1] != first.shape[2] or self.resolution & (self.resolution - 1):
            raise UserError(
                f"{path}: {self._names[0]} has {first.shape[2]} x {first.shape[1]} pixels; allowed are squares with a power of two a side; {ADVICE}"
            )
        listing = parse_listing(self._read(LABELS_FILE), f"{path}: {LABELS_FILE}") if LABELS_FILE in names else None
        self.has_labels = bool(listing and listing.labels)
        """Whether there are labels, used or not."""
        self.classes: list[str] = listing.classes if listing else []
        """Name of each class, where the data set names them."""
        self.labels: Float32[np.ndarray, "n c_dim"] = np.zeros((len(self), 0), np.float32)
        if use_labels:
            if listing is None or not listing.labels:
                raise UserError(f"{path} has no labels; make it with ponticello dataset --labels, or train without")
            missing = [name for name in self._names if name not in listing.labels]
            if missing:
                raise UserError(f"{path}: {len(missing)} pictures have no label, the first is {missing[0]}; add them")
            labels = label_array([listing.labels[name] for name in self._names], f"{path}: {LABELS_FILE}")
            self.labels = np.concatenate([labels] * self._copies)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the names and contents of all files, by their checksums in a zip, by their sizes in a folder."""
        if self.path.is_dir():
            facts = [[name, (self.path / name).stat().st_size] for name in self._names]
        else:
            with zipfile.ZipFile(self.path) as archive:
                facts = sorted([info.filename, info.file_size, info.CRC] for info in archive.infolist())
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def describe_labels(self) -> str:
        """`2 classes: 0 glass (80), 1 smoke (75)`, or the length of labels that are not classes; empty if none are used."""
        width = self.labels.shape[1]
        if not width:
            return ""
        if not (np.isin(self.labels, (0, 1)).all() and (self.labels.sum(axis=1) == 1).all()):
            return f"labels of {counted(width, 'number')}"
        names = self.classes if len(self.classes) == width else [""] * width
        counts = self.labels.sum(axis=0).astype(int)
        shown = [
            " ".join(filter(None, (str(number), name, f"({count:,})")))
            for number, (name, count) in enumerate(zip(names, counts, strict=True))
        ]
        more = [f"{width - MOST_CLASSES} more"] if width > MOST_CLASSES else []
        return f"{counted(width, 'class', 'classes')}: {', '.join(shown[:MOST_CLASSES] + more)}"

    def __len__(self) -> int:
        """Number of pictures, flipped copies included."""
        return len(self._names) * self._copies

    def name(self, number: int) -> str:
        """The file's name in the data set; a flipped copy has that of its picture."""
        return self._names[number % len(self._names)]

    def image(self, number: int) -> UInt8[np.ndarray, "c s s"]:
        """Picture `number`, 0..len - 1. Raises UserError if it is damaged or unlike the first."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        pixels = self._decoded(self.name(number))
        wanted = (self.channels, self.resolution, self.resolution)
        if pixels.shape != wanted:
            raise UserError(
                f"{self.path}: {self.name(number)} has the shape {pixels.shape}, the first picture {wanted}; {ADVICE}"
            )
        return np.ascontiguousarray(pixels[:, :, ::-1]) if number >= len(self._names) else pixels

    def _decoded(self, name: str) -> UInt8[np.ndarray, "c h w"]:
        try:
            with Image.open(io.BytesIO(self._read(name))) as image:
                if image.mode not in CHANNELS:
                    raise UserError(f"{self.path}: {name} is {image.mode}; allowed are RGB and grey; {ADVICE}")
                pixels = np.array(image)
        except (OSError, SyntaxError, ValueError, zipfile.BadZipFile, Image.DecompressionBombError) as error:
            raise UserError(f"{self.path}: {name} cannot be read ({error}); {ADVICE}") from error
        return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


def _open(path: Path) -> tuple[Callable[[str], bytes], set[str]]:
    """A function that gives a file's content, and the names of all files."""
    if path.is_dir():
        files = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
        return lambda name: (path / name).read_bytes(), files
    try:
        archive = zipfile.ZipFile(path)  # reads under a lock of its own, so threads may share it
    except (OSError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path} is not a data set ({reason}); give a zip or folder of pictures; {ADVICE}") from error
    return archive.read, set(archive.namelist())
