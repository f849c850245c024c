"""Damaged parts of a preset: reported, and made again by the command that makes them."""

import pytest

from offline.candidates.drawing import draw_candidates
from offline.corpus import corpus
from offline.corpus.corpus import make_corpus
from offline.corpus.sound_map import SoundMap
from offline.readable import if_readable
from shared.errors import SettingError
from shared.preset import Preset
from shared.preset.candidates import Candidates, Draw
from shared.preset.corpus import Corpus
from tests.small import make_preset, write_candidates, write_corpus, write_sound


def test_a_missing_or_damaged_file_is_none(tmp_path, capsys):
    folder = make_preset(tmp_path / "p")
    file = folder / "candidates.safetensors"
    assert if_readable(lambda: Candidates.load(file)) is None
    write_candidates(folder, 3)
    assert len(if_readable(lambda: Candidates.load(file))) == 3
    file.write_bytes(file.read_bytes()[:-1])
    assert if_readable(lambda: Candidates.load(file)) is None
    assert capsys.readouterr().err == ""
    assert if_readable(lambda: Candidates.load(file), "making them again") is None
    (line,) = capsys.readouterr().err.splitlines()
    assert str(file) in line
    assert line.endswith(": making them again")


def test_other_errors_are_not_hidden():
    def read():
        raise SettingError("--seed -1 given")

    with pytest.raises(SettingError):
        if_readable(read)


def test_damaged_candidates_are_drawn_again(tmp_path, capsys):
    folder = make_preset(tmp_path / "p")
    made = draw_candidates(Preset.load(folder), Draw(count=3))
    (folder / "candidates.safetensors").write_text("damaged")
    again = draw_candidates(Preset.load(folder), Draw(count=3))
    assert (again.seeds, again.latents.tobytes()) == (made.seeds, made.latents.tobytes())
    assert capsys.readouterr().err.count("making the candidates again; none is chosen") == 1


def test_a_damaged_corpus_is_made_again(tmp_path, capsys, monkeypatch):
    folder = make_preset(tmp_path / "p")
    write_corpus(folder)
    (folder / "corpus.safetensors").write_text("damaged")
    monkeypatch.setattr(corpus, "sound_map", lambda rows, seed: SoundMap(rows[:, :2] * 0, 2, 1.0))  # UMAP takes seconds
    made = make_corpus(Preset.load(folder), [write_sound(tmp_path / "s.wav", 0.5)])
    assert capsys.readouterr().err.count("analysing all sounds again") == 1
    assert Corpus.load(folder / "corpus.safetensors").digest == made.digest
