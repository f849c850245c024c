"""Detects silent sounds and channels, the usual reason why a picture does not move."""

from pathlib import Path

import numpy as np

from shared.audio.files import SoundReader

SILENT_DB = -60.0  # dBFS; a channel without a louder sample is silent
SILENT = 10 ** (SILENT_DB / 20)


def silence_remark(path: Path, channel: int | None) -> str | None:
    """A line about a silent sound, or silent channels in it; None if there are none.

    channel: the one to analyse, from 1; None for the average of all. Reads only until all of these have sounded.
    """
    with SoundReader(path, channel) as reader:
        heard = np.zeros(reader.channels, bool)
        for block in reader.soundtrack():
            if len(block):
                heard |= np.abs(block).max(axis=0) > SILENT
            if heard.all() or (channel is not None and heard[channel - 1]):
                return None
    silent, sounding = ([i + 1 for i in np.flatnonzero(mask).tolist()] for mask in (~heard, heard))
    if not sounding:
        return f"{path} is silent: no sample above {SILENT_DB:g} dBFS"
    if channel is not None:
        return (
            f"channel {channel} of {path} is silent: no sample above {SILENT_DB:g} dBFS; --channel {sounding[0]} is not"
        )
    which = ", ".join(map(str, silent))
    return (
        f"{path}: silent {'channel' if len(silent) == 1 else 'channels'} {which} (no sample above {SILENT_DB:g} dBFS) "
        f"in the average; --channel {sounding[0]} leaves the silence out"
    )
