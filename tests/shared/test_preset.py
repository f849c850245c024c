"""A preset folder: read, checked, saved; every mistake has its own line."""

import re
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from shared.audio.descriptors import DESCRIPTORS
from shared.errors import PresetError, SettingError
from shared.preset import places
from shared.preset.candidates import shortened
from shared.preset.pairs import Pairs, SoundFrame
from shared.preset.places import SHIPPED
from shared.preset.preset import Preset, sha256_of
from tests.small import make_preset, write_corpus, write_generator


def test_defaults_and_values(tmp_path):
    toml = "version = 1\n[controls]\nsmoothing = 0.5\ntranslate = [0.1, -0.2]\n[controls.weight]\npitch = 2\n"
    preset = Preset.load(make_preset(tmp_path / "mine", toml=toml))
    assert preset.settings.inputs == DESCRIPTORS
    assert preset.controls["smoothing"] == 0.5
    assert preset.controls["translate"] == (0.1, -0.2)
    assert preset.controls["weight/pitch"] == 2.0
    assert preset.controls["weight/loudness"] == 1.0
    assert preset.name == "mine"
    assert len(preset.pairs) == 6
    assert preset.mapping.space == "z"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("", r"version = None given; write version = 1"),
        ("version = true", r"version = True given"),
        ("version = 2", r"is of version 2, written by a newer Ponticello"),
        (
            "version = 1\ncolour = 3",
            r"unknown field `colour`; allowed are: version, descriptors, inputs, picture, generator, training, direct, controls",
        ),
        ("version = 1\n[training]\nepoch = 3", r"unknown field `epoch` - at `\$\.training`; allowed are: regressor, "),
        ("version = 1\n[training]\nepochs = 0", r"epochs = 0 given; allowed: 1 to"),
        ("version = 1\n[training]\nepochs = 'many'", r"\$\.training\.epochs"),
        (
            "version = 1\n[controls]\nsmoothing = 1",
            r"\[controls\] smoothing = 1 given; allowed is a number from 0 to 0.999",
        ),
        ("version = 1\n[controls]\nsmoothing = nan", r"smoothing = nan given"),
        ("version = 1\n[controls]\nspeed = 1", r"no control 'speed'; there are: gain, "),
        ("version = 1\n[controls]\ngain = 1", r"gain belongs to the hall, not to a preset"),
        ("version = 1\n[controls]\nweight = 1", r"no control 'weight'"),
        ("version = 1\n[controls.weight]\nloud = 1", r"no descriptor 'loud' in 'weight/loud'; there are: centroid, "),
        (
            "version = 1\ninputs = ['centroid', 'tempo']",
            r"inputs holds 'tempo'; allowed is each of these at most once: centroid, ",
        ),
        ("version = 1\ninputs = ['centroid', 'centroid']", r"inputs holds 2 names, some twice"),
        ("version = 1\ninputs = []", r"inputs holds none"),
        ("version = 1\n[generator", r"preset.toml cannot be read: "),
    ],
)
def test_settings_that_are_wrong_are_named_with_the_file(tmp_path, toml, message):
    (tmp_path / "preset.toml").write_text(toml)
    with pytest.raises(PresetError, match=message) as caught:
        Preset.load(tmp_path)
    assert str(tmp_path / "preset.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_a_preset(tmp_path):
    with pytest.raises(PresetError, match=r"it has no preset.toml"):
        Preset.load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(PresetError, match="is a file; a preset is a folder"):
        Preset.load(tmp_path / "file")
    with pytest.raises(PresetError, match=r"no preset nowhere; .* shipped one: .*glass"):
        Preset.load("nowhere")


def test_parts_that_are_missing_or_do_not_fit(tmp_path):
    folder = make_preset(tmp_path / "p")
    (folder / "mapping.safetensors").unlink()
    with pytest.raises(PresetError, match=r"has no mapping.safetensors yet"):
        _ = Preset.load(folder).mapping
    (folder / "pairs.safetensors").unlink()
    with pytest.raises(PresetError, match=r"no file .*pairs.safetensors"):
        _ = Preset.load(folder).pairs
    (folder / "generator.safetensors").unlink()
    with pytest.raises(PresetError, match=r"names the generator generator.safetensors, but there is no file"):
        _ = Preset.load(folder).generator_path
    folder = make_preset(tmp_path / "q", toml="version = 1\ninputs = ['pitch', 'loudness']\n")
    with pytest.raises(PresetError, match=r"takes 23 descriptors, preset.toml names 2"):
        _ = Preset.load(folder).mapping
    with pytest.raises(PresetError, match="has 23 descriptors a pair"):
        _ = Preset.load(folder).pairs


def test_a_generator_elsewhere_needs_its_hash(tmp_path):
    write_generator(tmp_path / "shared.safetensors")
    folder = make_preset(tmp_path / "p", toml='version = 1\n[generator]\nfile = "../shared.safetensors"\n')
    with pytest.raises(PresetError, match=r"outside the preset; add its sha256"):
        _ = Preset.load(folder).generator_path
    digest = sha256_of(tmp_path / "shared.safetensors")
    (folder / "preset.toml").write_text(
        f'version = 1\n[generator]\nfile = "../shared.safetensors"\nsha256 = "{digest}"\n'
    )
    assert Preset.load(folder).generator_path == tmp_path / "shared.safetensors"
    write_generator(tmp_path / "shared.safetensors", seed=9)
    with pytest.raises(PresetError, match="is not the generator that p was made with"):
        _ = Preset.load(folder).generator_path


def test_saving_controls_keeps_comments(tmp_path):
    toml = "# my piece\nversion = 1\n\n[controls]\nsmoothing = 0.5   # calm\n"
    preset = Preset.load(make_preset(tmp_path / "p", toml=toml))
    saved = preset.save_controls(
        {"smoothing": 0.9, "weight/pitch": 3, "translate": (1.0, 0.0), "gate": -50.0, "truncation": 1.0}
    )
    text = (tmp_path / "p" / "preset.toml").read_text()
    assert "# my piece" in text
    assert "smoothing = 0.9   # calm" in text
    assert "gate" not in text
    assert "truncation" not in text
    assert saved.controls["weight/pitch"] == 3.0
    assert saved.controls["translate"] == (1.0, 0.0)
    with pytest.raises(SettingError):
        saved.save_controls({"smoothing": 2})
    assert (tmp_path / "p" / "preset.toml").read_text() == text
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == [
        "generator.safetensors",
        "history",
        "mapping.safetensors",
        "pairs.safetensors",
        "preset.toml",
    ]
    assert preset.save_controls({"smoothing": 0.5}).controls["smoothing"] == 0.5  # back to what it was loaded with


def test_a_shipped_preset_is_copied_before_it_is_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "OWN", tmp_path / "own")
    before = {p: p.stat().st_mtime_ns for p in (SHIPPED / "glass").iterdir()}
    saved = Preset.load("glass").save_controls({"smoothing": 0.25})
    assert saved.folder == tmp_path / "own" / "glass"
    assert not (saved.folder / "make").exists()
    assert before == {p: p.stat().st_mtime_ns for p in (SHIPPED / "glass").iterdir()}
    assert Preset.load("glass").folder == saved.folder  # from now on the name means one's own


