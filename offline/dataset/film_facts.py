"""Facts about a film that ffmpeg reports before it decodes frames."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from offline.dataset.left_out import LeftOut
from shared.errors import printable
from shared.ffmpeg import find_ffmpeg

DEMUXERS = (  # no playlists and no lists of files: they would make ffmpeg read other places
    "asf,avi,dv,flv,gif,h264,hevc,ivf,m4v,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpeg,mpegts,mpegvideo,mxf,ogg,rm,"
    "yuv4mpegpipe"
)
FACTS_S = 60.0  # time limit
TRANSFERS = {"smpte2084": "smpte2084", "arib-std-b67": "arib-std-b67"}  # PQ and HLG
MATRICES = ("bt709", "bt470bg", "smpte170m", "bt2020", "fcc", "smpte240m", "gbr", "ycgco")
HD_LINES = 720  # a film of at least so many lines that states no matrix has that of BT.709


@dataclass(frozen=True)
class FilmFacts:
    """Facts needed to decode a film correctly, and to estimate the work."""

    width: int
    height: int
    seconds: float | None
    """None if the container does not say."""
    rate_hz: float | None
    interlaced: bool
    transfer: str | None
    """The transfer curve of an HDR film, as zscale calls it."""
    matrix: str | None
    """The colour matrix to assume if the film states none and ffmpeg's default is wrong."""
    alpha: bool


def film_input(path: Path) -> list[str]:
    """Arguments that make ffmpeg read this file, and no other places that it may refer to."""
    return ["-format_whitelist", DEMUXERS, "-protocol_whitelist", "file", "-i", f"file:{os.path.abspath(path)}"]


def film_facts(path: Path) -> FilmFacts:
    """The facts of a film. Raises LeftOut if ffmpeg finds no film in the file."""
    command = [str(find_ffmpeg()), "-hide_banner", "-nostdin", *film_input(path)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=FACTS_S, check=False, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        raise LeftOut(f"ffmpeg says nothing about it within {FACTS_S:.0f} s") from None
    text = done.stderr.decode("utf-8", "replace")
    streams = re.findall(r"^ *Stream #0:\d+.*?: Video: (.*)$", text, re.MULTILINE)
    stream = next((each for each in streams if "(attached pic)" not in each), None)
    size = re.search(r", (\d+)x(\d+)", stream) if stream else None
    if stream is None or size is None:
        raise LeftOut(_reason(text) or "no film in it")
    duration = re.search(r"^ *Duration: (\d+):(\d+):(\d+\.\d+)", text, re.MULTILINE)
    rate = re.search(r"([\d.]+)(k?) fps", stream)
    colours = re.search(r", (\w+)\(([^()]*)\),", stream)
    words = set(re.split(r"[,/ ]+", colours[2])) if colours else set()
    pixels = re.search(r", (\w+)(?:\([^()]*\))?, \d+x\d+", stream)
    height = int(size[2])
    is_yuv = bool(pixels and pixels[1].startswith("yuv"))
    states_matrix = any(word.startswith(MATRICES) for word in words)
    return FilmFacts(
        int(size[1]),
        height,
        int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration else None,
        float(rate[1]) * (1000 if rate[2] else 1) if rate else None,
        bool(re.search(r"\b(top|bottom)( coded)? first", stream)),
        next((TRANSFERS[word] for word in words if word in TRANSFERS), None),
        "bt709" if is_yuv and not states_matrix and height >= HD_LINES else None,
        bool(pixels and re.match(r"yuva|rgba|argb|bgra|abgr|gbrap|ya8|ya16|pal8", pixels[1])),
    )


def _reason(text: str) -> str:
    """The last line of ffmpeg about a file that it cannot read."""
    lines = [line for line in text.splitlines() if line.strip() and "At least one output file" not in line]
    line = lines[-1].partition(": ")[2] or lines[-1] if lines else ""
    return f"ffmpeg: {printable(re.sub(r'^file:.*: ', '', line).strip())[:200]}" if line else ""
