"""Reads parts of a preset that may be damaged, for commands that can make them again."""

from collections.abc import Callable
from typing import TypeVar

from offline.progress import say
from shared.errors import PresetError

Part = TypeVar("Part")


def if_readable(read: Callable[[], Part], remedy: str | None = None) -> Part | None:
    """What `read` reads from a preset; None if the file is missing, damaged or written by another version.

    remedy: with it, the error is reported, followed by what the command does about it.
    """
    try:
        return read()
    except PresetError as error:
        if remedy is not None:
            say(f"{error}: {remedy}")
        return None
