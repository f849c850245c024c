"""Files that a preset names but that are missing, and how to locate them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tomlkit

from offline.candidates.files import image_file
from shared.errors import PresetError, UserError
from shared.preset import Preset, history
from shared.preset.corpus import CORPUS, CorpusSound
from shared.preset.preset import sha256_of
from shared.preset.settings import GeneratorFile


@dataclass(frozen=True)
class Missing:
    """A missing file: its kind, its last known path, and one line that says what does not work without it.

    number: the sound's number, from 0; for images, how many are missing.
    """

    kind: Literal["generator", "sound", "images"]
    path: Path
    line: str
    number: int = 0


def sound_file(preset: Preset, sound: CorpusSound) -> Path:
    """The path that the corpus has for a sound."""
    return (preset.folder / sound.file).resolve()


def found(preset: Preset, sound: CorpusSound) -> Path | None:
    """The path of a sound of the corpus; None if the file is missing."""
    path = sound_file(preset, sound)
    return path if path.is_file() else None


def missing_files(preset: Preset) -> list[Missing]:
    """All files that the preset names but that are missing."""
    gone: list[Missing] = []
    settings = preset.settings
    has_none = settings.picture == "direct" and settings.generator == GeneratorFile()  # as `new --direct` makes it
    generator = (preset.folder / Path(settings.generator.file).expanduser()).resolve()
    if not has_none and not generator.is_file():
        gone.append(
            Missing(
                "generator",
                generator,
                f"the generator {generator} is missing: no new pictures until you point to it",
            )
        )
    if preset.has_corpus:
        for number, sound in enumerate(preset.corpus.facts.sounds):
            path = sound_file(preset, sound)
            if not path.is_file():
                line = f"the sound {path} is missing: its map is there, but it stays silent until you point to it"
                gone.append(Missing("sound", path, line, number))
    if preset.has_candidates:
        files = [image_file(preset, seed) for seed in preset.candidates.seeds]
        if absent := [file for file in files if not file.is_file()]:
            line = f"{len(absent)} images are not painted yet: the tray shows small blurs until you make them"
            gone.append(Missing("images", absent[0].parent, line, len(absent)))
    return gone


def relocate(preset: Preset, missing: Missing, path: Path) -> None:
    """Set the new path of a missing file. Raises UserError if it is another file, by its SHA-256."""
    path = path.expanduser().resolve()
    if not path.is_file():
        raise UserError(f"no file {path}; choose the file that was {missing.path}")
    given = sha256_of(path)
    if missing.kind == "images":
        raise UserError(f"images cannot be located one by one; make the candidates again in {missing.path}")
    if missing.kind == "sound":
        corpus = preset.corpus
        sound = corpus.facts.sounds[missing.number]
        if sound.sha256 != given:
            raise UserError(f"{path} is not the sound {missing.path}; add it as a new sound, or choose the old one")
        files = [each.file for each in corpus.facts.sounds]
        files[missing.number] = _named(path, preset.folder)
        corpus.with_files(files).save(preset.folder / CORPUS)
        return
    wanted = preset.settings.generator.sha256.lower()
    if wanted and wanted != given:
        raise PresetError(f"{path} is not the generator that {preset.name} was made with; choose that one")
    document = tomlkit.parse((preset.folder / history.SETTINGS).read_text("utf-8-sig"))
    table = document.setdefault("generator", tomlkit.table())
    table["file"], table["sha256"] = _named(path, preset.folder), given
    history.save_settings(preset.folder, tomlkit.dumps(document))


def _named(path: Path, folder: Path) -> str:
    """A path relative to the preset if it lies in or beside it, else the absolute path."""
    if folder.parent in path.parents:
        return Path(os.path.relpath(path, folder)).as_posix()
    return str(path)
