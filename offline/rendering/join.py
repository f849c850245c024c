"""`ponticello join`: joins the shards of a film, rendered by separate processes, to the film of a single process."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from offline.options import counted
from offline.progress import say
from offline.rendering.options import FILM, ForceOption
from offline.video.codecs import CODECS, Codec
from offline.video.joining import Piece, join
from offline.video.segments import Manifest, gather, is_complete, picture_files, piece_file, writing
from offline.video.shards import SOUND, Film, Shard, shards_folder, stored_soundtrack
from offline.video.writer import check_free, check_overwriting
from shared.command_line import example, new_app, option
from shared.errors import UserError
from shared.ffmpeg import find_ffmpeg, version

NAMED = 6  # limit of the shards that an error lists


@dataclass(frozen=True)
class Part:
    """A shard: its folder, its manifest and the film that it belongs to."""

    folder: Path
    manifest: Manifest
    film: Film

    @property
    def codec(self) -> Codec:
        """The codec of its pictures."""
        return CODECS[self.film.codec]

    def files(self) -> list[str]:
        """Files of its segments, in order, relative to its folder."""
        if self.codec.folder:
            return picture_files(self.film.first_number + self.film.part[0], self.manifest.pictures)
        return [piece_file(index) for index in range(len(self.manifest.finished))]

    def pieces(self) -> list[Piece]:
        """Its pieces of film, relative to the folder of all shards."""
        names = (f"{self.folder.name}/{name}" for name in self.files())
        return list(map(Piece, names, (segment.pictures for segment in self.manifest.finished)))


def join_shards(output: Path, *, force: bool = False, keep: bool = False) -> int:
    """Join the shards of a film without encoding its pictures again; return the number of pictures.

    The film appears under its name once it is complete. force: replace an earlier one. keep: do not delete the shards.
    Raises UserError if a shard is missing, unfinished, damaged or belongs to another render; Failure if ffmpeg or the disk
    fails.
    """
    check_overwriting(output, force)
    place = output.resolve() if output.is_dir() else output
    folder = shards_folder(place)
    parts = find_parts(place)
    film, codec = parts[0].film, parts[0].codec
    check_free(output, codec)
    say(f"joining {counted(len(parts), 'shard')} of {output}")
    if codec.folder:
        gathered = folder / "gathered"
        gather([part.folder / name for part in parts for name in part.files()], gathered)
        with writing(output):
            if place.is_dir():
                place.rmdir()  # it is empty: `check_free` refuses any other
            os.replace(gathered, place)
    else:
        ffmpeg = find_ffmpeg(codec.encoder)
        if not parts[0].manifest.encoding.endswith(version(ffmpeg)):
            say(f"{version(ffmpeg)} joins shards made with another version: a single process may give other bytes")
        sound = None if film.sound is None else stored_soundtrack(parts[0].folder / SOUND, film.sound)
        pieces = [piece for part in parts for piece in part.pieces()]
        task = f"putting {output} together"
        joined = join(ffmpeg, folder, pieces, film.rate, place.suffix, sound, whole=True, task=task)
        with writing(output):
            os.replace(joined, place)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    return film.pictures


def find_parts(output: Path) -> list[Part]:
    """All shards of a film, in order. Raises UserError as `join_shards` does."""
    folder = shards_folder(output)
    present = sorted(shard for path in folder.glob("*-of-*") if path.is_dir() and (shard := Shard.named(path.name)))
    if not present:
        raise UserError(f"no shards of {output} in {folder}: render them first with --shards N/COUNT")
    counts = sorted({shard.count for shard in present})
    if len(counts) > 1:
        raise UserError(
            f"{folder} has shards N/{counts[0]} and N/{counts[1]}: delete the folders that do not belong to this film"
        )
    (count,) = counts
    parts = {shard.number: part for shard in present if (part := read_part(shard.folder(output), shard))}
    if missing := [number for number in range(1, count + 1) if number not in parts]:
        some = f"shard {missing[0]}/{count} is" if len(missing) == 1 else f"shards {listed(missing)} of {count} are"
        raise UserError(f"{folder}: {some} missing: render with --shards N/{count}, or copy the folders here")
    first, *others = (parts[number] for number in range(1, count + 1))
    for part in others:
        check_same_render(part, first)
    for part in parts.values():
        check_finished(part)
    return [first, *others]


def read_part(folder: Path, shard: Shard) -> Part | None:
    """Read a shard; None if its render has only begun. Raises UserError if its manifest is damaged."""
    path = folder / "manifest.json"
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged ({error}): delete {folder} and render shard {shard} again") from error
    if manifest.film is None or manifest.film.shard != shard or manifest.film.codec not in CODECS:
        raise UserError(f"{path} does not belong to shard {shard}: delete {folder} and render shard {shard} again")
    return Part(folder, manifest, manifest.film)


def check_same_render(part: Part, first: Part) -> None:
    """Raise UserError if a shard belongs to another render than the first one."""
    again = f"delete {part.folder} and render shard {part.film.shard} again"
    if (part.manifest.identity, part.film.pictures) != (first.manifest.identity, first.film.pictures):
        raise UserError(
            f"shard {part.film.shard} belongs to another render than shard {first.film.shard} (other preset, sound, settings "
            f"or backend): {again}"
        )
    if part.manifest.encoding != first.manifest.encoding:
        raise UserError(
            f"shard {part.film.shard} was made with {part.manifest.encoding}, shard {first.film.shard} with "
            f"{first.manifest.encoding}: {again}"
        )


def check_finished(part: Part) -> None:
    """Raise UserError if pictures or the sound of a shard are missing."""
    film, manifest = part.film, part.manifest
    wanted = film.part[1] - film.part[0]
    if manifest.pictures != wanted or (film.stores_sound and manifest.sound_bytes is None):
        raise UserError(
            f"shard {film.shard} is not finished ({manifest.pictures} of {wanted} pictures): render it again with --resume"
        )
    sizes = [(part.files(), sum(segment.bytes for segment in manifest.finished))]
    if film.stores_sound:
        sizes.append(([SOUND], manifest.sound_bytes or 0))
    if not all(is_complete(part.folder, names, size) for names, size in sizes):
        raise UserError(f"shard {film.shard} is damaged in {part.folder}: render it again with --resume")


def listed(numbers: Sequence[int]) -> str:
    """`3`, `3 and 5`, or `3, 5, 7 ...`."""
    written = [str(number) for number in numbers[:NAMED]]
    if len(numbers) > NAMED:
        return f"{', '.join(written)} ..."
    *front, last = written
    return f"{', '.join(front)} and {last}" if front else last


app = new_app()


@app.command(epilog=example("ponticello join film.mp4"))
def command(
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The film or folder of pictures, as given to `render -o`.", show_default=False
        ),
    ],
    force: ForceOption = False,
    keep: Annotated[bool, option("--keep", panel=FILM, help="Keep the shards.")] = False,
) -> None:
    """Join the parts that `ponticello render --shards` made to one film with its sound, without encoding again."""
    print(f"{output}: {counted(join_shards(output, force=force, keep=keep), 'picture')}")
