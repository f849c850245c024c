"""Pairs and training made on stage survive the end of the show, and can be restored."""

import numpy as np
import pytest

from live.display.keys import DisplayEvent
from live.show.learning import Learning
from live.show.recovery import Recovery, restored, unsaved_of_generator
from offline.train import train
from shared.errors import PresetError
from shared.mapping.regression import Training
from shared.mapping.scaling import Standardizer
from shared.picture import Picture
from shared.pipeline import Tick
from shared.pipeline.exchanges import UseMapping
from shared.preset import Preset, history
from shared.preset.learned import LearnedMapping
from tests.live.osc_client import until
from tests.live.shows import show
from tests.small import LATENT, make_preset, write_decoder, write_sound

pytestmark = pytest.mark.slow


@pytest.fixture
def sound(tmp_path):
    return write_sound(tmp_path / "s.wav", 1.0)


def folders(own):
    return sorted(path.parent for path in own.glob("recovery/*/*/pairs.safetensors"))


def test_unsaved_pairs_and_training_come_back_with_restore(tmp_path, sound, own, capsys):
    folder = make_preset(tmp_path / "mine")
    with show([folder], sound, tmp_path, loop=True) as playing:
        playing.until_tick(5)
        playing.client.send("pair", "image 3")
        playing.client.send("train")
        assert until(lambda: any(isinstance(change, UseMapping) for _, change in playing.asked), 60)
        playing.until_tick(playing.ticks + 3)
    (kept,) = folders(own)
    assert (
        f"mine: unsaved pairs and training are kept in {kept}; the next ponticello live --restore"
        in capsys.readouterr().err
    )
    assert len(Preset.load(folder).pairs) == 6

    with show([folder], sound, tmp_path, loop=True) as playing:
        playing.until_tick(3)
        playing.client.send("show", "image 3, live 1")
        assert "no pair 'image 3, live 1'" in playing.hear("error")[2]
    assert (
        f"mine: unsaved pairs of an earlier show are in {kept}; --restore brings them back" in capsys.readouterr().err
    )
    assert folders(own) == [kept]

    with show([folder], sound, tmp_path, loop=True, restore=True) as playing:
        playing.until_tick(3)
        playing.client.send("show", "image 3, live 1")
        assert until(lambda: playing.ask("show") == "image 3, live 1")
        playing.performance.controller.press(DisplayEvent("save"))
        assert until(lambda: len(Preset.load(folder).pairs) == 7, 20)
        assert until(lambda: not folders(own), 20)
    assert "mine: unsaved changes restored, 7 pairs; S or /ponticello/save saves them" in capsys.readouterr().err
    after = Preset.load(folder)
    assert after.mapping.pairs_digest == after.pairs.digest
    assert not folders(own)


def test_keys_pair_train_unpair_and_save_with_feedback(tmp_path, sound, own, capsys):
    folder = make_preset(tmp_path / "mine")
    with show([folder], sound, tmp_path, loop=True) as playing:
        press = playing.performance.controller.press
        playing.until_tick(5)
        for action in ("pair", "pair", "unpair", "train", "save"):
            press(DisplayEvent(action))
        assert until(lambda: len(Preset.load(folder).pairs) == 7, 30)
        for _ in range(3):
            press(DisplayEvent("ignored", key="P"))
        press(DisplayEvent("ignored", key="S"))
        playing.until_tick(playing.ticks + 10)
    lines = capsys.readouterr().err.splitlines()
    for line in (
        "paired: live 1; T or /ponticello/train trains it",
        "removed: live 2",
        "training mine",
        "trained: 7 pairs",
        f"saved: {folder}",
    ):
        assert line in lines
    assert sum("key P acts in a window only" in line for line in lines) == 1
    assert sum("key S acts in a window only" in line for line in lines) == 1
    assert not folders(own)


def test_a_preset_that_returns_in_the_same_show_has_its_unsaved_pairs(tmp_path, sound):
    folder, other = make_preset(tmp_path / "mine"), make_preset(tmp_path / "other", seed=1)
    with show([folder, other], sound, tmp_path, loop=True) as playing:
        playing.until_tick(5)
        playing.client.send("pair", "image 1")
        for number, name in ((2, "other"), (1, "mine")):
            playing.client.send("preset", number)
            assert until(lambda name=name: playing.ask("preset") == name, 10)
        playing.client.send("show", "image 1, live 1")
        assert until(lambda: playing.ask("show") == "image 1, live 1")


def test_pairs_that_changed_since_training_are_reported(tmp_path, sound, capsys):
    folder = make_preset(tmp_path / "mine")
    preset = Preset.load(folder)
    preset.pairs.at(range(5)).save(folder / "pairs.safetensors")
    with show([folder], sound, tmp_path) as playing:
        playing.until_tick(3)
    assert f"mine: pairs changed since training; run `ponticello train {folder}`" in capsys.readouterr().err


def test_files_that_do_not_fit_are_refused(tmp_path, own):
    preset = Preset.load(make_preset(tmp_path / "mine"))
    files = Recovery(preset)
    assert restored(preset) is None
    files.write(Learning(preset).learned, 1)
    assert restored(preset).pairs.digest == preset.pairs.digest
    (files.folder / "pairs.safetensors").write_bytes(b"no")
    with pytest.raises(PresetError, match=r"pairs\.safetensors"):
        restored(preset)
    files.remove(earlier=False)
    assert restored(preset) is None
    assert not list(own.glob("recovery/*"))


