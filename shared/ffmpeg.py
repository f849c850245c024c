"""Finds ffmpeg."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from shared.errors import Failure

SETTINGS = (
    "PONTICELLO_FFMPEG",
    "IMAGEIO_FFMPEG_EXE",
)  # environment variables that name an ffmpeg; the first one set is used


def find_ffmpeg(encoder: str | None = None) -> Path:
    """The ffmpeg to use: the one that a setting names, else the one on PATH, else the one of imageio-ffmpeg.

    If the program of a setting (`PONTICELLO_FFMPEG`, then `IMAGEIO_FFMPEG_EXE`) does not run or lacks `encoder`, that is
    a Failure. An ffmpeg on PATH that does not run or lacks `encoder` is skipped: distributions build it without
    patented encoders.
    """
    for setting in SETTINGS:
        if name := os.environ.get(setting):
            found = shutil.which(name)
            trouble = _trouble(found, encoder) if found else "is not a program"
            if found is None or trouble:
                raise Failure(f"{setting} names {name}, which {trouble}: name another ffmpeg or unset {setting}")
            return Path(found).absolute()
    on_path = shutil.which("ffmpeg")
    if on_path and not _trouble(on_path, encoder):
        return Path(on_path).absolute()
    bundled = _bundled()
    trouble = _trouble(bundled, encoder) if bundled else "is missing"
    if bundled is None or trouble:
        wanted = "no working ffmpeg" + (f" with the encoder {encoder}" if encoder else "")
        raise Failure(f"{wanted} (the one of imageio-ffmpeg {trouble}): install ffmpeg or set {SETTINGS[0]} to one")
    return Path(bundled).absolute()


def version(ffmpeg: Path) -> str:
    """Name and version of `ffmpeg`, e.g. "ffmpeg version 7.1"."""
    first = subprocess.run(
        [ffmpeg, "-version"], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False
    ).stdout.partition("\n")[0]
    return first.partition(" Copyright")[0]


def _bundled() -> str | None:
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:  # its wheel has no binary for this platform
        return None


def _trouble(ffmpeg: str, encoder: str | None) -> str | None:
    """What is wrong with this program, as the end of a sentence; None for a program that works."""
    try:
        done = subprocess.run(
            [ffmpeg, "-hide_banner", "-encoders"],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except OSError as error:
        return f"does not run ({error.strerror or error})"
    except subprocess.TimeoutExpired:
        return "does not answer"
    if done.returncode:
        return f"does not run ({' '.join(done.stderr.split())[:200] or f'status {done.returncode}'})"
    if encoder and not re.search(rf"^ [A-Z.]{{6}} {re.escape(encoder)} ", done.stdout, re.MULTILINE):
        return f"has no encoder {encoder}"
    return None
