"""Sounds to a preset's corpus: analysed, without their silences, each sounding frame with a place on the map."""

import shutil
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from offline.map_picture import MAP, write_map
from offline.progress import progress, say
from offline.sound_map import sound_map
from shared.atomic import make_folder, written_atomically
from shared.audio.descriptors import DESCRIPTORS, describe_blocks
from shared.audio.files import SoundReader
from shared.errors import PresetError, SoundError, UserError
from shared.mapping.scaling import Standardizer
from shared.preset.corpus import Corpus, CorpusSound, MapFacts
from shared.preset.preset import CORPUS, Preset, sha256_of

SILENCE_DB = -60.0  # loudness; quieter frames are no part of the corpus
LOUDNESS = DESCRIPTORS.index("loudness")


def make_corpus(
    preset: Preset, sounds: list[Path], channel: int | None = None, seed: int = 0, copy: bool = False
) -> Corpus:
    """Analyse sounds and write them as the preset's corpus, with map.png; nothing is done where it is that already.

    Sounds are named by their place and SHA-256, or with `copy` copied into the preset's sounds/. Raises SoundError for
    sounds that cannot be used, UserError where there is too little of them.
    """
    paths = [sound.expanduser().resolve() for sound in sounds]
    if twice := next((sound for i, sound in enumerate(paths) if sound in paths[:i]), None):
        raise UserError(f"{twice} is named twice; name each sound once")
    for path in paths:  # what is wrong with one is told before any work
        with SoundReader(path, channel):
            pass
    hashes = [sha256_of(path) for path in paths]
    if copy:
        paths = [_copied(path, sha256, preset.folder / "sounds") for path, sha256 in zip(paths, hashes, strict=True)]
    files = [_named(path, preset.folder) for path in paths]
    if preset.has_corpus and (there := _as_it_is(preset, files, hashes, channel, seed)):
        say(f"{preset.folder / CORPUS} is of these sounds already; nothing to do")
        return there

    described = [_describe(path, channel) for path in paths]
    facts = [
        CorpusSound(file, sha256, channel, len(rows))
        for file, sha256, rows in zip(files, hashes, described, strict=True)
    ]
    gathered = [silence_left_out(rows, path) for rows, path in zip(described, paths, strict=True)]
    lengths = [len(frame) for frame, _ in gathered]
    first = np.cumsum([0, *lengths[:-1]])
    frame = np.concatenate([frame for frame, _ in gathered])
    descriptors = np.concatenate([rows[frames] for rows, (frames, _) in zip(described, gathered, strict=True)])
    columns = [DESCRIPTORS.index(name) for name in preset.settings.inputs]
    heard = descriptors[:, columns]
    say(f"{len(frame)} frames sound, {sum(map(len, described)) - len(frame)} are silent and left out")
    made = sound_map(Standardizer.fit(heard).process(heard), seed)
    corpus = Corpus(
        descriptors,
        made.positions,
        np.repeat(np.arange(len(paths)), lengths),
        frame,
        np.concatenate([stands_for + start for (_, stands_for), start in zip(gathered, first, strict=True)]),
        MapFacts(DESCRIPTORS, preset.settings.inputs, tuple(facts), made.components, made.kept_variance, seed),
    )
    corpus.save(preset.folder / CORPUS)
    write_map(preset.folder / MAP, corpus)
    return corpus


def silence_left_out(
    rows: Float64[np.ndarray, "m 23"], path: Path
) -> tuple[Int64[np.ndarray, "sounding"], Int64[np.ndarray, "m"]]:
    """The numbers of the frames of a sound that are at least -60 dB loud, and for every frame which of them it stands for.

    That is itself, the last one before it, or for frames before all of them the first. SoundError where none sounds.
    """
    sounding = rows[:, LOUDNESS] >= SILENCE_DB
    if not sounding.any():
        raise SoundError(f"{path} is silent throughout, below {SILENCE_DB:g} dB; leave it out or make it louder")
    stands_for: NDArray[np.int64] = np.maximum(np.cumsum(sounding) - 1, 0)
    return np.flatnonzero(sounding), stands_for


def _as_it_is(preset: Preset, files: list[str], hashes: list[str], channel: int | None, seed: int) -> Corpus | None:
    """The corpus that is there, where making it anew would give the same."""
    try:
        there = Corpus.load(preset.folder / CORPUS)
    except PresetError:  # damaged, or of an older program: it is made anew
        return None
    facts = there.facts
    same = [(sound.file, sound.sha256, sound.channel) for sound in facts.sounds] == [
        (file, sha256, channel) for file, sha256 in zip(files, hashes, strict=True)
    ] and (facts.inputs, facts.descriptors, facts.seed) == (preset.settings.inputs, DESCRIPTORS, seed)
    same = same and (preset.folder / MAP).is_file()
    return there if same else None


def _describe(path: Path, channel: int | None) -> Float64[np.ndarray, "m 23"]:
    with SoundReader(path, channel) as reader, progress(path.name, reader.frames) as advance:
        blocks = []
        for rows in describe_blocks(reader.blocks()):
            blocks.append(rows)
            advance(reader.frames_read)
    for remark in reader.remarks():
        say(remark)
    return np.concatenate(blocks)


def _named(path: Path, folder: Path) -> str:
    """As the corpus names a sound: relative where it lies in the preset, else its whole path."""
    return path.relative_to(folder).as_posix() if folder in path.parents else str(path)


def _copied(path: Path, sha256: str, folder: Path) -> Path:
    copy = folder / path.name
    if copy.is_file() and sha256_of(copy) == sha256:
        return copy
    if copy.exists():
        raise UserError(f"{copy} is another sound of the same name; rename {path}")
    make_folder(folder)
    with written_atomically(copy) as temporary:
        shutil.copyfile(path, temporary)
    return copy
