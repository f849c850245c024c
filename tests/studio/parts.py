"""A preset with a real sound on a map of random positions, and a studio for it."""

import time
from contextlib import contextmanager

import numpy as np

from offline.corpus.corpus import silence_left_out
from offline.pairing.studio import Studio
from shared.audio.descriptors import DESCRIPTORS, describe_blocks
from shared.audio.files import SoundReader
from shared.preset.corpus import Corpus, CorpusSound, MapFacts
from shared.preset.preset import sha256_of
from tests.small import make_preset, write_candidates, write_sound


def make_studio_preset(folder, seconds=2.0, toml="version = 1\n", quiet=0):
    """Sound, corpus and twelve candidates without pairs; `quiet` samples of silence stand before the sound."""
    make_preset(folder, toml=toml)
    (folder / "pairs.safetensors").unlink()
    (folder / "mapping.safetensors").unlink()
    (folder / "sounds").mkdir()
    path = write_sound(folder / "sounds" / "a.wav", seconds)
    if quiet:
        import soundfile

        samples, rate = soundfile.read(path)
        soundfile.write(path, np.concatenate([np.zeros(quiet), samples]), rate)
    write_real_corpus(folder, path)
    write_candidates(folder, 12)
    return folder


def write_real_corpus(folder, path):
    with SoundReader(path) as reader:
        rows = np.concatenate(list(describe_blocks(reader.blocks())))
    frame, stands_for = silence_left_out(rows, path)
    Corpus(
        rows[frame],
        np.random.default_rng(0).random((len(frame), 2)),
        np.zeros(len(frame), np.int64),
        frame,
        stands_for,
        MapFacts(
            DESCRIPTORS,
            DESCRIPTORS,
            (CorpusSound(f"sounds/{path.name}", sha256_of(path), None, len(rows)),),
            19,
            0.99,
            0,
        ),
    ).save(folder / "corpus.safetensors")


@contextmanager
def opened(folder, monkeypatch, tmp_path):
    """A studio with the preset open, and all events that it sent, by name. Decoded sounds go to a folder of the test."""
    monkeypatch.setattr("offline.pairing.envelope.CACHE", tmp_path / "cache")
    studio, sent = Studio(), {}
    for name in ("error", "note", "trained", "progress", "pairs", "candidates", "corpus", "preset", "sounds", "film"):
        sent[name] = []
        studio.events.on(name, lambda *values, name=name: sent[name].append(values[0] if values else None))
    try:
        if folder is not None:
            studio.open(folder)
            studio.poll()
        yield studio, sent
    finally:
        studio.close()


def until(studio, condition, seconds=60.0):
    """Poll the studio, as the window does, until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        studio.poll()
        time.sleep(0.01)
