"""The preset that a command of the studio writes into."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from offline.progress import say
from shared.errors import UserError
from shared.preset import Preset


@contextmanager
def writable(path: str) -> Iterator[Preset]:
    """The preset of this path or name; of a shipped one, which is never changed, the artist's own copy: says where.

    A copy that was made for something that could not be done is taken away again: it would be called instead of the shipped one.
    """
    preset = Preset.load(path)
    was_there = preset.own_folder.exists()
    own = preset.own_copy()
    if own is not preset:
        say(f"{preset.name} is a shipped preset; this goes into your own copy of it: {own.folder}")
    try:
        yield own
    except UserError:
        if own is not preset and not was_there:
            shutil.rmtree(own.folder, ignore_errors=True)
        raise
