"""The preset that a command of the studio writes into."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from offline.progress import say
from shared.errors import UserError
from shared.preset import Preset
from shared.preset.lock import preset_lock


@contextmanager
def writable(path: str) -> Iterator[Preset]:
    """The preset of this path or name; of a shipped one, which is never changed, the artist's own copy: says where, at the end.

    A copy that was made for something that could not be done is taken away again: it would be called instead of the shipped one.
    """
    preset = Preset.load(path)
    was_there = preset.own_folder.exists()
    own = preset.own_copy()
    kept = True
    try:
        with preset_lock(own.folder):
            yield Preset.load(own.folder)  # as it is now that no other program changes it
    except UserError as error:
        if own is not preset and not was_there:
            kept = False
            shutil.rmtree(own.folder, ignore_errors=True)
            raise type(error)(str(error).replace(str(own.folder), path)) from error
        raise
    finally:
        if own is not preset and kept:
            say(f"{preset.name} is a shipped preset; this went into your own copy of it: {own.folder}")