def test_the_digest_depends_on_everything_that_decides_the_pictures(tmp_path):
    folder = make_preset(tmp_path / "p")
    digest = Preset.load(folder).digest
    assert re.fullmatch("[0-9a-f]{64}", digest)
    (folder / "preset.toml").write_text("version = 1\n[controls]\nrotate = 1\n")
    assert Preset.load(folder).digest != digest


@pytest.mark.parametrize(("name", "pairs"), [("glass", 17), ("calm", 17), ("violin", 11), ("ink", 17)])
def test_the_shipped_presets_are_whole(name, pairs):
    preset = Preset.load(SHIPPED / name)
    assert len(preset.pairs) == pairs
    world = "ink" if name == "ink" else "glass"
    assert preset.generator_path == SHIPPED / world / "generator.safetensors"
    assert preset.mapping.pairs_digest == preset.pairs.digest
    predicted = preset.mapping.regressor.process(preset.pairs.descriptors)
    assert np.abs(predicted - preset.pairs.latents).max() < 0.01
    if name == world:  # with all that it takes to pair anew
        assert preset.pairs.map == preset.corpus.digest
        assert len(preset.candidates.kept) == pairs
        assert preset.candidates.origin.generator == preset.generator_sha256
        for sound in preset.corpus.facts.sounds:
            assert sha256_of(preset.folder / sound.file) == sound.sha256


def test_a_copy_of_a_shipped_preset_has_the_sounds_that_it_shares(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "OWN", tmp_path / "own")
    shipped, copy = Preset.load(SHIPPED / "ink"), Preset.load("ink").own_copy()
    assert [sound.file for sound in copy.corpus.facts.sounds] == ["sounds/strings.flac", "sounds/glass.flac"]
    for sound in copy.corpus.facts.sounds:
        assert sha256_of(copy.folder / sound.file) == sound.sha256
    assert copy.pairs.map == copy.corpus.digest == shipped.corpus.digest


