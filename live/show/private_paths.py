"""Removes folders from error texts that are sent by OSC: names of files stay, their places do not leave the computer."""

import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from shared.preset import places

QUOTED = re.compile(r"(['\"])(?:~|\.{1,2}|[A-Za-z]:)?[/\\](?:(?!\1).)*?([^/\\'\"]*)[/\\]*\1")
UNQUOTED = re.compile(r"(?<![\w/\\.-])(?!/ponticello(?:/|\b))(?:~\w*|\.{1,2}|[A-Za-z]:)?[/\\][^\s'\",;:()\[\]]+")


def without_paths(text: str, folders: Iterable[Path] = (), known: str = "") -> str:
    """The text with every path reduced to its last name; OSC addresses of Ponticello stay.

    folders: where presets, generators, the sound file, the hall file and recordings are. Their names may hold spaces,
    which elsewhere end a path that has no quotation marks. known: what the receiver has sent, which stays where the text
    quotes it: the same answer for all paths tells nobody which of them exist.
    """
    if known and f"'{known}'" in text:
        return f"'{known}'".join(without_paths(part, folders) for part in text.split(f"'{known}'"))
    text = QUOTED.sub(lambda found: f"{found[1]}{found[2]}{found[1]}", text)
    for folder in sorted({*map(str, folders), *_usual_folders()}, key=len, reverse=True):
        if len(folder) > 1:  # not the root of the file system
            text = re.sub(rf"{re.escape(folder)}[/\\](?=[^\s/\\])", "/", text)
            name = os.path.basename(folder).replace("\\", "\\\\")
            text = re.sub(rf"{re.escape(folder)}(?![\w/\\])", name, text)
    return UNQUOTED.sub(lambda found: re.split(r"[/\\]", found[0].rstrip("/\\"))[-1], text)


def _usual_folders() -> set[str]:
    found = {str(places.OWN), str(places.SHIPPED), tempfile.gettempdir(), str(Path.home())}
    with suppress(OSError):  # deleted
        found.add(os.getcwd())
    return found
