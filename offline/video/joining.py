"""Pieces of film joined to one, with the sound, without encoding the pictures again."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from offline.video.ffmpeg import Feed
from offline.video.segments import to_disk, writing
from offline.video.soundtrack import Soundtrack, encode_sound, limited
from shared.errors import Failure


@dataclass(frozen=True)
class Piece:
    """A piece of film."""

    file: str  # relative to the folder of all pieces
    pictures: int


def join(
    ffmpeg: Path,
    folder: Path,
    pieces: Sequence[Piece],
    fps: Fraction,
    suffix: str,
    soundtrack: Soundtrack | None,
    *,
    whole: bool,
    task: str,
) -> Path:
    """The film, in `folder`, safely on the disk.

    suffix: .mp4, .mov or .mkv. whole: all of the soundtrack, which may go on for a part of a picture after the last one;
    otherwise what belongs to these pictures. Failure where ffmpeg or the disk fails, or a picture is missing.
    """
    joined = folder / f"joined{suffix.lower()}"
    pictures = sum(piece.pictures for piece in pieces)
    with writing(folder):
        (folder / "joined.txt").write_text(_concat_list(pieces, fps), "ascii")
    arguments = ["-f", "concat", "-i", "joined.txt"]
    if soundtrack:
        sound = encode_sound(suffix, soundtrack)
        arguments += [*sound.input, "-i", "pipe:0", "-map", "0:v", "-map", "1:a", *sound.output]
    arguments += ["-c:v", "copy"]
    if joined.suffix != ".mkv":  # which keeps milliseconds and no decoding times
        arguments += ["-video_track_timescale", str(timescale(fps))]
        # x264 gives the pieces the same lead of decoding over showing, except to one shorter than that lead. Left as it
        # is, the film would claim to be some pictures longer than it is.
        arguments += ["-bsf:v", f"setts=pts=PTS:dts=STARTDTS+N*{timescale(fps) / fps}"]
    if joined.suffix == ".mkv":
        arguments += ["-fflags", "+bitexact"]  # no random identifiers: the same render gives the same bytes
    if joined.suffix == ".mp4":
        arguments += ["-movflags", "+faststart"]  # on the web it plays before all of it has come
    feed = Feed(ffmpeg, [*arguments, joined.name], folder=folder, task=task)
    try:
        if soundtrack:
            limit = None if whole else int(pictures * soundtrack.rate / fps)
            for block in limited(soundtrack.blocks(), limit):
                feed.write(block)
        counted(feed.finish(), pictures, joined.name)
    except BaseException:
        feed.kill()
        raise
    with writing(joined):
        to_disk(joined)
    return joined


def timescale(fps: Fraction) -> int:
    """Ticks a second of film time: a whole number of them for a picture, and 10000 to 240000 of them."""
    return fps.numerator * (1000 if fps.numerator <= 240 else -(-10_000 // fps.numerator))


def counted(made: int, given: int, file: str) -> int:
    """The number of pictures in `file`; Failure where ffmpeg made another number than it was given."""
    if made != given:
        raise Failure(f"ffmpeg was given {given} pictures for {file} and wrote {made}: try another ffmpeg")
    return made


def _concat_list(pieces: Sequence[Piece], fps: Fraction) -> str:
    """The list that ffmpeg's concat demuxer reads, each piece with its exact length.

    It counts in microseconds. The lengths are rounded so that their sum never strays by more than half of one, which
    the film's own ticks (see `timescale`) round away: no drift, however many pieces.
    """
    lines = []
    before = 0
    pictures = 0
    for piece in pieces:
        pictures += piece.pictures
        now = round(pictures * 1_000_000 / fps)
        lines += [f"file {piece.file}", f"duration {now - before}us"]
        before = now
    return "\n".join(lines) + "\n"
