"""The mapping is trained on the pairs; pairs that it could not learn are reported."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer

from offline import train as studio
from offline.pairing.session import Pairing, clear
from offline.train import conflicts, reach, train
from shared.errors import PresetError
from shared.mapping.smoothing import LeakyIntegrator
from shared.preset import Preset
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from tests.offline.other_program import meanwhile
from tests.small import make_preset, make_unpaired, write_corpus

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments):
    return typer.main.get_command(studio.app)([str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def folder(tmp_path):
    folder = make_unpaired(tmp_path / "p")
    Pairing(Preset.load(folder)).auto("kmeans", 9)
    return folder


def test_the_loss_falls_by_five_orders_and_the_images_come_back(folder, capsys):
    run(folder)
    preset = Preset.load(folder)
    mapping, pairs = preset.mapping, preset.pairs
    assert mapping.regressor.sizes == (23, 40, 16)
    assert mapping.pairs_digest == pairs.digest
    assert mapping.scaler.equals(preset.corpus.scaler)
    assert np.abs(mapping.regressor.process(pairs.descriptors) - pairs.latents).max() < 0.01
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9 + 2
    assert [line.split()[0] for line in lines[:9]] == list(pairs.names)
    assert all(float(line.split()[-1]) < 1e-4 for line in lines[:9])
    assert lines[9].startswith("9 pairs, 23-40-16, 500 epochs: loss ")
    assert float(lines[9].split("fallen by ")[1].split()[0]) >= 5


def test_the_same_pairs_give_the_same_mapping_with_the_presets_own_settings(folder):
    (folder / "preset.toml").write_text("version = 1\n[training]\nlayers = [9, 7]\nactivation = 'tanh'\nepochs = 20\n")
    one, two = train(Preset.load(folder)).mapping, train(Preset.load(folder)).mapping
    assert one.regressor.sizes == (23, 9, 7, 16)
    for a, b in zip(one.regressor.weights, two.regressor.weights, strict=True):
        assert np.array_equal(a, b)
    assert len(one.regressor.losses) == 21


def test_reach_is_as_far_as_the_corpus_goes_when_it_is_played(folder):
    preset = Preset.load(folder)
    corpus, pairs = preset.corpus, Pairs.load(folder / "pairs.safetensors")
    farthest = 0.0
    for sound in (0, 1):
        frames = corpus.standardised[corpus.frames_of(sound)]
        y = frames[0]
        for x in frames:
            y = 0.8 * y + (1 - 0.8) * x
            farthest = max(farthest, pairs.nearest(y)[1])
    assert reach(corpus, pairs, 0.8) == pytest.approx(farthest)
    assert reach(corpus, pairs, 0.0) > farthest
    assert train(preset).mapping.reach == pytest.approx(farthest)
    assert LearnedMapping.load(folder / "mapping.safetensors").reach == pytest.approx(farthest)
    smooth = LeakyIntegrator(0.8).process(corpus.standardised[corpus.frames_of(0)])
    assert max(pairs.nearest(row)[1] for row in smooth) <= farthest + 1e-12


def test_images_that_want_the_same_sound_are_named(folder, capsys):
    pairing = Pairing(Preset.load(folder))
    x, y = pairing.pairs.positions[2]
    other = next(name for name in Preset.load(folder).candidates.names if name not in pairing.pairs.names)
    pairing.place(other, float(x), float(y))
    run(folder)
    output = capsys.readouterr()
    assert (
        f"{pairing.pairs.names[2]} and {other} are paired with nearly the same sound (0 deviations apart) "
        "with different images; move or remove one" in output.err
    )
    assert output.err.count("nearly the same sound") == 1
    assert float(output.out.split("fallen by ")[1].split()[0]) < 5


def test_conflicts_by_hand():
    descriptors = np.array([[0.0, 0.0], [0.5, 0.0], [10.0, 0.0], [0.0, 10.0]])
    latents = np.arange(8, dtype=np.float32).reshape(4, 2)
    pairs = Pairs(("a", "b", "c", "d"), descriptors, latents, np.zeros((4, 2)))
    assert conflicts(pairs) == [(0, 1, 0.5)]  # the median distance is 10
    wide = replace(pairs, descriptors=np.array([[0.0, 0.0], [2.0, 0.0], [10.0, 0.0], [0.0, 10.0]]))
    assert conflicts(wide) == []
    same = replace(pairs, latents=np.ones((4, 2), np.float32))
    assert conflicts(same) == []
    assert conflicts(pairs.at([0])) == []


def test_too_few_epochs_are_reported(folder, capsys):
    (folder / "preset.toml").write_text("version = 1\n[training]\nepochs = 10\n[controls]\nsmoothing = 0\n")
    run(folder)
    output = capsys.readouterr().err
    assert "nearly the same sound" not in output
    assert "not learned: seed" in output or "the loss should fall by 5 orders; raise epochs" in output


def test_pairs_follow_a_corpus_that_is_another(folder):
    train(Preset.load(folder))
    before = Preset.load(folder)
    raw = before.corpus.scaler.undone(before.pairs.descriptors)
    write_corpus(folder, frames=(60, 40, 30), seed=7)
    assert Preset.load(folder).pairs.digest == before.pairs.digest  # the mapping is still the old one
    train(Preset.load(folder))
    after = Preset.load(folder)
    assert after.mapping.scaler.equals(after.corpus.scaler)
    assert not after.mapping.scaler.equals(before.mapping.scaler)
    assert after.corpus.scaler.undone(after.pairs.descriptors) == pytest.approx(raw)
    assert after.mapping.pairs_digest == after.pairs.digest
    assert Pairs.load(folder / "pairs.safetensors").map == after.corpus.digest


def test_a_preset_without_its_corpus_is_trained_in_its_own_scale(tmp_path):
    folder = make_preset(tmp_path / "p")
    before = Preset.load(folder)
    train(before)
    after = Preset.load(folder)
    assert after.mapping.scaler.equals(before.mapping.scaler)
    assert after.pairs.digest == before.pairs.digest
    assert after.mapping.reach == before.mapping.reach
    assert Pairs.load(folder / "pairs.safetensors").scaler.equals(before.mapping.scaler)


def test_missing_parts_are_reported(folder):
    clear(Preset.load(folder))
    with pytest.raises(PresetError, match=r"pairs.safetensors holds no pairs; pair at least one image"):
        run(folder)
    (folder / "pairs.safetensors").unlink()
    with pytest.raises(PresetError, match=r"p has no pairs yet; pair images with sound: ponticello pair"):
        run(folder)
    assert not (folder / "mapping.safetensors").exists()


def test_pairs_of_unknown_scale_need_a_corpus(folder):
    replace(Pairs.load(folder / "pairs.safetensors"), scaler=None).save(folder / "pairs.safetensors")
    (folder / "corpus.safetensors").unlink()
    with pytest.raises(PresetError, match="p has no sounds yet; analyse some"):
        run(folder)


def test_ctrl_c_leaves_the_mapping_that_was_there(folder, monkeypatch):
    train(Preset.load(folder))
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(LearnedMapping, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(Preset.load(folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_pairs_changed_during_the_training_stay_and_are_reported(folder, monkeypatch, capsys):
    names = Pairing(Preset.load(folder)).pairs.names
    meanwhile(monkeypatch, LearnedMapping, "learn", lambda: Pairing(Preset.load(folder)).remove(names[0]))
    trained = train(Preset.load(folder))
    assert trained.pairs.names == names
    after = Preset.load(folder)
    assert after.pairs.names == names[1:]
    assert after.mapping.pairs_digest == trained.pairs.digest
    assert not after.is_trained
    assert "p: pairs changed since training; run `ponticello train" in capsys.readouterr().err


def test_a_newer_mapping_of_another_program_stays(folder, monkeypatch, capsys):
    write_corpus(folder, frames=(60, 40, 30), seed=7)  # the pairs would be scaled anew

    def work():
        Pairing(Preset.load(folder)).remove(names[0])
        monkeypatch.undo()
        train(Preset.load(folder))

    names = Pairing(Preset.load(folder)).pairs.names
    meanwhile(monkeypatch, LearnedMapping, "learn", work)
    train(Preset.load(folder))
    after = Preset.load(folder)
    assert after.pairs.names == names[1:]
    assert after.is_trained
    assert "p: another program changed the pairs and trained on them; its mapping stays" in capsys.readouterr().err


def test_inputs_changed_during_the_training_leave_all_as_it_was(folder, monkeypatch):
    train(Preset.load(folder))
    text = 'version = 1\ninputs = ["pitch", "loudness"]\n'
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    meanwhile(monkeypatch, LearnedMapping, "learn", lambda: (folder / "preset.toml").write_text(text, "utf-8"))
    with pytest.raises(
        PresetError, match=r"the inputs in preset\.toml changed during the training; nothing was written"
    ):
        train(Preset.load(folder))
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == {**before, "preset.toml": text.encode()}


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_long_training(folder, ending):
    train(Preset.load(folder))
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (folder / "preset.toml").write_text("version = 1\n[training]\nepochs = 1000000\n")
    # os.write: a signal during print's flush would make Python write the line again at its end
    program = "import os, ponticello, offline.train as t; f = t.LearnedMapping.learn\n"
    program += "def learn(*a): os.write(1, b'learning\\n'); return f(*a)\n"
    program += "t.LearnedMapping.learn = learn; ponticello.main()"
    command = [sys.executable, "-c", program, "train", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "learning\n"
    process.send_signal(ending)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "ponticello: stopped\n")
    before["preset.toml"] = (folder / "preset.toml").read_bytes()
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_signal_during_a_destructor_is_not_lost(folder):
    """Python ignores what a destructor raises, so the program repeats the signal."""
    (folder / "preset.toml").write_text("version = 1\n[training]\nepochs = 1000000\n")
    program = """
import signal, ponticello, offline.train as t
f = t.LearnedMapping.learn
class Ends:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
def learn(*a):
    Ends()
    return f(*a)
t.LearnedMapping.learn = learn
ponticello.main()
"""
    command = [sys.executable, "-c", program, "train", str(folder)]
    ended = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (130, "ponticello: stopped\n")
