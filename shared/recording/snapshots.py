"""Presets and mappings as they were played, each stored once in the recording, whatever happens to the preset later."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import tomlkit

from shared import controls
from shared.atomic import written_atomically
from shared.controls import Value
from shared.errors import PresetError
from shared.pipeline.exchanges import UseMapping
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.preset.preset import DIRECT, Preset
from shared.preset.settings import VERSION, GeneratorFile

MAPPING, PAIRS = "mapping.safetensors", "pairs.safetensors"
DIGITS = 12  # of a hash, in a folder's name


class Snapshots:
    """The folders `presets/` and `learned/` of a recording in progress."""

    def __init__(self, recording: Path) -> None:
        self._recording = recording

    def preset(self, preset: Preset, mapping: LearnedMapping | None = None, pairs: Pairs | None = None) -> str:
        """Store a preset, with other mapping and pairs if given; returns the name of its folder in `presets/`."""
        toml = tomlkit.dumps(self._settings(preset))
        if preset.is_direct:
            return self._store_direct(preset, toml)
        mapping, pairs = mapping or preset.mapping, pairs or preset.pairs
        return self._store("presets", preset.name, mapping, pairs, toml)

    def learned(self, learned: UseMapping) -> str:
        """Store a mapping that was trained during the show; returns the name of its folder in `learned/`."""
        return self._store("learned", "mapping", learned.mapping, learned.pairs)

    def _store(self, kind: str, stem: str, mapping: LearnedMapping, pairs: Pairs, toml: str = "") -> str:
        sha = hashlib.sha256(f"{toml}\n{pairs.names}\n{pairs.digest}\n{mapping.facts}".encode())
        for array in mapping.arrays.values():
            sha.update(array.tobytes())
        folder = self._recording / kind / f"{stem}-{sha.hexdigest()[:DIGITS]}"
        if not folder.exists():
            folder.mkdir(parents=True)
            mapping.save(folder / MAPPING)
            pairs.save(folder / PAIRS)
            if toml:
                with written_atomically(folder / "preset.toml") as temporary:
                    temporary.write_text(toml, "utf-8")
        return folder.name

    def _store_direct(self, preset: Preset, toml: str) -> str:
        """Store the decoder, too, which a later training replaces; from memory, as it plays."""
        sha = hashlib.sha256(f"{toml}\n{preset.direct.digest}".encode())
        folder = self._recording / "presets" / f"{preset.name}-{sha.hexdigest()[:DIGITS]}"
        if not folder.exists():
            folder.mkdir(parents=True)
            preset.direct.save(folder / DIRECT)
            with written_atomically(folder / "preset.toml") as temporary:
                temporary.write_text(toml, "utf-8")
        return folder.name

    def _settings(self, preset: Preset) -> dict[str, object]:
        return {
            "version": VERSION,
            **({} if preset.settings.descriptors == "flucoma" else {"descriptors": preset.settings.descriptors}),
            "inputs": list(preset.settings.inputs),
            **_drawn_by(preset),
            "controls": _own_controls(preset.controls),
        }


def load_preset(recording: Path, name: str, generators: Mapping[str, GeneratorFile]) -> Preset:
    """The preset of this name in a recording. generators: replacements, by the SHA-256 of the generator they replace."""
    preset = Preset.load(_folder(recording, "presets", name))
    if preset.is_direct:
        return preset
    generator = generators.get(preset.settings.generator.sha256, preset.settings.generator)
    return replace(preset, settings=msgspec.structs.replace(preset.settings, generator=generator))


def load_learned(recording: Path, name: str) -> UseMapping:
    """A mapping that was trained during the show. Raises PresetError if it is missing or damaged."""
    folder = _folder(recording, "learned", name)
    return UseMapping(LearnedMapping.load(folder / MAPPING), Pairs.load(folder / PAIRS))


def _folder(recording: Path, kind: str, name: str) -> Path:
    """A folder of this name directly in `presets/` or `learned/`: nothing outside the recording."""
    if Path(name).name != name or name in ("", ".", "..") or "\0" in name:
        raise PresetError(f"{recording} names the folder {name[:100]!r} in {kind}/; restore it")
    folder = recording / kind / name
    if not folder.is_dir():
        raise PresetError(f"no folder {folder}; restore it")
    return folder


def _drawn_by(preset: Preset) -> dict[str, object]:
    """What draws its pictures, as preset.toml writes it."""
    if preset.is_direct:
        return {"picture": "direct"}
    return {
        "generator": {"file": str(preset.generator_path), "sha256": preset.generator_sha256},
        "training": msgspec.to_builtins(preset.settings.training),
    }


def _own_controls(values: Mapping[str, Value]) -> dict[str, object]:
    """The controls that belong to a preset, as preset.toml writes them."""
    table: dict[str, object] = {}
    for name, value in values.items():
        base, _, descriptor = name.partition("/")
        if controls.CONTROLS[base].home != "preset":
            continue
        plain = list(value) if isinstance(value, tuple) else value
        if descriptor:
            part = table.setdefault(base, {})
            assert isinstance(part, dict)
            part[descriptor] = plain
        else:
            table[base] = plain
    return table