def test_unsaved_pairs_of_the_generator_are_reported_while_the_decoder_draws(tmp_path, sound, capsys):
    folder = make_preset(tmp_path / "mine")
    _, files = kept(Preset.load(folder), trained=False)
    write_decoder(folder)
    (folder / "preset.toml").write_text('version = 1\npicture = "direct"\n')
    with show([folder], sound, tmp_path, restore=True) as playing:
        playing.until_tick(3)
    assert (
        f"mine: unsaved pairs of an earlier show, with its generator, are in {files.folder}; to have them back: "
        f"ponticello train {folder} --no-direct, then play with --restore" in capsys.readouterr().err
    )
    (folder / "generator.safetensors").unlink()
    assert unsaved_of_generator(Preset.load(folder)) is None


def test_twenty_thousand_pairs_are_named_in_linear_time(tmp_path, unchecked):
    preset = Preset.load(make_preset(tmp_path / "mine"))
    learning = Learning(preset)
    picture = Picture(preset.generator_sha256, np.zeros(LATENT, np.float32), "z", 1.0, 0.0, (0.0, 0.0), 1.0)
    tick = Tick(3, np.zeros(23), picture, "", 0.0)
    looked_up = 0

    class Counted(dict):
        def __contains__(self, key):
            nonlocal looked_up
            looked_up += 1
            return super().__contains__(key)

    learning.latents = Counted(learning.latents)
    names = [learning.pair("image 2" if number % 2 else None, tick) for number in range(10_000)]
    assert looked_up <= 2 * len(names)
    assert names[:4] == ["live 1", "image 2, live 1", "live 2", "image 2, live 2"]
    assert len(set(names)) == len(names)
    assert learning.unpair() == names[-1]
    assert learning.pair("image 2", tick) == names[-1]
    assert learning.pairs.names[6:] == tuple(names)


def kept(preset, trained):
    """A pair made in a show, and trained if asked for, in the recovery files."""
    learning, files = Learning(preset), Recovery(preset)
    picture = Picture(preset.generator_sha256, preset.pairs.latents[0], "z", 1.0, 0.0, (0.0, 0.0), 1.0)
    learning.pair(None, Tick(3, np.arange(23.0), picture, "", 0.0))
    if trained:
        learning.learn()
    files.write(learning.learned, learning.version, learning.has_new_mapping)
    return learning, files


def edited(folder):
    """The preset after the studio has removed a pair, changed another one and trained."""
    pairs = Preset.load(folder).pairs.at([0, 1, 2, 3, 5])
    pairs.latents[1] = 0
    history.save_pairs(folder, pairs)
    train(Preset.load(folder))
    return Preset.load(folder)


@pytest.mark.parametrize("trained", [False, True])
def test_what_the_studio_changed_between_two_shows_stays(tmp_path, trained):
    folder = make_preset(tmp_path / "mine")
    ours, _ = kept(Preset.load(folder), trained)
    preset = edited(folder)
    again = restored(preset)
    learning = Learning(preset, again)
    assert learning.has_new_mapping == trained
    learning.save(preset)
    after = Preset.load(folder)
    assert after.pairs.names[:5] == preset.pairs.names
    assert np.array_equal(after.pairs.latents[:5], preset.pairs.latents)
    assert after.pairs.names[5:] == ("image 1 (2)", "image 4", "live 1")
    assert after.mapping.pairs_digest == (ours.learned.mapping if trained else preset.mapping).pairs_digest
    assert not learning.unsaved


def test_pairs_from_before_the_sounds_were_analysed_again_have_the_scale_of_the_preset(tmp_path):
    folder = make_preset(tmp_path / "mine")
    before = Preset.load(folder)
    ours, _ = kept(before, trained=True)
    same = restored(before)
    assert same.pairs.digest == ours.pairs.digest
    assert all(np.array_equal(same.mapping.arrays[name], array) for name, array in ours.learned.mapping.arrays.items())
    scaler = Standardizer(before.mapping.scaler.mean + 50, before.mapping.scaler.deviation * 2)
    pairs = before.pairs.standardised_by(scaler)
    pairs.save(folder / "pairs.safetensors")
    LearnedMapping.learn(scaler, pairs, Training(epochs=5)).save(folder / "mapping.safetensors")
    preset = Preset.load(folder)
    again = restored(preset)
    assert again.mapping is preset.mapping
    assert again.pairs.names == ours.pairs.names
    sounds = before.mapping.scaler.undone(ours.pairs.descriptors)
    assert np.allclose(scaler.undone(again.pairs.descriptors), sounds, rtol=1e-9)


def test_damaged_files_are_a_notice_when_the_preset_changes_and_the_next_save_goes_to_it(tmp_path, sound, capsys):
    first, second = make_preset(tmp_path / "first"), make_preset(tmp_path / "second", seed=1)
    _, files = kept(Preset.load(second), trained=False)
    (files.folder / "pairs.safetensors").write_bytes(b"no")
    with show([first, second], sound, tmp_path, loop=True, restore=True) as playing:
        playing.until_tick(3)
        playing.client.send("preset", 2)
        assert until(lambda: playing.ask("preset") == "second", 10)
        playing.until_tick(playing.ticks + 40)  # its cross-fade is over
        playing.client.send("pair", "image 3")
        playing.client.send("truncation", 0.25)
        playing.client.send("save")
        assert until(lambda: len(Preset.load(second).pairs) == 7, 10)
    assert "pairs.safetensors" in capsys.readouterr().err
    assert Preset.load(second).controls["truncation"] == 0.25
    assert Preset.load(first).controls["truncation"] != 0.25
    assert len(Preset.load(first).pairs) == 6
    assert (files.folder / "pairs.safetensors").read_bytes() == b"no"
    with pytest.raises(PresetError, match=r"pairs\.safetensors"), show([second], sound, tmp_path, restore=True):
        pass
