"""A preset as the window edits it: on disk at once, undone, in step with commands in a terminal."""

import time

import numpy as np
import pytest

from offline.pairing.events import Events
from offline.pairing.project import Project
from offline.pairing.session import Pairing
from shared.errors import SettingError, UserError
from shared.preset import Preset
from shared.preset.pairs import Pairs
from tests.small import make_preset, make_unpaired, write_corpus, write_decoder


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def heard(events):
    names = []
    for name in ("preset", "pairs", "candidates", "settings", "history", "corpus", "error", "note"):
        events.on(name, lambda *_, name=name: names.append(name))
    return names


@pytest.fixture
def project(tmp_path, events):
    return Project(make_unpaired(tmp_path / "p"), events)


def on_disk(project):
    return Pairs.load(project.preset.folder / "pairs.safetensors")


def test_each_change_is_on_disk_at_once_and_undone(project, events, heard):
    project.place("seed3", 0.2, 0.7)
    assert on_disk(project).names == ("seed3",)
    project.place("seed4", -3, 1.5)
    assert on_disk(project).positions[1].tolist() == [0, 1]
    assert project.can_undo == "place seed4"
    project.place("seed3", 0.9, 0.1)
    assert project.can_undo == "move seed3"
    project.star(["seed1", "seed2"], True)
    assert project.can_undo == "star seed1, seed2"
    assert project.tray("chosen") == ["seed1", "seed2"]
    project.remove(["seed3", "seed4"])
    assert project.can_undo == "remove seed3, seed4"
    assert not project.pairs
    for can_redo in ("remove seed3, seed4", "star seed1, seed2", "move seed3", "place seed4", "place seed3"):
        project.undo()
        assert project.can_redo == can_redo
    assert project.can_undo == ""
    assert not project.pairs
    assert project.tray("chosen") == []
    for _ in range(3):
        project.redo()
    assert [(pair.name, pair.x, pair.y) for pair in project.pairs] == [("seed3", 0.9, 0.1), ("seed4", 0, 1)]
    events.deliver()
    assert {"pairs", "candidates", "history"} <= set(heard)


def test_a_decoder_is_kept_until_its_file_changes(tmp_path, events):
    folder = make_preset(tmp_path / "p", toml='version = 1\npicture = "direct"\n')
    write_corpus(folder)
    write_decoder(folder)
    project = Project(folder, events)
    before = project.preset.for_playing.direct
    project.set("truncation", 0.7)
    project.flush()
    assert project.preset.for_playing.controls["truncation"] == 0.7
    assert project.preset.for_playing.direct is before  # with its mapping, for which the film knows the ticks
    write_decoder(folder, seed=5)
    project.take_up()
    assert project.preset.for_playing.direct.digest != before.digest


def test_a_setting_acts_at_once_and_is_written_when_it_settles(project):
    for value in (0.9, 0.8, 0.7):
        project.set("truncation", value)
    assert project.settings["truncation"] == 0.7
    assert project.can_undo == "set truncation"
    assert Preset.load(project.preset.folder).controls["truncation"] == 1.0
    deadline = time.monotonic() + 5
    while Preset.load(project.preset.folder).controls["truncation"] == 1.0:
        project.poll()
        assert time.monotonic() < deadline
    project.set("weight/pitch", 3)
    project.undo()  # writes it first
    assert project.settings["weight/pitch"] == 1.0
    assert project.settings["truncation"] == 0.7
    project.undo()  # all values of the gesture are one step
    assert project.settings["truncation"] == 1.0
    with pytest.raises(SettingError, match="truncation = 5 given; allowed is a number from -2 to 2"):
        project.set("truncation", 5)
    with pytest.raises(SettingError, match="gain belongs to the hall"):
        project.set("gain", 5)


def test_settings_of_the_training_are_written_like_controls(project):
    for value in (1.0, 2.5):
        project.set_training("width", value)
    project.set_training("regressor", "rbf")
    assert project.training.width == 2.5
    assert project.can_undo == "set training/regressor"
    project.flush()
    assert Preset.load(project.preset.folder).settings.training == project.training
    project.undo()
    assert (project.training.regressor, project.training.width) == ("mlp", 2.5)
    assert project.can_undo == "set training/width"
    assert project.can_redo == "set training/regressor"
    with pytest.raises(SettingError, match="epochs = 0 given; allowed: 1 to 1000000"):
        project.set_training("epochs", 0)


