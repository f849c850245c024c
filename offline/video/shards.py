"""Shards: the parts of a film that separate processes or machines render, joined later to the film of a single process.

    film.mp4.shards/
        1-of-8/         the segments of the first shard (see `segments`), and the film's sound
        ...
        8-of-8/

A shard consists of whole segments. Any render encodes segments independently of each other, so joining those of all shards
gives the same bytes as a single process.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Float32

from offline.video.codecs import Codec
from offline.video.soundtrack import Soundtrack
from shared.errors import SettingError

MOST_SHARDS = 9999
SOUND = "sound.f32"
"""Raw 32-bit floats, interleaved, little endian, as ffmpeg reads them when the film is joined."""
_WRITTEN = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
_NAMED = re.compile(r"([0-9]+)-of-([0-9]+)")
_BLOCK = 1 << 16  # samples


@dataclass(frozen=True, order=True)
class Shard:
    """One of `count` parts of a film, numbered from 1."""

    count: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse `2/8`. Raises SettingError."""
        found = _WRITTEN.fullmatch(text)
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count <= MOST_SHARDS:
            raise SettingError(
                f"--shards {text} given; allowed are N/COUNT such as 2/8, the second of eight; at most {MOST_SHARDS}"
            )
        return cls(count, number)

    @classmethod
    def named(cls, folder: str) -> "Shard | None":
        """Parse the name of a shard's folder; None for any other name."""
        found = _NAMED.fullmatch(folder)
        return cls(int(found[2]), int(found[1])) if found else None

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def folder(self, output: Path) -> Path:
        """The folder of its segments, for the film `output`."""
        return shards_folder(output) / f"{self.number}-of-{self.count}"

    def part(self, pictures: int, segment_pictures: int) -> range:
        """Its pictures, of the film's, counted from 0: whole segments, evenly divided.

        Raises SettingError if the film has fewer segments than shards.
        """
        segments = -(-pictures // segment_pictures)
        if self.count > segments:
            raise SettingError(
                f"--shards {self} given; a film of {pictures} pictures has {segments} segments of {segment_pictures}; "
                f"allowed are at most {segments} shards"
            )
        first, end = ((segments * number // self.count) * segment_pictures for number in (self.number - 1, self.number))
        return range(first, min(end, pictures))


class SoundFacts(msgspec.Struct, frozen=True):
    """The format of the samples in `SOUND`."""

    rate: int  # Hz
    channels: int
    subtype: str  # of the source, see `Soundtrack`


class Film(msgspec.Struct, frozen=True):
    """The whole film of a shard, with all that `join` needs instead of the preset and the sound file."""

    number: int
    count: int
    pictures: int  # of the whole film
    first_number: int  # of the whole film: the first picture's
    part: tuple[int, int]  # first and end of the shard's pictures, counted from the film's first
    codec: str
    fps: str
    sound: SoundFacts | None

    @classmethod
    def of(
        cls, shard: Shard, numbers: range, part: range, codec: Codec, fps: Fraction, soundtrack: Soundtrack | None
    ) -> "Film":
        """For a shard that is the `part` (counted from 0) of a film with these tick numbers."""
        sound = None
        if soundtrack is not None and not codec.folder:
            sound = SoundFacts(soundtrack.rate, soundtrack.channels, soundtrack.subtype)
        places = (part.start, part.stop)
        return cls(shard.number, shard.count, len(numbers), numbers.start, places, codec.name, str(fps), sound)

    @property
    def shard(self) -> Shard:
        """The shard."""
        return Shard(self.count, self.number)

    @property
    def stores_sound(self) -> bool:
        """Whether this shard's folder holds the film's sound."""
        return self.number == 1 and self.sound is not None

    @property
    def rate(self) -> Fraction:
        """Pictures a second."""
        return Fraction(self.fps)


def shards_folder(output: Path) -> Path:
    """The folder of all shards of a film."""
    return output.with_name(f"{output.name}.shards")


def stored_soundtrack(path: Path, sound: SoundFacts) -> Soundtrack:
    """The soundtrack that a shard stored."""

    def blocks() -> Iterator[Float32[np.ndarray, "n channels"]]:
        with path.open("rb") as file:
            while data := file.read(_BLOCK * sound.channels * 4):
                yield np.frombuffer(data, "<f4").reshape(-1, sound.channels)

    return Soundtrack(sound.rate, sound.channels, sound.subtype, blocks)
