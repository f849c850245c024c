"""Merging pairs that two programs have changed: a three-way merge, pair by pair."""

from dataclasses import dataclass, replace

import numpy as np

from shared.errors import PresetError
from shared.preset.candidates import shortened
from shared.preset.pairs import Pairs

TOLERANCE = 1e-6  # deviations: equal descriptors that were standardised by different scalers


@dataclass(frozen=True, eq=False)
class Merged:
    """The merged pairs, and a line for the user on each kind of change that the other program made."""

    pairs: Pairs
    remarks: tuple[str, ...] = ()


def merge(base: Pairs, ours: Pairs, theirs: Pairs) -> Merged:
    """What we changed since `base`, applied to what is on disk now: `theirs`.

    A pair that only one side added, moved or removed is so in the result. Where both changed the same pair, theirs keeps
    its name and ours is added under a new one; a pair that one side removed and the other changed stays. `theirs` keeps
    its order and its scaler. Raises PresetError if the two are of different inputs or latents.
    """
    _check_fit(ours, theirs)
    old, mine, other = _rows(base), _rows(ours), _rows(theirs)
    removed: list[str] = []
    changed: list[str] = []  # removed here, changed there
    added: list[tuple[int, str]] = []  # a row of ours and its name in the result
    renamed: list[tuple[str, str]] = []
    for name in old:
        if name not in mine and name in other:
            (removed if _equal(base, old[name], theirs, other[name]) else changed).append(name)
    for name, row in mine.items():
        if name in old and _equal(ours, row, base, old[name]):
            continue  # not changed here
        if name in other and _equal(ours, row, theirs, other[name]):
            continue
        if name not in other:
            added.append((row, name))
        elif name in old and _equal(base, old[name], theirs, other[name]):  # moved here only
            removed.append(name)
            added.append((row, name))
        else:
            new = _free(name, {*other, *mine, *(new for _, new in renamed)})
            renamed.append((name, new))
            added.append((row, new))
    kept = theirs.at([number for number, name in enumerate(theirs.names) if name not in removed])
    pairs = _appended(kept, ours.at([row for row, _ in added]), [name for _, name in added])
    return Merged(pairs, tuple(_remarks(base, ours, theirs, renamed, changed)))


def common(one: Pairs, other: Pairs) -> Pairs:
    """The pairs of one that the other has, too: the same name, image and moment of sound."""
    theirs = _rows(other)
    return one.at([row for name, row in _rows(one).items() if name in theirs and _equal(one, row, other, theirs[name])])


def _remarks(base: Pairs, ours: Pairs, theirs: Pairs, renamed: list[tuple[str, str]], changed: list[str]) -> list[str]:
    old, mine, other = _rows(base), _rows(ours), _rows(theirs)
    arrived = [name for name in other if name not in old and name not in mine]
    gone = [name for name in old if name in mine and name not in other and _equal(ours, mine[name], base, old[name])]
    moved = [name for name in other if name in old and not _equal(base, old[name], theirs, other[name])]
    lines = []
    for verb, which in (("added", arrived), ("removed", gone), ("changed", moved)):
        if which:
            lines.append(f"another program {verb} {shortened(which)}")
    for name, new in renamed:
        lines.append(f"another program has a different pair {name}, too; the one of this show is now {new}")
    if changed:
        lines.append(f"another program changed {shortened(changed)}, which was removed here; it stays")
    return lines


def _check_fit(ours: Pairs, theirs: Pairs) -> None:
    if not len(theirs):
        return
    given = (theirs.space, theirs.latents.shape[1], theirs.descriptors.shape[1])
    wanted = (ours.space, ours.latents.shape[1], ours.descriptors.shape[1])
    if (*given, theirs.classes.shape[1]) != (*wanted, ours.classes.shape[1]) or (
        theirs.inputs and ours.inputs and theirs.inputs != ours.inputs
    ):
        raise PresetError(
            f"the pairs on disk are of other inputs or latents now (latents in {given[0]} of {given[1]} numbers, "
            f"{given[2]} descriptors); load the preset again, and pair again"
        )


def _rows(pairs: Pairs) -> dict[str, int]:
    return {name: row for row, name in enumerate(pairs.names)}


def _equal(one: Pairs, row: int, other: Pairs, number: int) -> bool:
    """Whether two pairs have the same image and the same moment of sound."""
    if not np.array_equal(one.targets[row], other.targets[number]):
        return False
    first, second = one.descriptors[row], other.descriptors[number]
    if np.array_equal(first, second):
        return True
    if one.scaler is None or other.scaler is None or one.scaler.equals(other.scaler):
        return False
    scaled = other.scaler.process(one.scaler.undone(first[None]))[0]
    return bool(np.allclose(scaled, second, rtol=0, atol=TOLERANCE))


def _free(name: str, taken: set[str]) -> str:
    number = 2
    while (new := f"{name} ({number})") in taken:
        number += 1
    return new


def _appended(theirs: Pairs, ours: Pairs, names: list[str]) -> Pairs:
    """Their pairs, followed by some of ours in their scale; without places where those are on another map."""
    if not len(ours):
        return theirs
    if not len(theirs):
        return replace(ours, names=tuple(names))
    if theirs.scaler is not None:
        ours = ours.standardised_by(theirs.scaler)
    positions = ours.positions if ours.map == theirs.map else np.full((len(ours), 2), np.nan)
    return replace(
        theirs,
        names=(*theirs.names, *names),
        descriptors=np.vstack([theirs.descriptors, ours.descriptors]),
        latents=np.vstack([theirs.latents, ours.latents]),
        positions=np.vstack([theirs.positions, positions]),
        sources=(*theirs.sources, *ours.sources),
        classes=np.vstack([theirs.classes, ours.classes]),
    )
