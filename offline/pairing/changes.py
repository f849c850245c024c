"""Changes of a preset: detected on disk, and described in words."""

import json
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from offline.pairing.events import Name
from shared.preset import Preset, history
from shared.preset.candidates import Candidates
from shared.preset.corpus import CORPUS
from shared.preset.pairs import Pairs
from shared.preset.preset import CANDIDATES, DIRECT

FILES = (history.SETTINGS, history.PAIRS, CANDIDATES, CORPUS, "mapping.safetensors", DIRECT)
NAMED = 3  # in a line
TELLS: dict[str, tuple[Name, ...]] = {
    "preset.toml": ("settings", "missing"),
    "corpus.safetensors": ("corpus", "pairs", "missing"),
    "candidates.safetensors": ("candidates", "missing"),
    "pairs.safetensors": ("pairs",),
    "mapping.safetensors": ("pairs",),
    "direct.safetensors": ("pairs",),
}
"""The events of a changed file."""


class Stamps:
    """Remembers the state of a preset's files; `changed` names those that have changed since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamps = {name: _stamp(folder / name) for name in FILES}

    def changed(self) -> frozenset[str]:
        """Files that were written, created or removed since."""
        return frozenset(name for name, stamp in self._stamps.items() if _stamp(self._folder / name) != stamp)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Time, size and inode of a file; a replaced file has another inode."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def described(folder: Path, step: history.Step, is_undone: bool) -> str:
    """Describe a step, such as `move seed17`, by comparing its file with the present state."""
    try:
        if step.kind == "pairs":
            kept, present = _pairs(step.file), _pairs(folder / history.PAIRS)
            return _pairs_in_words(*((present, kept) if is_undone else (kept, present)))
        if step.kind == "choice":
            kept_seeds = set(json.loads(step.file.read_bytes()))
            seeds = set(Candidates.load(folder / CANDIDATES).kept)
            return _choice_in_words(*((seeds, kept_seeds) if is_undone else (kept_seeds, seeds)))
        values, now = (_settings(file) for file in (step.file, folder / history.SETTINGS))
        return "set " + _listed(
            sorted(name for name in values.keys() | now.keys() if values.get(name) != now.get(name))
        )
    except (OSError, ValueError):  # a damaged file; using the step reports it
        return {"pairs": "change of the pairs", "choice": "change of the stars"}.get(step.kind, "change of settings")


def _pairs(file: Path) -> dict[str, tuple[bytes, bytes]]:
    if not file.is_file():
        return {}
    pairs = Pairs.load(file)
    rows = zip(pairs.names, pairs.positions, pairs.descriptors, strict=True)
    return {name: (np.asarray(place).tobytes(), np.asarray(row).tobytes()) for name, place, row in rows}


def _pairs_in_words(before: dict[str, Any], after: dict[str, Any]) -> str:
    added, removed = [n for n in after if n not in before], [n for n in before if n not in after]
    moved = [n for n in after if n in before and before[n] != after[n]]
    if added and removed:
        return f"replace {len(before)} pairs by {len(after)}"
    for verb, names in (("place", added), ("remove", removed), ("move", moved)):
        if names:
            return f"{verb} {_listed(names)}"
    return "change of the pairs"


def _choice_in_words(before: set[int], after: set[int]) -> str:
    if chosen := sorted(after - before):
        return "star " + _listed([f"seed{seed}" for seed in chosen])
    return "unstar " + _listed([f"seed{seed}" for seed in sorted(before - after)])


def _settings(file: Path) -> dict[str, Any]:
    table = tomllib.loads(file.read_text("utf-8-sig"))
    values: dict[str, Any] = {f"training/{name}": value for name, value in table.get("training", {}).items()}
    for name, value in table.get("controls", {}).items():
        values |= {f"{name}/{key}": entry for key, entry in value.items()} if isinstance(value, dict) else {name: value}
    return values


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


CACHED = {
    "corpus.safetensors": ("corpus",),
    "candidates.safetensors": ("candidates",),
    "mapping.safetensors": ("mapping",),
    "preset.toml": (),
}


def carry_over(old: Preset, new: Preset, changed: frozenset[str]) -> None:
    """Copy what `old` has read from unchanged files to `new`, so that it is not read again."""
    if old.folder != new.folder:
        return
    same_inputs = old.settings.inputs == new.settings.inputs
    for file, names in CACHED.items():
        for name in names:
            if file not in changed and same_inputs and name in vars(old):
                vars(new)[name] = vars(old)[name]
    if old.settings.generator == new.settings.generator:
        with suppress(KeyError):
            vars(new)["generator_sha256"] = vars(old)["generator_sha256"]
            vars(new)["generator_path"] = vars(old)["generator_path"]
    if DIRECT not in changed and same_inputs and "direct" in vars(old.for_playing):
        vars(new.for_playing)["direct"] = old.for_playing.direct