def rewritten(path, change):
    """The file again, after `change(arrays, header)`."""
    with safe_open(path, "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
        header = dict(file.metadata())
    change(arrays, header)
    save_file(arrays, path, metadata=header)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, header: header.update(version="x"), "format 'x' given"),
        (lambda arrays, header: header.update(version="9"), "written by a newer Ponticello"),
        (lambda arrays, header: header.update(facts="{"), "facts are damaged"),
        (lambda arrays, header: header.update(facts="[]"), "Expected `object`, got `array`"),
        (
            lambda arrays, header: header.update(facts='{"sizes": [23, 16], "activation": [], "space": "z"}'),
            r"\$.activation",
        ),
        (
            lambda arrays, header: header.update(facts='{"sizes": [23], "activation": "relu", "space": "z"}'),
            r"\$.sizes",
        ),
        (lambda arrays, header: header.update(facts=header["facts"].replace('"z"', '"q"')), "Invalid enum value 'q'"),
        (
            lambda arrays, header: arrays.update({"scaler.deviation": np.ones(22)}),
            r"must be floating-point numbers of shape \(23\)",
        ),
        (lambda arrays, header: arrays.update({"scaler.deviation": -np.ones(23)}), "non-negative"),
        (lambda arrays, header: arrays.update({"layer0.bias": np.full(40, np.nan, np.float32)}), "NaN or infinity"),
        (lambda arrays, header: arrays.pop("layer1.weight"), "lacks 'layer1.weight'"),
    ],
)
def test_damaged_mappings_are_named(tmp_path, change, message):
    folder = make_preset(tmp_path / "p")
    rewritten(folder / "mapping.safetensors", change)
    with pytest.raises(PresetError, match=message) as caught:
        _ = Preset.load(folder).mapping
    assert str(folder / "mapping.safetensors") in str(caught.value)


def test_missing_pairs_and_pairs_of_another_mapping(tmp_path):
    folder = make_preset(tmp_path / "p")
    pairs = Preset.load(folder).pairs
    for other, message in [
        (Pairs((), np.empty((0, 23)), np.empty((0, 16), np.float32), np.empty((0, 2))), "holds no pairs"),
        (replace(pairs, space="w"), "latents in w of 16 numbers, the mapping gives z of 16"),
        (replace(pairs, latents=pairs.latents[:, :5]), "latents in z of 5 numbers"),
    ]:
        other.save(folder / "pairs.safetensors")
        with pytest.raises(PresetError, match=message):
            _ = Preset.load(folder).pairs


def test_files_have_the_rights_of_any_new_file(tmp_path):
    folder = make_preset(tmp_path / "p")
    (tmp_path / "plain").touch()
    for name in ("mapping.safetensors", "pairs.safetensors", "generator.safetensors"):
        assert (folder / name).stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_digest_follows_the_pairs(tmp_path):
    folder = make_preset(tmp_path / "p")
    digest = Preset.load(folder).digest
    pairs = Preset.load(folder).pairs
    replace(pairs, descriptors=pairs.descriptors + 1).save(folder / "pairs.safetensors")
    assert Preset.load(folder).digest != digest


def test_a_frame_of_a_sound_has_its_row_in_the_corpus(tmp_path):
    corpus = write_corpus(make_preset(tmp_path / "p"), frames=(60, 40))
    for row in range(len(corpus)):
        assert corpus.row_of(corpus.source(row)) == row
    first, second = (sound.sha256 for sound in corpus.facts.sounds)
    assert corpus.row_of(SoundFrame(first, 0)) == 0  # silent: the first that sounds
    assert corpus.row_of(SoundFrame(first, 59)) == corpus.frames_of(0)[59]
    assert corpus.row_of(SoundFrame(second, 0)) == corpus.frames_of(1)[0]
    assert corpus.row_of(SoundFrame(second, 39)) == len(corpus) - 1
    for unknown in (SoundFrame(first, 60), SoundFrame(first, -1), SoundFrame(second, 40), SoundFrame("f" * 64, 3)):
        assert corpus.row_of(unknown) is None


def test_names_in_a_message_are_shortened():
    assert shortened([]) == "none"
    assert shortened(["a", "b"]) == "a, b"
    names = [f"n{i}" for i in range(12)]
    listed, _, more = shortened(names).partition(" and ")
    assert listed.split(", ") == names[: len(listed.split(", "))]
    assert more == f"{12 - len(listed.split(', '))} more"
    assert shortened(names[: len(listed.split(", "))]) == listed


