"""Writes settings of trainings into preset.toml: the tables [training] and [direct], and what draws the pictures."""

from pathlib import Path
from typing import Literal

import msgspec
import tomlkit

from shared.mapping.regression import Training
from shared.preset.direct import DirectTraining, PictureSource
from shared.preset.history import save_settings
from shared.preset.preset import Preset


def save_training(folder: Path, training: Training) -> None:
    """Write the settings that differ from those in preset.toml, keeping its comments. The caller holds the preset's lock."""
    save_table(folder, "training", training)


def save_table(folder: Path, name: Literal["training", "direct"], settings: Training | DirectTraining) -> None:
    """Write the settings of a table that differ from those in preset.toml, as `save_training` does."""
    present = msgspec.to_builtins(getattr(Preset.load(folder).settings, name))
    changed = {key: value for key, value in msgspec.to_builtins(settings).items() if value != present[key]}
    if not changed:
        return
    document = tomlkit.parse((folder / "preset.toml").read_text("utf-8-sig"))
    table = document.setdefault(name, tomlkit.table())
    for key, value in changed.items():
        table[key] = list(value) if isinstance(value, tuple) else value
    save_settings(folder, tomlkit.dumps(document))


def save_picture(folder: Path, source: PictureSource) -> None:
    """Write what draws the pictures, if it changes. The caller holds the preset's lock."""
    if Preset.load(folder).settings.picture == source:
        return
    document = tomlkit.parse((folder / "preset.toml").read_text("utf-8-sig"))
    document["picture"] = source
    save_settings(folder, tomlkit.dumps(document))
