"""Pairs that can be taken back, and brought back: what a change replaces is kept beside them, in history/."""

import os
from pathlib import Path

import numpy as np

from shared.atomic import make_folder
from shared.errors import Failure, SettingError
from shared.preset.pairs import Pairs

PAIRS = "pairs.safetensors"
BEFORE, UNDONE = "pairs", "undone"  # what changes replaced, what was taken back
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
    number = int(states[-1].stem.partition("-")[2]) + 1 if states else 1
    old.save(history / f"{BEFORE}-{number:06d}.safetensors")
    for state in [*states[: max(0, len(states) + 1 - KEPT)], *_states(folder, UNDONE)]:
        state.unlink(missing_ok=True)
    pairs.save(file)
    return True


def undo(folder: Path) -> Pairs:
    """Take the last change back; gives the pairs as they now are. SettingError where there is none."""
    states = _states(folder)
    if not states:
        raise SettingError(f"{folder}: nothing to take back")
    return _exchange(folder, states[-1], UNDONE)


def redo(folder: Path) -> Pairs:
    """Bring back what was taken back last; gives the pairs as they now are. SettingError where there is nothing."""
    states = _states(folder, UNDONE)
    if not states:
        raise SettingError(f"{folder}: nothing to bring back; a new change ends what could be")
    return _exchange(folder, states[0], BEFORE)


def _exchange(folder: Path, state: Path, kind: str) -> Pairs:
    """Make a state the present one, and the present one a state of this kind with the same number."""
    pairs, file = Pairs.load(state), folder / PAIRS
    if file.is_file():
        Pairs.load(file).save(state.with_name(state.name.replace(state.stem.partition("-")[0], kind)))
    try:
        os.replace(state, file)
    except OSError as error:
        raise Failure(f"cannot write {file}: {error.strerror}") from error
    return pairs


def same(one: Pairs, other: Pairs) -> bool:
    """Whether two sets of pairs are the same, names and places included."""
    return (
        (one.names, one.digest, one.map) == (other.names, other.digest, other.map)
        and np.array_equal(one.positions, other.positions, equal_nan=True)
        and (one.scaler is None) == (other.scaler is None)
    )


def _states(folder: Path, kind: str = BEFORE) -> list[Path]:
    """The oldest first."""
    found = (folder / "history").glob(f"{kind}-*.safetensors")
    return sorted(path for path in found if path.stem.partition("-")[2].isdecimal())
