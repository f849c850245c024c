"""Writes the table [training] of preset.toml."""

from pathlib import Path

import msgspec
import tomlkit

from shared.mapping.regression import Training
from shared.preset.history import save_settings
from shared.preset.preset import Preset


def save_training(folder: Path, training: Training) -> None:
    """Write the settings that differ from those in preset.toml, keeping its comments. The caller holds the preset's lock."""
    present = msgspec.to_builtins(Preset.load(folder).settings.training)
    changed = {key: value for key, value in msgspec.to_builtins(training).items() if value != present[key]}
    if not changed:
        return
    document = tomlkit.parse((folder / "preset.toml").read_text("utf-8-sig"))
    table = document.setdefault("training", tomlkit.table())
    for key, value in changed.items():
        table[key] = list(value) if isinstance(value, tuple) else value
    save_settings(folder, tomlkit.dumps(document))
