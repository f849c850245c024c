"""The preset that a command of the studio writes into."""

from offline.progress import say
from shared.preset import Preset


def writable(path: str) -> Preset:
    """The preset of this path or name; of a shipped one, which is never changed, the artist's own copy: says where."""
    preset = Preset.load(path)
    own = preset.own_copy()
    if own is not preset:
        say(f"{preset.name} is a shipped preset; this goes into your own copy of it: {own.folder}")
    return own
