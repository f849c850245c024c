"""Copies a preset: the copy depends on no file outside its folder."""

import shutil
from pathlib import Path

import tomlkit

from shared.atomic import folder_made_atomically
from shared.preset.corpus import CORPUS, Corpus
from shared.preset.lock import LOCK, OWNER


def copy_preset(folder: Path, target: Path, generator: Path) -> None:
    """Copy a preset's folder, its generator's file included; the copy is complete or absent.

    Raises OSError if it cannot be written, PresetError if the corpus is damaged.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with folder_made_atomically(target) as copy:
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("make", LOCK, OWNER), dirs_exist_ok=True)
        if folder not in generator.parents:  # of another shipped preset, which may change some day
            shutil.copyfile(generator, copy / generator.name)
            file = copy / "preset.toml"
            document = tomlkit.parse(file.read_text("utf-8-sig"))
            document["generator"]["file"] = generator.name
            file.write_text(tomlkit.dumps(document), "utf-8")
        if (folder / CORPUS).is_file():
            _copy_sounds(folder, copy)


def _copy_sounds(folder: Path, copy: Path) -> None:
    """Copy the sounds that the corpus names elsewhere into the copy's sounds/."""
    corpus = Corpus.load(folder / CORPUS)
    files = [Path(sound.file) for sound in corpus.facts.sounds]
    elsewhere = {file for file in files if folder not in (folder / file).resolve().parents}
    if not elsewhere:
        return
    (copy / "sounds").mkdir(exist_ok=True)
    for file in elsewhere:
        shutil.copyfile(folder / file, copy / "sounds" / file.name)
    named = [f"sounds/{file.name}" if file in elsewhere else file.as_posix() for file in files]
    corpus.with_files(named).save(copy / CORPUS)