@pytest.mark.parametrize(
    ("change", "good"),
    [
        (lambda a: None, True),
        (lambda a: a["sound"].__setitem__(0, 2), False),
        (lambda a: a["sound"].__setitem__(0, -1), False),
        (lambda a: a["sound"].__setitem__(0, 1), True),
        (lambda a: a["frame"].__setitem__(0, -1), False),
        (lambda a: a["stands_for"].__setitem__(0, -1), False),
        (lambda a: a["stands_for"].__setitem__(0, len(a["frame"])), False),
        (lambda a: a["stands_for"].__setitem__(0, len(a["frame"]) - 1), True),
        (lambda a: a.update(positions=a["positions"][1:]), False),
        (lambda a: a.update(frame=a["frame"][1:]), False),
        (lambda a: a.update(sound=a["sound"][1:]), False),
        (lambda a: a.update(stands_for=a["stands_for"][1:]), False),
        (lambda a: a.update(descriptors=a["descriptors"][:, 1:].copy()), False),
        (lambda a: a["positions"].__setitem__((0, 0), np.nan), False),
        (lambda a: a.update(sound=a["sound"].astype(np.float64)), False),
    ],
)
def test_a_corpus_whose_parts_do_not_fit_is_refused(tmp_path, change, good):
    folder = make_preset(tmp_path / "p")
    write_corpus(folder)
    rewritten(folder / "corpus.safetensors", lambda arrays, _: change(arrays))
    if good:
        assert len(Preset.load(folder).corpus) == 75
    else:
        with pytest.raises(PresetError, match=r"corpus\.safetensors"):
            _ = Preset.load(folder).corpus


def test_a_corpus_of_other_inputs_is_refused(tmp_path):
    folder = make_preset(tmp_path / "p")
    with pytest.raises(PresetError, match="has no sounds yet"):
        _ = Preset.load(folder).corpus
    write_corpus(folder, inputs=("pitch", "loudness"))
    with pytest.raises(PresetError, match=r"was made for other inputs than those of preset\.toml"):
        _ = Preset.load(folder).corpus


def test_a_sound_by_name_or_number(tmp_path):
    corpus = write_corpus(make_preset(tmp_path / "p"))
    for name, number in (("a", 0), ("b.wav", 1), ("sounds/b.wav", 1), ("1", 0), ("2", 1)):
        assert corpus.sound_named(name) == number
    for name, message in ((None, "which sound"), ("0", "no sound '0'"), ("3", "no sound '3'"), ("c", "no sound 'c'")):
        with pytest.raises(SettingError, match=message):
            corpus.sound_named(name)
    assert write_corpus(make_preset(tmp_path / "q"), frames=(60,)).sound_named(None) == 0
    nearest = corpus.nearest(*corpus.positions[33])
    assert np.array_equal(corpus.positions[nearest], corpus.positions[33])
    assert corpus.most_like(corpus.standardised[12]) == 12


def test_a_copy_leaves_out_what_belongs_to_the_original(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(places, "OWN", tmp_path / "own")
    folder = make_preset(tmp_path / "shipped" / "glassy")
    (folder / "make").mkdir()
    for name in (".lock", ".lock-owner", "make/x.py"):
        (folder / name).touch()
    own = Preset.load("glassy").own_copy()
    assert own.folder == tmp_path / "own" / "glassy"
    assert own.folder == Preset.load("glassy").own_folder
    names = {path.name for path in own.folder.iterdir()}
    assert names == {"preset.toml", "generator.safetensors", "mapping.safetensors", "pairs.safetensors"}
    assert [path.name for path in own.folder.parent.iterdir()] == ["glassy"]
    assert own.own_copy() is own


def test_keys_that_are_allowed_are_named_by_table(tmp_path):
    for toml, names in (
        ("version = 1\nx = 1\n", "version, descriptors, inputs, picture, generator, training, direct, controls"),
        ("version = 1\n[generator]\nx = 1\n", "file, sha256"),
        ("version = 1\n[direct]\nx = 1\n", "size, shape, between, steps, learning_rate, seed"),
        ("version = 1\n[training]\nx = 1\n", "regressor, pairs, .*, layers, activation, epochs, .*, alpha"),
    ):
        with pytest.raises(PresetError, match=f"allowed are: {names}$"):
            Preset.load(make_preset(tmp_path / "p", toml=toml))
