"""Images by name while playing: those of pairs, and the candidates of the studio."""

import math
from dataclasses import replace

import numpy as np
import pytest

from live.show.learning import Learning
from offline.train import train
from shared.errors import PresetError, SettingError
from shared.picture import Picture
from shared.pipeline import Tick
from shared.pipeline.exchanges import Steer, UseMapping
from shared.preset import Preset, history
from tests.live.osc_client import until
from tests.live.shows import show
from tests.small import LATENT, make_preset, write_candidates, write_sound

pytestmark = pytest.mark.slow


def tick(preset, pairs):
    picture = Picture(preset.generator_sha256, pairs.latents[0], pairs.space, 1.0, 0.0, (0.0, 0.0), 1.0)
    return Tick(3, np.arange(23.0), picture, "", math.inf)


def test_an_image_is_a_pair_or_a_candidate_by_name_or_number(tmp_path):
    folder = make_preset(tmp_path / "p")
    candidates = write_candidates(folder, 20)
    learning = Learning(Preset.load(folder))
    for name, (called, latent) in {
        "image 2": ("image 2", learning.pairs.latents[2]),
        "seed7": ("seed7", candidates.latents[7]),
        "19": ("seed19", candidates.latents[19]),
    }.items():
        found = learning.image(name)
        assert found[0] == called
        assert np.array_equal(found[1], latent)
    with pytest.raises(SettingError, match=r"no pair '20'; there are: image 0, .*; candidates: seed0, .* and 12 more"):
        learning.image("20")


def test_a_candidate_is_paired_and_kept_and_can_be_taken_back_in_the_studio(tmp_path):
    folder = make_preset(tmp_path / "p")
    candidates = write_candidates(folder)
    preset = Preset.load(folder)
    learning = Learning(preset)
    assert learning.pair("3", tick(preset, learning.pairs)) == "seed3, live 1"
    learning.save(preset)
    after = Preset.load(folder).pairs
    assert after.names[-1] == "seed3, live 1"
    assert np.array_equal(after.latents[-1], candidates.latents[3])
    assert np.isnan(after.positions[-1]).all()
    assert np.array_equal(after.descriptors[-1], np.arange(23.0))
    assert history.undo(folder) == "pairs"
    assert Preset.load(folder).pairs.names == preset.pairs.names
    assert learning.unpair() == "seed3, live 1"
    assert learning.pairs.digest == preset.pairs.digest


@pytest.mark.parametrize(("space", "size"), [("w", LATENT), ("z", 5)])
def test_candidates_of_another_space_are_refused(tmp_path, space, size):
    folder = make_preset(tmp_path / "p")
    write_candidates(folder, space=space, size=size)
    learning = Learning(Preset.load(folder))
    with pytest.raises(
        SettingError, match=f"the candidates are in {space} with {size} numbers, the pairs of the preset in z with 16"
    ):
        learning.image("seed3")
    assert learning.image("image 1")[0] == "image 1"


def test_damaged_candidates_cost_nothing_until_they_are_asked_for(tmp_path):
    folder = make_preset(tmp_path / "p")
    (folder / "candidates.safetensors").write_bytes(b"no")
    learning = Learning(Preset.load(folder))
    assert learning.image("image 1")[0] == "image 1"
    with pytest.raises(PresetError, match=r"candidates.safetensors is not a safetensors file"):
        learning.image("seed1")


def test_a_candidate_is_shown_by_osc(tmp_path):
    folder = make_preset(tmp_path / "p")
    candidates = write_candidates(folder)
    with show([folder], write_sound(tmp_path / "s.wav", 1.0), tmp_path, loop=True) as playing:
        playing.until_tick(5)
        playing.client.send("show", 5)
        assert until(lambda: playing.ask("show") == "seed5")
        playing.client.send("show", "seed99")
        assert "no pair 'seed99'" in playing.hear("error")[2]
    (steer,) = [what for _, what in playing.asked if isinstance(what, Steer)]
    assert np.array_equal(steer.latent, candidates.latents[5])


