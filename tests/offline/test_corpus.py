"""Sounds on the map of a preset."""

import re

import numpy as np
import pytest
import soundfile
import typer

from offline.corpus import analyse, corpus, sound_map
from offline.corpus.corpus import make_corpus, silence_left_out
from offline.corpus.sound_map import placed_between, principal_components
from shared.audio.descriptors import DESCRIPTORS, describe
from shared.errors import PresetError, SettingError, SoundError, UserError
from shared.preset.corpus import Corpus
from shared.preset.preset import Preset, sha256_of
from tests.offline.other_program import meanwhile
from tests.shared.test_preset import rewritten
from tests.small import make_preset, sound, write_corpus, write_sound

pytestmark = pytest.mark.slow


def run(*arguments):
    return typer.main.get_command(analyse.app)([str(a) for a in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two sounds, one beginning with silence, analysed into a preset by the command."""
    folder = tmp_path_factory.mktemp("corpus")
    make_preset(folder / "p")
    write_sound(folder / "a.wav", 1.2, subtype="FLOAT")
    late = np.concatenate([np.zeros((4000, 1), np.float32), sound(0.5)])
    soundfile.write(folder / "b.wav", late, 44100, subtype="FLOAT")
    run(folder / "p", folder / "a.wav", folder / "b.wav", "--copy")
    return folder


def test_each_frame_that_sounds_has_a_place(made):
    found = Preset.load(made / "p").corpus
    rows = [describe(soundfile.read(made / name, dtype="float32")[0], 44100) for name in ("a.wav", "b.wav")]
    assert [entry.frames for entry in found.facts.sounds] == [len(r) for r in rows] == [104, 51]
    loud = [r[:, -1] >= -60 for r in rows]
    assert 0 < len(found) < sum(map(len, rows))
    assert np.array_equal(found.descriptors, np.concatenate([r[m] for r, m in zip(rows, loud, strict=True)]))
    assert np.array_equal(found.sound, np.repeat([0, 1], [m.sum() for m in loud]))
    assert np.array_equal(found.frame, np.concatenate([np.flatnonzero(m) for m in loud]))
    assert found.positions.min() >= 0
    assert found.positions.max() <= 1
    assert np.ptp(found.positions, axis=0).max() == pytest.approx(1)
    assert len(np.unique(found.positions, axis=0)) == len(found)
    assert found.standardised.mean(axis=0) == pytest.approx(np.zeros(23), abs=1e-9)
    assert found.standardised.std(axis=0) == pytest.approx(np.ones(23))


def test_silent_frames_stand_for_the_last_that_sounds_leading_ones_for_the_first(made):
    found = Preset.load(made / "p").corpus
    late = found.frames_of(1)
    rows = describe(soundfile.read(made / "b.wav", dtype="float32")[0], 44100)
    silent = rows[:, -1] < -60
    first = int(np.flatnonzero(~silent)[0])
    assert first > 3
    for k in range(len(rows)):
        expected = first if k < first else max(i for i in range(k + 1) if not silent[i])
        assert (found.sound[late[k]], found.frame[late[k]]) == (1, expected)


def test_the_folder_holds_the_sounds_and_the_map(made):
    found = Preset.load(made / "p").corpus
    assert [entry.file for entry in found.facts.sounds] == ["sounds/a.wav", "sounds/b.wav"]
    assert [entry.sha256 for entry in found.facts.sounds] == [sha256_of(made / "a.wav"), sha256_of(made / "b.wav")]
    assert (made / "p" / "sounds" / "b.wav").read_bytes() == (made / "b.wav").read_bytes()
    assert (made / "p" / "map.png").is_file()
    assert {path.name for path in (made / "p").glob(".*")} <= {".lock"}


def test_the_same_again_does_nothing_and_another_seed_is_another_map(made, capsys):
    first = Preset.load(made / "p").corpus
    run(made / "p", made / "a.wav", made / "b.wav", "--copy")
    assert "nothing to do" in capsys.readouterr().err
    run(made / "p", made / "a.wav", made / "b.wav", "--copy", "--seed", 1)
    other = Preset.load(made / "p").corpus
    assert not np.array_equal(other.positions, first.positions)
    assert np.array_equal(other.descriptors, first.descriptors)
    run(made / "p", made / "a.wav", made / "b.wav", "--copy", "--seed", 0)
    assert Preset.load(made / "p").corpus.digest == first.digest
    output = capsys.readouterr()
    count = principal_components(first.standardised)[0].shape[1]
    assert f"{count} of 23 principal components keep 99." in output.out


def test_the_map_is_of_the_inputs_alone_and_sounds_stay_where_they_are(tmp_path, made):
    make_preset(tmp_path / "q", inputs=2, toml="version = 1\ninputs = ['loudness', 'pitch']\n")
    run(tmp_path / "q", made / "a.wav")
    found = Preset.load(tmp_path / "q").corpus
    assert found.facts.sounds[0].file == str(made / "a.wav")
    assert not (tmp_path / "q" / "sounds").exists()
    assert found.standardised.shape == (len(found), 2)
    assert found.descriptors.shape[1] == 23
    assert found.scaler.mean[0] == pytest.approx(found.descriptors[:, 22].mean())
    (tmp_path / "q" / "preset.toml").write_text("version = 1\ninputs = ['pitch']\n")
    with pytest.raises(PresetError, match=r"made for other inputs than those of preset.toml; analyse the sounds again"):
        _ = Preset.load(tmp_path / "q").corpus


def test_frames_that_are_alike_share_a_place(tmp_path):
    wave = np.sin(2 * np.pi * np.arange(44100) / 64).astype(np.float32)  # 512 samples are 8 periods: all frames alike
    noise = np.random.default_rng(0).standard_normal(30_000).astype(np.float32) * 0.1
    rows = np.round(describe(np.concatenate([wave, noise]), 44100), 3)
    distinct = np.unique(rows, axis=0)
    assert len(distinct) < 0.7 * len(rows)
    found = sound_map.sound_map(rows)
    for a in range(0, len(rows), 7):
        alike = (rows == rows[a]).all(axis=1)
        assert (found.positions[alike] == found.positions[a]).all()


def test_components_are_those_of_a_singular_value_decomposition():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 23)) @ np.diag(0.7 ** np.arange(23)) @ rng.standard_normal((23, 23))
    rows -= rows.mean(axis=0)
    scores, kept = principal_components(rows)
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    shares = np.cumsum(s**2) / np.sum(s**2)
    count = next(k for k in range(1, 24) if shares[k - 1] >= 0.99)
    assert 3 < count < 20
    assert scores.shape == (400, count)
    assert kept == pytest.approx(shares[count - 1])
    assert np.abs(scores) == pytest.approx(np.abs(rows @ vt[:count].T))
    everything, kept = principal_components(rows, 1.0)
    assert (everything.shape[1], kept) == (23, pytest.approx(1.0))


def test_neighbors_are_the_nearest():
    points = np.random.default_rng(0).standard_normal((50, 3))
    numbers, distances = sound_map.neighbors(points)
    all_distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert np.array_equal(numbers, np.argsort(all_distances, axis=1)[:, :15])
    assert distances == pytest.approx(np.sort(all_distances, axis=1)[:, :15], abs=1e-6)
    assert numbers[:, 0].tolist() == list(range(50))


def test_silence_by_hand(tmp_path):
    rows = np.zeros((7, 23))
    rows[:, -1] = [-90, -70, -60, -60.001, -20, -100, -100]
    frames, stands_for = silence_left_out(rows, tmp_path)
    assert frames.tolist() == [2, 4]
    assert stands_for.tolist() == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("sounds", "error", "words"),
    [
        (["silent.wav"], SoundError, r"silent.wav is silent throughout, below -60 dB; leave it out or make it louder"),
        (["short.wav"], UserError, r"\d+ different frames that are not silent; a map needs at least 16 \(0.2 s\)"),
        (["none.wav"], SoundError, "no file"),
        (["a.wav", "./a.wav"], UserError, "a.wav is named twice"),
        (["a.wav", "other/a.wav"], UserError, "is another sound of the same name; rename"),
    ],
)
def test_sounds_that_make_no_corpus(tmp_path, monkeypatch, sounds, error, words):
    monkeypatch.chdir(tmp_path)
    make_preset(tmp_path / "p")
    before = sorted(path.name for path in (tmp_path / "p").iterdir())
    soundfile.write("silent.wav", np.zeros(30_000), 44100)
    soundfile.write("short.wav", sound(0.1)[:, 0], 44100)
    write_sound("a.wav", 0.5)
    (tmp_path / "other").mkdir()
    write_sound("other/a.wav", 0.6)
    with pytest.raises(error, match=words):
        run("p", *sounds, *(["--copy"] if "other/a.wav" in sounds else []))
    assert sorted(path.name for path in (tmp_path / "p").iterdir() if path.name not in ("sounds", ".lock")) == before


def test_ctrl_c_leaves_the_corpus_that_was_there(tmp_path, monkeypatch):
    folder = make_preset(tmp_path / "p")
    write_corpus(folder)
    write_sound(tmp_path / "a.wav", 0.5)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def stopped(rows, seed):
        raise KeyboardInterrupt

    monkeypatch.setattr(corpus, "sound_map", stopped)
    with pytest.raises(KeyboardInterrupt):
        corpus.make_corpus(Preset.load(folder), [tmp_path / "a.wav"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_where_a_corpus_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_sound("a.wav", 0.5)
    for arguments, words in [
        (["nowhere", "a.wav"], "no preset nowhere; give the path of a preset folder"),
        ([".", "a.wav"], "is not a preset: it has no preset.toml"),
        (
            ["a.wav"],
            r"a.wav is a file; name the preset first \(ponticello analyse PRESET a.wav\), or write a table: -o FILE.csv",
        ),
        (["mine"], "preset mine given and no sound; name the sounds after it"),
        (
            ["a.wav", "-o", "mine"],
            "-o mine given; allowed are files that end in .csv or .npz; for a preset: ponticello analyse mine a.wav",
        ),
        (["a.wav", "-o", "a.csv", "--seed", 1], "--seed belongs to a preset"),
    ]:
        with pytest.raises(UserError, match=words):
            run(*arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_corpus_by_hand(tmp_path):
    made = write_corpus(make_preset(tmp_path / "p"))
    found = Preset.load(tmp_path / "p").corpus
    assert found.digest == made.digest
    assert len(found) == 45 + 30
    x, y = found.positions[33]
    assert found.nearest(float(x) + 1e-6, float(y)) == 33
    assert found.most_like(found.standardised[61] + 1e-3) == 61
    assert found.frames_of(1)[:6].tolist() == [45, 45, 46, 47, 47, 48]
    assert [found.sound_named(name) for name in ("a", "b.wav")] == [0, 1]
    for name in (None, "c"):
        with pytest.raises(SettingError, match=re.escape("the corpus has 1 a, 2 b; give a name or a number")):
            found.sound_named(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, header: arrays.update(positions=arrays["positions"][:-1]), "do not fit together"),
        (lambda arrays, header: arrays.update(positions=arrays["positions"] * np.nan), "do not fit together"),
        (lambda arrays, header: arrays.update(stands_for=arrays["stands_for"] + 1), "do not fit together"),
        (lambda arrays, header: arrays.update(sound=arrays["sound"] + 1), "do not fit together"),
        (lambda arrays, header: arrays.update(frame=arrays["frame"] - 9), "do not fit together"),
        (lambda arrays, header: arrays.update({n: a[:0] for n, a in arrays.items()}), "do not fit together"),
        (lambda arrays, header: arrays.pop("frame"), "lacks 'frame'"),
        (lambda arrays, header: header.update(facts="{}"), "missing required field"),
        (lambda arrays, header: header.update(ponticello="pairs"), "holds pairs, not corpus"),
    ],
)
def test_a_damaged_corpus_is_named(tmp_path, change, message):
    write_corpus(make_preset(tmp_path / "p"))
    rewritten(tmp_path / "p" / "corpus.safetensors", change)
    with pytest.raises(PresetError, match=message):
        Corpus.load(tmp_path / "p" / "corpus.safetensors")


def test_names_of_descriptors_stand_in_the_file(made):
    assert Preset.load(made / "p").corpus.facts.descriptors == DESCRIPTORS


def test_a_sound_that_the_corpus_knows_is_not_analysed_again(tmp_path, monkeypatch):
    folder = make_preset(tmp_path / "p")
    first, second = (write_sound(tmp_path / f"{name}.wav", 1.0 + i / 2) for i, name in enumerate("ab"))
    make_corpus(Preset.load(folder), [first])
    described = []
    real = corpus.describe_blocks
    monkeypatch.setattr(corpus, "describe_blocks", lambda *given: described.append(1) or real(*given))
    both = make_corpus(Preset.load(folder), [second, first])
    assert len(described) == 1
    other = make_preset(tmp_path / "q")
    assert make_corpus(Preset.load(other), [second, first]).digest == both.digest
    assert np.array_equal(Preset.load(other).corpus.stands_for, both.stands_for)


def test_points_are_placed_between_the_nearest_that_are_known():
    known = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [50.0, 50.0]])
    places = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9], [5.0, 5.0]])
    found = placed_between(np.array([[0.5, 0.5], [1.0, 0.0]]), known, places)
    assert found[0] == pytest.approx([0.5, 0.5])
    assert found[1] == pytest.approx([0.9, 0.1])


def test_of_many_frames_a_sample_is_embedded_and_the_others_are_placed_near_it(monkeypatch):
    monkeypatch.setattr(sound_map, "MOST", 400)
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3, 23)) * 30
    which = rng.integers(0, 3, 1200)
    made = sound_map.sound_map(centres[which] + rng.standard_normal((1200, 23)))
    assert made.positions.shape == (1200, 2)
    middles = np.array([np.median(made.positions[which == i], axis=0) for i in range(3)])
    nearest = np.linalg.norm(made.positions[:, None] - middles, axis=2).argmin(axis=1)
    assert (nearest == which).mean() > 0.99


def test_the_preset_can_be_changed_while_sounds_are_analysed(tmp_path, monkeypatch):
    folder, path = make_preset(tmp_path / "p"), write_sound(tmp_path / "a.wav", 0.6)
    meanwhile(monkeypatch, corpus, "sound_map", lambda: Preset.load(folder).save_controls({"smoothing": 0.3}))
    run(folder, path)
    after = Preset.load(folder)
    assert after.controls["smoothing"] == 0.3
    assert after.corpus.facts.sounds[0].name == "a"


def test_inputs_changed_during_the_analysis_leave_the_preset_as_it_was(tmp_path, monkeypatch):
    folder, path = make_preset(tmp_path / "p"), write_sound(tmp_path / "a.wav", 0.6)
    text = 'version = 1\ninputs = ["pitch", "loudness"]\n'
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    meanwhile(monkeypatch, corpus, "sound_map", lambda: (folder / "preset.toml").write_text(text, "utf-8"))
    with pytest.raises(
        PresetError, match=r"the inputs in preset\.toml changed during the analysis; nothing was written"
    ):
        run(folder, path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {**before, "preset.toml": text.encode()}