def test_a_motion_is_one_step(project):
    project.set_all({"pace": 8, "settle": 4}, "motion calm")
    assert project.can_undo == "set motion calm"
    project.undo()
    assert project.settings["pace"] == 0.0
    with pytest.raises(SettingError, match="gain belongs to the hall"):
        project.set_all({"pace": 1, "gain": 3}, "both")


def test_changes_by_commands_are_noticed_and_not_overwritten(project, events, heard):
    project.place("seed3", 0.2, 0.7)
    Pairing(Preset.load(project.preset.folder)).place("seed5", 0.5, 0.5)
    project.place("seed4", 0.1, 0.1)  # before any poll
    assert [pair.name for pair in project.pairs] == ["seed3", "seed5", "seed4"]
    Preset.load(project.preset.folder).save_controls({"smoothing": 0.5})
    events.deliver()
    heard.clear()
    deadline = time.monotonic() + 5
    while project.settings["smoothing"] != 0.5:
        project.poll()
        assert time.monotonic() < deadline
    events.deliver()
    assert "settings" in heard
    assert "error" not in heard


def test_a_file_that_is_half_written_by_hand_leaves_the_last_good_state(project, events):
    lines = []
    events.on("error", lines.append)
    (project.preset.folder / "preset.toml").write_text("version = 1\nunknown = 3\n")
    project.take_up()
    events.deliver()
    assert "unknown" in lines[0]
    assert project.settings["truncation"] == 1.0
    (project.preset.folder / "preset.toml").write_text("version = 1\n[controls]\ntruncation = 0.5\n")
    project.take_up()
    assert project.settings["truncation"] == 0.5


def test_trays(project):
    project.place("seed3", 0.2, 0.7)
    assert len(project.tray("all")) == 12
    assert "seed3" not in project.tray("free")
    similar = project.tray("similar", like="seed7")
    assert similar[0] == "seed7"
    assert sorted(similar) == sorted(project.tray("all"))
    assert len(set(project.distant(5))) == 5
    assert project.thumbnail("seed7").shape == (16, 16, 3)
    assert project.thumbnail("none") is None
    assert project.image_file("seed7") is None  # it was never written


def test_a_time_outside_the_sound_is_its_end(project):
    project.place_at("seed1", 1, 1e9)
    project.place_at("seed2", 0, -5.0)
    rows = [pair.row for pair in project.pairs]
    assert rows == [project.corpus.frames_of(1)[-1], project.corpus.frames_of(0)[0]]
    assert all(pair.loss is None and not pair.is_remote for pair in project.pairs)


def test_without_sounds_images_cannot_be_placed(tmp_path, events):
    folder = make_preset(tmp_path / "p")
    (folder / "pairs.safetensors").unlink()
    project = Project(folder, events)
    with pytest.raises(UserError, match="no sounds yet; add a sound first"):
        project.place("seed3", 0.2, 0.7)
    with pytest.raises(UserError, match="no images yet"):
        project.star(["seed3"], True)
    assert project.tray("all") == []


def test_pairs_that_want_different_images_at_the_same_sound_are_in_conflict(project):
    row = 7
    project.place_on("seed1", row)
    project.place_on("seed2", row)
    project.place_on("seed3", 40)
    assert [pair.conflicts for pair in project.pairs] == [("seed2",), ("seed1",), ()]
    x, y = project.corpus.positions[row]
    far = (1.0 if x < 0.5 else 0.0, 1.0 if y < 0.5 else 0.0)
    nearest = np.hypot(*(project.corpus.positions - far).T).min()
    project.place("seed3", *far)
    assert project.pairs[2].is_remote == (nearest > 0.05)


def test_a_shipped_preset_is_copied_before_the_first_change(tmp_path, events, monkeypatch):
    monkeypatch.setattr("shared.preset.places.OWN", tmp_path / "own")
    project = Project("glass", events)
    first = project.pairs[0]
    project.place(first.name, 0.5, 0.5)
    assert project.preset.folder == tmp_path / "own" / "glass"
    assert project.pairs[0].x == 0.5
    assert Project("glass", events).preset.folder == tmp_path / "own" / "glass"