def add_pair(folder, name, number):
    """What a command does meanwhile."""
    pairs = Preset.load(folder).pairs
    more = replace(
        pairs,
        names=(*pairs.names, name),
        descriptors=np.vstack([pairs.descriptors, np.full(23, number)]),
        latents=np.vstack([pairs.latents, np.full(LATENT, number, np.float32)]),
        positions=np.vstack([pairs.positions, [0.5, 0.5]]),
    )
    history.save_pairs(folder, more)


def test_pairs_that_a_command_made_meanwhile_stay(tmp_path):
    preset = Preset.load(make_preset(tmp_path / "p"))
    learning = Learning(preset)
    learning.pair("image 1", tick(preset, learning.pairs))
    add_pair(preset.folder, "seed5", 2.0)
    remarks = learning.save(preset)
    after = Preset.load(preset.folder)
    assert after.pairs.names == (*preset.pairs.names, "seed5", "image 1, live 1")
    assert after.pairs.positions[-2].tolist() == [0.5, 0.5]
    assert np.array_equal(after.pairs.descriptors[-1], np.arange(23.0))
    assert remarks == ["another program added seed5", after.training_advice]
    assert not learning.unsaved
    history.undo(preset.folder)
    assert Preset.load(preset.folder).pairs.names == (*preset.pairs.names, "seed5")


def test_later_saves_change_only_what_the_show_changed(tmp_path):
    preset = Preset.load(make_preset(tmp_path / "p"))
    learning = Learning(preset)
    learning.pair("image 1", tick(preset, learning.pairs))
    add_pair(preset.folder, "seed5", 2.0)
    learning.save(preset)
    learning.pair("image 2", tick(preset, learning.pairs))
    learning.save(preset)
    assert Preset.load(preset.folder).pairs.names[6:] == ("seed5", "image 1, live 1", "image 2, live 1")
    learning.unpair()
    learning.unpair()
    learning.save(preset)
    assert Preset.load(preset.folder).pairs.names[6:] == ("seed5",)


def test_both_made_a_pair_of_the_same_name(tmp_path):
    preset = Preset.load(make_preset(tmp_path / "p"))
    learning = Learning(preset)
    name = learning.pair("image 1", tick(preset, learning.pairs))
    add_pair(preset.folder, name, 2.0)
    remarks = learning.save(preset)
    after = Preset.load(preset.folder).pairs
    assert after.names[6:] == (name, f"{name} (2)")
    assert after.descriptors[6].tolist() == [2.0] * 23
    assert np.array_equal(after.descriptors[7], np.arange(23.0))
    assert remarks[0] == f"another program has a different pair {name}, too; the one of this show is now {name} (2)"


def test_a_mapping_trained_meanwhile_stays_unless_the_show_trained(tmp_path):
    preset = Preset.load(make_preset(tmp_path / "p"))
    learning = Learning(preset)
    add_pair(preset.folder, "seed5", 2.0)
    train(Preset.load(preset.folder))
    theirs = Preset.load(preset.folder).mapping.pairs_digest
    learning.pair("image 1", tick(preset, learning.pairs))
    learning.save(preset)
    assert Preset.load(preset.folder).mapping.pairs_digest == theirs
    ours = learning.learn()
    learning.save(preset)
    assert Preset.load(preset.folder).mapping.pairs_digest == ours.mapping.pairs_digest != theirs


def test_pairs_of_other_inputs_on_disk_are_not_touched(tmp_path):
    preset = Preset.load(make_preset(tmp_path / "p"))
    learning = Learning(preset)
    learning.pair("image 1", tick(preset, learning.pairs))
    replace(preset.pairs, descriptors=np.zeros((6, 3)), scaler=None).save(preset.folder / "pairs.safetensors")
    before = (preset.folder / "pairs.safetensors").read_bytes()
    with pytest.raises(PresetError, match="of other inputs or latents now"):
        learning.save(preset)
    assert (preset.folder / "pairs.safetensors").read_bytes() == before
    assert learning.unsaved


