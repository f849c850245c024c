"""The options of `ponticello render`."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

from offline.video.codecs import CODECS
from offline.video.film_format import FormatRequest
from shared.command_line import option
from shared.errors import SettingError
from shared.mapping.decimation import checked_rate
from shared.times import parse_time

FILM, EXCERPT, EVIDENCE = "Film", "Excerpt", "Evidence"  # panels of --help
LONGEST_FPS = 20  # characters
NTSC = {
    "23.976": Fraction(24000, 1001),
    "23.98": Fraction(24000, 1001),
    "29.97": Fraction(30000, 1001),
    "59.94": Fraction(60000, 1001),
}

ResumeOption = Annotated[
    bool, option("--resume", panel=FILM, help="Continue a stopped render of the same film from its finished part.")
]
ForceOption = Annotated[bool, option("--force", panel=FILM, help="Replace an existing film.")]


@dataclass(frozen=True)
class FilmOptions:
    """The film to write."""

    output: Annotated[
        Path,
        option(
            "--output",
            "-o",
            metavar="FILM|FOLDER",
            panel=FILM,
            help="Film to write: .mp4, .mov or .mkv, or a folder for PNG files.",
        ),
    ]
    fps: Annotated[
        str, option("--fps", metavar="RATE", panel=FILM, help="Pictures a second, also as a fraction: 30000/1001.")
    ] = "30"
    size: Annotated[
        str | None,
        option(
            "--size",
            metavar="WxH|PIXELS",
            panel=FILM,
            help="Width and height, such as 1920x1080: pictures are drawn in that shape. One number is the shorter side.",
            show_default="the generator's own",
        ),
    ] = None
    shape: Annotated[
        str | None,
        option(
            "--shape",
            metavar="RATIO|square",
            panel=FILM,
            help="Shape of the pictures: square, or a ratio such as 16:9.",
            show_default="square, or the recording's",
        ),
    ] = None
    fit: Annotated[
        str,
        option(
            "--fit",
            metavar="wide|square|crop|mirror",
            panel=FILM,
            help="wide draws in the film's shape; square keeps the network's square, with bars; crop cuts it; mirror "
            "continues it by its mirror images.",
        ),
    ] = "wide"
    codec: Annotated[
        str | None,
        option(
            "--codec",
            metavar="|".join(CODECS),
            panel=FILM,
            help="How pictures are stored; see docs/rendering.md.",
            show_default="by the ending of the output",
        ),
    ] = None
    shards: Annotated[
        str | None,
        option(
            "--shards",
            metavar="N/COUNT",
            panel=FILM,
            help="Render one of several parts, such as 2/8. `ponticello join FILM` joins them.",
            show_default="the whole film",
        ),
    ] = None
    relax: Annotated[
        float,
        option(
            "--relax",
            metavar="STRENGTH",
            panel=FILM,
            min=0,
            max=100,
            help="Relax the path where pictures jump instead of flowing, 2 for example; draws all pictures twice.",
            show_default="0, off",
        ),
    ] = 0.0
    resume: ResumeOption = False
    force: ForceOption = False

    def format(self) -> FormatRequest:
        """The size, shape and fit. Raises SettingError for values that are not allowed."""
        return FormatRequest.parse(self.size, self.shape, self.fit)


@dataclass(frozen=True)
class ExcerptOptions:
    """The part of the sound to render."""

    channel: Annotated[
        int | None,
        option(
            "--channel",
            metavar="N",
            panel=EXCERPT,
            help="Channel to analyse, from 1.",
            show_default="the average of all",
        ),
    ] = None
    start: Annotated[
        str, option("--start", metavar="TIME", panel=EXCERPT, help="First time: seconds, m:ss or h:mm:ss.")
    ] = "0"
    end: Annotated[
        str | None,
        option(
            "--end", metavar="TIME", panel=EXCERPT, help="Time to stop before.", show_default="the end of the sound"
        ),
    ] = None

    def seconds(self) -> tuple[Fraction, Fraction | None]:
        """Start and end. Raises SettingError for anything but a time."""
        return parse_time(self.start), None if self.end is None else parse_time(self.end)


@dataclass(frozen=True)
class EvidenceOptions:
    """Hashes of the pictures, to compare renders."""

    frames_hash: Annotated[
        bool, option("--frames-hash", panel=EVIDENCE, help="Print the SHA-256 of all pictures as the last line.")
    ] = False
    hashes: Annotated[
        Path | None,
        option(
            "--hashes",
            metavar="FILE.csv",
            panel=EVIDENCE,
            help="Write the SHA-256 of every picture to this file.",
        ),
    ] = None


def parse_fps(text: str) -> Fraction:
    """Parse `30`, `30000/1001` or `29.97`, which means 30000/1001. Raises SettingError."""
    try:
        if "e" in text.lower() or len(text) > LONGEST_FPS:  # 1e99999999 would take for ever
            raise ValueError
        fps = NTSC.get(text) or Fraction(text).limit_denominator(1001)  # 29.97003 is 30000/1001 as well
    except (ValueError, ZeroDivisionError):
        raise SettingError(f"--fps {text} given; allowed are numbers and fractions like 25, 30 or 30000/1001") from None
    return checked_rate(fps)
