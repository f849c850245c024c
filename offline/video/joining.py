"""Join pieces of film into one and add the sound, without encoding the pictures again."""

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
    """Write the film into `folder`, flushed to the disk; return its path.

    suffix: .mp4, .mov or .mkv. whole: add all of the soundtrack, which may last a fraction of a picture longer than the
    pictures; otherwise the sound is cut to their length. Raises Failure if ffmpeg or the disk fails, or a picture is missing.
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
    if joined.suffix != ".mkv":  # Matroska stores milliseconds and no decoding times
        arguments += ["-video_track_timescale", str(timescale(fps))]
        # x264 decodes all pieces the same number of pictures ahead, except one that is shorter than that. Unchanged, its
        # decoding times would make the film some pictures too long.
        arguments += ["-bsf:v", f"setts=pts=PTS:dts=STARTDTS+N*{timescale(fps) / fps}"]
    if joined.suffix == ".mkv":
        arguments += ["-fflags", "+bitexact"]  # no random identifiers: the same render gives the same bytes
    if joined.suffix == ".mp4":
        arguments += ["-movflags", "+faststart"]  # a browser plays it while it is still downloading
    feed = Feed(ffmpeg, [*arguments, joined.name], folder=folder, task=task)
    try:
        if soundtrack:
            limit = None if whole else int(pictures * soundtrack.rate / fps)
            for block in limited(soundtrack.blocks(), limit):
                feed.write(block)
        check_count(feed.finish(), pictures, joined.name)
    except BaseException:
        feed.kill()
        raise
    with writing(joined):
        to_disk(joined)
    return joined


def timescale(fps: Fraction) -> int:
    """Time units a second in the film's header: a whole number for each picture, 10000 to 240000 in all."""
    return fps.numerator * (1000 if fps.numerator <= 240 else -(-10_000 // fps.numerator))


def check_count(made: int, given: int, file: str) -> int:
    """The number of pictures in `file`. Raises Failure if ffmpeg wrote another number than it was given."""
    if made != given:
        raise Failure(f"ffmpeg was given {given} pictures for {file} and wrote {made}; try another version of ffmpeg")
    return made


def _concat_list(pieces: Sequence[Piece], fps: Fraction) -> str:
    """The list for ffmpeg's concat demuxer, with the exact length of each piece.

    The demuxer counts in microseconds. Lengths are rounded so that their sum is never off by more than half a microsecond,
    which disappears in the film's coarser time units (see `timescale`): no drift, however many pieces.
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