def test_regressors_are_learned_once_and_the_choice_is_saved(tmp_path):
    folder = make_preset(tmp_path / "p")
    preset = Preset.load(folder)
    learning = Learning(preset)
    rbf = learning.learn(regressor="rbf")
    assert (rbf.mapping.regressor.name, learning.regressor) == ("rbf", "rbf")
    assert learning.learn() is learning.learn(regressor="rbf") is rbf
    own = learning.learn(regressor="mlp")
    assert own.mapping is preset.mapping  # as it was loaded
    assert learning.learn(regressor="rbf") is rbf
    learning.pair(None, tick(preset, learning.pairs))
    again = learning.learn()
    assert again is not rbf
    assert again.mapping.pairs_digest == learning.pairs.digest
    learning.save(preset)
    assert not learning.unsaved
    saved = Preset.load(folder)
    assert (saved.mapping.regressor.name, saved.settings.training.regressor) == ("rbf", "rbf")
    assert saved.is_trained


def test_an_unknown_regressor_is_refused_and_the_show_goes_on(tmp_path):
    write_sound(tmp_path / "s.wav", 1.0)
    with show([make_preset(tmp_path / "p")], tmp_path / "s.wav", tmp_path, loop=True) as playing:
        playing.client.send("regressor", "forest")
        wanted = "no regressor 'forest'; there are: mlp, nearest, rbf, gaussian_process, ridge, linear"
        assert playing.hear("error") == ["error", "/ponticello/regressor", wanted]
        assert playing.ask("regressor") == "mlp"


def test_a_regressor_chosen_often_makes_three_layers_at_most_and_none_for_itself(tmp_path):
    write_sound(tmp_path / "s.wav", 1.0)
    folder = make_preset(tmp_path / "p", toml="version = 1\n[controls]\ncrossfade = 10.0\n")
    with show([folder], tmp_path / "s.wav", tmp_path, loop=True) as playing:

        def exchanges():
            return [what for _, what in playing.asked if isinstance(what, UseMapping)]

        playing.until_tick(3)
        for count, name in enumerate(("rbf", "nearest", "rbf", "linear", "nearest", "rbf"), 1):
            playing.client.send("regressor", name)
            assert until(lambda count=count: len(exchanges()) == count, 20)
            playing.until_tick(playing.ticks + 2)
        assert playing.performance.engine.layers == 3
        for _ in range(5):
            playing.client.send("regressor", "rbf")
            playing.until_tick(playing.ticks + 6)
        assert [what.mapping.regressor.name for what in exchanges()] == [
            *("rbf", "nearest", "rbf", "linear", "nearest", "rbf")
        ]
        picture, count = playing.performance.engine.newest.tick.picture, 0
        while picture is not None:
            picture, count = picture.under, count + 1
        assert count == 3


def test_a_preset_that_was_changed_meanwhile_and_is_loaded_again_keeps_the_changes(tmp_path, own):
    folder, other = make_preset(tmp_path / "mine"), make_preset(tmp_path / "other", seed=1)
    with show([folder, other], write_sound(tmp_path / "s.wav", 1.0), tmp_path, loop=True) as playing:
        playing.until_tick(5)
        playing.client.send("pair", "image 1")
        assert until(lambda: list(own.glob("recovery/*/*/pairs.safetensors")))
        add_pair(folder, "seed5", 2.0)
        train(Preset.load(folder))
        trained = Preset.load(folder).mapping.pairs_digest
        for number, name in ((2, "other"), (1, "mine")):
            playing.client.send("preset", number)
            assert until(lambda name=name: playing.ask("preset") == name, 10)
        mappings = [what.mapping for _, what in playing.asked if isinstance(what, UseMapping)]
        assert [mapping.pairs_digest for mapping in mappings] == [trained]
        playing.client.send("save")
        assert until(lambda: "image 1, live 1" in Preset.load(folder).pairs.names, 10)
    after = Preset.load(folder)
    assert after.pairs.names[6:] == ("seed5", "image 1, live 1")
    assert after.mapping.pairs_digest == trained


def test_versions_never_repeat_when_a_preset_is_loaded_again(tmp_path):
    preset = Preset.load(make_preset(tmp_path / "p"))
    learning = Learning(preset)
    seen = [learning.version]
    for _ in range(2):
        learning.pair("image 1", tick(preset, learning.pairs))
        seen.append(learning.version)
    again = Learning(preset, learning.learned, learning.saved)
    seen.append(again.version)
    for _ in range(3):
        again.pair("image 1", tick(preset, learning.pairs))
        seen.append(again.version)
    assert len(set(seen)) == len(seen)
    assert again.unsaved
