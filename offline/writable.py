"""The preset that a command of the studio changes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from offline.progress import say
from shared.errors import UserError
from shared.preset import Preset
from shared.preset.lock import preset_lock


@contextmanager
def writable(path: str, held: bool = True) -> Iterator[Preset]:
    """Lock the preset of this path or name for writing; for a shipped one, the user's own copy, whose folder is reported.

    If the change fails, a copy made for it is removed: it would otherwise replace the shipped preset. held=False is for long
    work, which locks the preset itself while it reads and while it writes.
    """
    preset = Preset.load(path)
    was_there = preset.own_folder.exists()
    own = preset.own_copy()
    kept = True
    try:
        with preset_lock(own.folder) if held else nullcontext():
            yield Preset.load(own.folder).for_pairing  # read again under the lock
    except UserError as error:
        if own is not preset and not was_there:
            kept = False
            shutil.rmtree(own.folder, ignore_errors=True)
            raise type(error)(str(error).replace(str(own.folder), path)) from error
        raise
    finally:
        if own is not preset and kept:
            say(f"{preset.name} is a shipped preset; this went into your own copy of it: {own.folder}")
