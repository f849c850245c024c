"""Unlimited undo and redo: each change keeps what it replaces as a file in the preset's folder history/.

    history/000012-pairs.safetensors           the pairs before step 12
    history/undone-000013-settings.toml        preset.toml as it was when step 13 was undone

A step holds the pairs, the choice of candidates, or the settings. A new step deletes those that could be redone. Commands,
the studio window and the stage share one history.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from shared.atomic import make_folder, written_atomically
from shared.errors import SettingError
from shared.preset.candidates import Candidates
from shared.preset.lock import locked
from shared.preset.pairs import Pairs

Kind = Literal["pairs", "choice", "settings"]
PAIRS, CANDIDATES, SETTINGS = "pairs.safetensors", "candidates.safetensors", "preset.toml"
SUFFIX: dict[str, str] = {"pairs": ".safetensors", "choice": ".json", "settings": ".toml"}
UNDONE = "undone-"


class Step(NamedTuple):
    """A step of the history: its number, the kind of its change, and the file that undo (or redo) restores."""

    number: int
    kind: Kind
    file: Path


@locked
def save_pairs(folder: Path, pairs: Pairs, before: Pairs | None = None) -> bool:
    """Write a preset's pairs as a step. False if nothing changes.

    before: the pairs in the file, if they are known; read from it otherwise.
    """
    file = folder / PAIRS
    if before is None and file.is_file():
        before = Pairs.load(file)
    if before is not None and same(before, pairs):
        return False
    old = pairs.at([]) if before is None else before
    _remember(folder, "pairs", old.save)
    pairs.save(file)
    return True


@locked
def save_choice(folder: Path, candidates: Candidates, kept: frozenset[int]) -> Candidates:
    """Write the choice of candidates (their seeds) as a step; return the candidates with this choice."""
    if kept == candidates.kept:
        return candidates
    _remember(folder, "choice", lambda file: _write(file, _choice(candidates)))
    chosen = replace(candidates, kept=kept)
    chosen.save(folder / CANDIDATES)
    return chosen


@locked
def save_settings(folder: Path, text: str) -> bool:
    """Write preset.toml as a step. False if nothing changes."""
    before = (folder / SETTINGS).read_bytes()
    if before == text.encode():
        return False
    _remember(folder, "settings", lambda file: _write(file, before))
    _write(folder / SETTINGS, text.encode())
    return True


@locked
def undo(folder: Path) -> Kind:
    """Undo the last step; return the kind of its change. Raises SettingError if there is none."""
    step = last(folder)
    if step is None:
        raise SettingError(f"{folder}: nothing to undo")
    return _exchange(folder, step, UNDONE)


@locked
def redo(folder: Path) -> Kind:
    """Redo the step that was undone last; return the kind of its change. Raises SettingError if there is none."""
    step = next_undone(folder)
    if step is None:
        raise SettingError(f"{folder}: nothing to redo; a new change ends redo")
    return _exchange(folder, step, "")


def last(folder: Path) -> Step | None:
    """The step that undo would undo."""
    return max((step for step in _steps(folder) if not step.file.name.startswith(UNDONE)), default=None)


def next_undone(folder: Path) -> Step | None:
    """The step that redo would redo."""
    return min((step for step in _steps(folder) if step.file.name.startswith(UNDONE)), default=None)


def same(one: Pairs, other: Pairs) -> bool:
    """Whether two sets of pairs are equal, including names and positions."""
    return (
        (one.names, one.digest, one.map, one.sources, one.inputs)
        == (other.names, other.digest, other.map, other.sources, other.inputs)
        and np.array_equal(one.positions, other.positions, equal_nan=True)
        and (one.scaler is None) == (other.scaler is None)
    )


def _remember(folder: Path, kind: Kind, write: Callable[[Path], None]) -> None:
    """Begin a step; `write` writes the content that it replaces."""
    make_folder(folder / "history")
    before = last(folder)
    write(_file(folder, "", 1 if before is None else before.number + 1, kind))
    for step in _steps(folder):
        if step.file.name.startswith(UNDONE):
            step.file.unlink(missing_ok=True)


def _exchange(folder: Path, step: Step, prefix: str) -> Kind:
    """Swap the present content with that of a step's file, which gets the same number with this prefix."""
    kept = _file(folder, prefix, step.number, step.kind)
    if step.kind == "pairs":
        pairs = Pairs.load(step.file)
        present = folder / PAIRS
        (Pairs.load(present) if present.is_file() else pairs.at([])).save(kept)
        pairs.save(present)
    elif step.kind == "choice":
        candidates = Candidates.load(folder / CANDIDATES)
        _write(kept, _choice(candidates))
        wanted = frozenset(json.loads(step.file.read_bytes())) & frozenset(candidates.seeds)
        replace(candidates, kept=wanted).save(folder / CANDIDATES)
    else:
        _write(kept, (folder / SETTINGS).read_bytes())
        _write(folder / SETTINGS, step.file.read_bytes())
    step.file.unlink()  # last, so that a killed program leaves a step too many, never one too few
    return step.kind


def _file(folder: Path, prefix: str, number: int, kind: Kind) -> Path:
    return folder / "history" / f"{prefix}{number:06d}-{kind}{SUFFIX[kind]}"


def _steps(folder: Path) -> list[Step]:
    """All steps, including undone ones, unordered."""
    found = []
    try:
        names = os.listdir(folder / "history")
    except OSError:
        return []
    for name in names:
        number, dash, kind = Path(name).stem.removeprefix(UNDONE).partition("-")
        for known in get_args(Kind):
            if dash and number.isdecimal() and kind == known and name.endswith(SUFFIX[kind]):
                found.append(Step(int(number), known, folder / "history" / name))
    return found


def _choice(candidates: Candidates) -> bytes:
    return json.dumps(sorted(candidates.kept)).encode()


def _write(file: Path, data: bytes) -> None:
    with written_atomically(file) as temporary:
        temporary.write_bytes(data)
