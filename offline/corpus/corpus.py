"""Makes a preset's corpus of sounds: analysed, without silences, each sounding frame with a position on the map."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from offline.corpus.map_picture import MAP, write_map
from offline.corpus.sound_map import sound_map
from offline.progress import progress, say
from offline.readable import if_readable
from shared.atomic import make_folder, written_atomically
from shared.audio.descriptors import DESCRIPTORS, describe_blocks
from shared.audio.files import SoundReader
from shared.errors import PresetError, SoundError, UserError
from shared.mapping.scaling import Standardizer
from shared.preset.corpus import CORPUS, Corpus, CorpusSound, MapFacts
from shared.preset.history import PAIRS
from shared.preset.lock import preset_lock
from shared.preset.pairs import Pairs
from shared.preset.preset import Preset, sha256_of

SILENCE_DB = -60.0  # loudness; quieter frames are no part of the corpus
LOUDNESS = DESCRIPTORS.index("loudness")


class Described(NamedTuple):
    """The sounding frames of a sound: their numbers (m,), raw descriptors (m, 23), and for each of all n frames the sounding
    frame that stands for it.
    """

    frame: Int64[np.ndarray, "m"]
    descriptors: Float64[np.ndarray, "m 23"]
    stands_for: Int64[np.ndarray, "n"]


def make_corpus(
    preset: Preset,
    sounds: list[Path],
    channel: int | None = None,
    seed: int = 0,
    copy: bool = False,
    channels: list[int | None] | None = None,
) -> Corpus:
    """Analyse sounds and write them as the preset's corpus, with map.png. Does nothing if the corpus is up to date.

    The corpus refers to sounds by path and SHA-256; `copy` copies them into the preset's sounds/. channels: one for each
    sound, instead of one for all. Sounds in the present corpus are not analysed again. Raises SoundError for unusable
    sounds, UserError if they are too short.

    The preset is locked only while it is written. Before that, pairs store the sounds and frames on which they were placed.
    """
    paths = [sound.expanduser().resolve() for sound in sounds]
    chosen = [channel] * len(paths) if channels is None else channels
    if twice := next((sound for i, sound in enumerate(paths) if sound in paths[:i]), None):
        raise UserError(f"{twice} is named twice; name each sound once")
    for path, one in zip(paths, chosen, strict=True):  # reports problems before any work
        with SoundReader(path, one):
            pass
    hashes = [sha256_of(path) for path in paths]
    if copy:
        paths = [_copied(path, sha256, preset.folder / "sounds") for path, sha256 in zip(paths, hashes, strict=True)]
    files = [_named(path, preset.folder) for path in paths]
    before = None
    if preset.has_corpus:
        before = if_readable(lambda: Corpus.load(preset.folder / CORPUS), "analysing all sounds again")
    wanted = list(zip(files, hashes, chosen, strict=True))
    if before is not None and _is_same(before, wanted, seed, preset):
        say(f"{preset.folder / CORPUS} already holds these sounds; nothing to do")
        return before

    names = preset.settings.heard
    described = [
        _known(before, sha256, one, names) or _describe(path, one, names)
        for path, sha256, one in zip(paths, hashes, chosen, strict=True)
    ]
    facts = [
        CorpusSound(file, sha256, one, len(each.stands_for))
        for (file, sha256, one), each in zip(wanted, described, strict=True)
    ]
    lengths = [len(each.frame) for each in described]
    first = np.cumsum([0, *lengths[:-1]])
    frame = np.concatenate([each.frame for each in described])
    descriptors = np.concatenate([each.descriptors for each in described])
    heard = descriptors[:, [names.index(name) for name in preset.settings.inputs]]
    frames = sum(len(each.stands_for) for each in described)
    say(f"{len(frame)} sounding frames; {frames - len(frame)} silent ones are left out")
    made = sound_map(Standardizer.fit(heard).process(heard), seed)
    corpus = Corpus(
        descriptors,
        made.positions,
        np.repeat(np.arange(len(paths)), lengths),
        frame,
        np.concatenate([each.stands_for + start for each, start in zip(described, first, strict=True)]),
        MapFacts(names, preset.settings.inputs, tuple(facts), made.components, made.kept_variance, seed),
    )
    with preset_lock(preset.folder):
        if Preset.load(preset.folder).settings.inputs != preset.settings.inputs:
            raise PresetError(
                f"{preset.name}: the inputs in preset.toml changed during the analysis; nothing was written: analyse again"
            )
        remember_sources(preset.folder)
        corpus.save(preset.folder / CORPUS)
        write_map(preset.folder / MAP, corpus)
    return corpus


def remember_sources(folder: Path) -> None:
    """Store the sound and frame of each pair placed on the corpus in the pairs' file, before the corpus is replaced.

    Files of older versions lack them. Unreadable files stay as they are; commands that need them report the damage.
    """
    file, corpus_file = folder / PAIRS, folder / CORPUS
    if not (file.is_file() and corpus_file.is_file()):
        return
    pairs, corpus = if_readable(lambda: Pairs.load(file)), if_readable(lambda: Corpus.load(corpus_file))
    if pairs is None or corpus is None:
        return
    if pairs.map != corpus.digest or None not in pairs.sources:
        return
    placed = np.isfinite(pairs.positions).all(axis=1)
    sources = tuple(
        corpus.source(corpus.most_like(pairs.descriptors[i])) if source is None and placed[i] else source
        for i, source in enumerate(pairs.sources)
    )
    if sources != pairs.sources:
        replace(pairs, sources=sources, inputs=corpus.facts.inputs).save(file)


def silence_left_out(
    rows: Float64[np.ndarray, "m columns"], path: Path
) -> tuple[Int64[np.ndarray, "sounding"], Int64[np.ndarray, "m"]]:
    """The numbers of the frames of at least -60 dB, and for each of all frames the sounding one that stands for it.

    That is the frame itself, or the last sounding one before it, or else the first. Raises SoundError if none sounds.
    """
    sounding = rows[:, LOUDNESS] >= SILENCE_DB
    if not sounding.any():
        raise SoundError(f"{path} is silent throughout, below {SILENCE_DB:g} dB; leave it out or make it louder")
    stands_for: NDArray[np.int64] = np.maximum(np.cumsum(sounding) - 1, 0)
    return np.flatnonzero(sounding), stands_for


def _is_same(corpus: Corpus, wanted: list[tuple[str, str, int | None]], seed: int, preset: Preset) -> bool:
    """Whether the corpus is up to date. wanted: file, SHA-256 and channel of each sound."""
    facts = corpus.facts
    is_same = [(sound.file, sound.sha256, sound.channel) for sound in facts.sounds] == wanted
    is_same = is_same and (facts.inputs, facts.descriptors, facts.seed) == (
        preset.settings.inputs,
        preset.settings.heard,
        seed,
    )
    return is_same and (preset.folder / MAP).is_file()


def _known(corpus: Corpus | None, sha256: str, channel: int | None, names: tuple[str, ...]) -> Described | None:
    """A sound from the corpus; None if the corpus does not contain it, or not with these columns."""
    if corpus is None or corpus.facts.descriptors != names:
        return None
    for number, sound in enumerate(corpus.facts.sounds):
        if (sound.sha256, sound.channel) == (sha256, channel):
            rows = np.flatnonzero(corpus.sound == number)
            return Described(corpus.frame[rows], corpus.descriptors[rows], corpus.frames_of(number) - rows[0])
    return None


def _describe(path: Path, channel: int | None, names: tuple[str, ...]) -> Described:
    with SoundReader(path, channel) as reader, progress(path.name, reader.frames) as advance:
        blocks = []
        for rows in describe_blocks(reader.blocks(), names):
            blocks.append(rows)
            advance(reader.frames_read)
    for remark in reader.remarks():
        say(remark)
    rows = np.concatenate(blocks)
    frame, stands_for = silence_left_out(rows, path)
    return Described(frame, rows[frame], stands_for)


def _named(path: Path, folder: Path) -> str:
    """The name of a sound's file in the corpus: relative if it lies in the preset, else the absolute path."""
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
