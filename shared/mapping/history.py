"""Pairs that can be taken back: what a change replaces is kept beside them, in history/."""

import os
from pathlib import Path

import numpy as np

from shared.atomic import make_folder
from shared.errors import Failure, SettingError
from shared.mapping.pairs import Pairs

PAIRS = "pairs.safetensors"
KEPT = 100  # states; older ones are let go


def save_pairs(folder: Path, pairs: Pairs, before: Pairs | None = None) -> bool:
    """Write a preset's pairs; what they replace can be had again with `undo`. False where nothing is changed.

    before: what is in the file, where that is known; read from there otherwise.
    """
    file = folder / PAIRS
    if before is None and file.is_file():
        before = Pairs.load(file)
    if before is not None and same(before, pairs):
        return False
    old = pairs.at([]) if before is None else before
    history = folder / "history"
    make_folder(history)
    states = _states(folder)
    number = int(states[-1].stem.removeprefix("pairs-")) + 1 if states else 1
    old.save(history / f"pairs-{number:06d}.safetensors")
    for state in states[: len(states) + 1 - KEPT]:
        state.unlink(missing_ok=True)
    pairs.save(file)
    return True


def undo(folder: Path) -> Pairs:
    """Take the last change back; gives the pairs as they now are. SettingError where there is none."""
    states = _states(folder)
    if not states:
        raise SettingError(f"{folder}: nothing to take back")
    before = Pairs.load(states[-1])
    try:
        os.replace(states[-1], folder / PAIRS)
    except OSError as error:
        raise Failure(f"cannot write {folder / PAIRS}: {error.strerror}") from error
    return before


def same(one: Pairs, other: Pairs) -> bool:
    """Whether two sets of pairs are the same, names and places included."""
    return (
        (one.names, one.digest, one.map) == (other.names, other.digest, other.map)
        and np.array_equal(one.positions, other.positions, equal_nan=True)
        and (one.scaler is None) == (other.scaler is None)
    )


def _states(folder: Path) -> list[Path]:
    """The oldest first."""
    return sorted(path for path in (folder / "history").glob("pairs-*.safetensors") if path.stem[6:].isdecimal())
