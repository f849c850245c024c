"""`train --compare` and the settings that it compares."""

import csv
import re

import numpy as np
import pytest
import typer

from offline import train as studio
from offline.laboratory import comparison
from offline.laboratory.comparison import compare
from offline.laboratory.generator_probe import GeneratorProbe
from offline.laboratory.look import difference, differences, variety
from offline.laboratory.mapping_measures import Bench, frames_of
from offline.laboratory.variants import Variant, variants
from offline.pairing.session import Pairing
from offline.train import train
from shared.errors import PresetError, SettingError, Stopped
from shared.mapping.regression import Training
from shared.preset import Preset
from tests.small import make_unpaired, write_sound

pytestmark = pytest.mark.slow


def run(*arguments):
    return typer.main.get_command(studio.app)([str(a) for a in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = make_unpaired(tmp_path_factory.mktemp("preset") / "p")
    Pairing(Preset.load(folder)).auto("kmeans", 7)
    train(Preset.load(folder))
    return Preset.load(folder)


@pytest.fixture
def bench(preset):
    return Bench(preset, preset.pairs, frames_of(preset, None), 0.0, GeneratorProbe(preset))


def few(own, pairs):
    """Three quick variants."""
    names = ("rbf", "nearest", "linear")
    return [Variant("Regressor", name, Training(regressor=name)) for name in names]


def test_variants_cover_regressors_numbers_of_pairs_and_preprocessing():
    found = variants(Training(), 17)
    assert {v.training.regressor for v in found} == {"mlp", "nearest", "rbf", "gaussian_process", "ridge", "linear"}
    assert [v.training.pairs for v in found if v.group == "Number of pairs"] == [5, 9, 0]
    assert [v.training.preprocessing for v in found if v.group == "Preprocessing"] == ["standard", "robust", "whitened"]
    assert [v.training.pairs for v in variants(Training(), 30) if v.group == "Number of pairs"] == [5, 9, 17, 0]
    own = Training(regressor="rbf", penalty=0.5)
    found = variants(own, 17)
    assert found[0].training == own
    assert all(v.training.penalty == 0.5 for v in found if v.group != "Regressor")


def test_numbers_of_a_mapping_are_what_they_are_called(bench):
    nearest, strip = bench.measure(Training(regressor="nearest", neighbours=1))
    linear, _ = bench.measure(Training(regressor="linear"))
    assert strip.shape == (16, 16, 16, 3)
    assert nearest.loss == 0
    assert nearest.bend > 2 * linear.bend  # it jumps
    assert nearest.speed == 0  # the median tick
    assert linear.speed > 0
    far, look = bench.chance
    assert 0.5 * far < nearest.left_out < 2 * far
    assert 0.3 * look < nearest.left_out_look < 3 * look
    fewer, _ = bench.measure(Training(regressor="rbf", pairs=5))
    assert fewer.loss < 1e-9


def test_random_latents_are_usual_and_their_mean_is_not(bench):
    usual = bench.probe.usual
    pictures = [
        bench.picture_of(latent) for latent in np.random.default_rng(1).standard_normal((300, 16)).astype(np.float32)
    ]
    w = bench.probe.w(pictures)
    assert np.median(usual.distance(w)) == pytest.approx(1, abs=0.3)
    assert np.median(usual.mahalanobis(w)) == pytest.approx(1, abs=0.3)
    assert usual.distance(usual.mean[None])[0] == 0
    assert usual.mahalanobis(usual.mean[None] + 9 * usual.deviation)[0] > 3


def test_looks_differ_by_grey_levels():
    black, grey = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 30, np.uint8)
    assert difference(black, grey) == 30
    assert differences(np.stack([black, grey, black])).tolist() == [30, 0, 30]
    assert variety(np.stack([black])) == 0


def test_the_comparison_is_a_page_and_a_table_and_goes_on_after_an_interruption(preset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(comparison, "variants", few)
    files = {path.name: path.stat().st_mtime_ns for path in preset.folder.iterdir()}
    measured = []
    measure = Bench.measure

    def interrupted(self, training):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(training.regressor)
        return measure(self, training)

    monkeypatch.setattr(Bench, "measure", interrupted)
    with pytest.raises(Stopped, match="stopped after 2 of 3 variants; the same command goes on"):
        compare(preset, tmp_path / "out", None, 0.0, None)
    monkeypatch.setattr(Bench, "measure", measure)
    table = compare(preset, tmp_path / "out", None, 0.0, None)
    assert measured == ["rbf", "nearest"]
    assert "2 of 3 variants were measured before" in capsys.readouterr().err
    with (tmp_path / "out" / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == ["rbf", "nearest", "linear"]
    assert [float(row["speed (deviations/s)"]) for row in rows] == [row[6] for row in table.rows]
    page = (tmp_path / "out" / "comparison.html").read_text("utf-8")
    assert len(re.findall(r'<img [^>]*src="data:image/jpeg', page)) == 3
    assert "http" not in page
    assert files == {path.name: path.stat().st_mtime_ns for path in preset.folder.iterdir()}


def test_mistakes(preset, tmp_path):
    with pytest.raises(SettingError, match="--regressor given with --compare"):
        run(preset.folder, "--compare", "--regressor", "rbf")
    with pytest.raises(SettingError, match=r"--start 60 given; the sound has 0 to \d"):
        run(preset.folder, "--compare", "--start", "60", "-o", tmp_path / "o")
    with pytest.raises(SettingError, match="--regressor forest given; allowed are: mlp, nearest"):
        run(preset.folder, "--regressor", "forest")
    with pytest.raises(SettingError, match="--preprocessing soft given; allowed are: standard, robust, whitened"):
        run(preset.folder, "--preprocessing", "soft")
    with pytest.raises(SettingError, match="pairs = -2 given"):
        run(preset.folder, "--pairs", "-2")
    assert Preset.load(preset.folder).settings.training == Training()
    few_pairs = make_unpaired(tmp_path / "few")
    Pairing(Preset.load(few_pairs)).auto("kmeans", 2)
    train(Preset.load(few_pairs))
    with pytest.raises(PresetError, match="has 2 pairs; a comparison needs 3 at least"):
        compare(Preset.load(few_pairs), tmp_path / "o", None, 0.0, None)


def test_another_sound_is_played(preset, tmp_path):
    write_sound(tmp_path / "s.wav", 0.5)
    assert frames_of(preset, tmp_path / "s.wav").shape == (1 + 22050 // 512, 23)


def test_options_are_written_to_the_preset_and_kept(tmp_path, capsys):
    folder = make_unpaired(tmp_path / "p")
    Pairing(Preset.load(folder)).auto("kmeans", 7)
    (folder / "preset.toml").write_text("version = 1\n[training]  # mine\nepochs = 40\n", "utf-8")
    run(folder, "--regressor", "rbf", "--pairs", "5", "--preprocessing", "robust")
    lines = capsys.readouterr().out.splitlines()
    assert sum("not learned: pairs = 5" in line for line in lines) == 2
    assert any(line.startswith("5 pairs, rbf 23-16: loss ") for line in lines)
    text = (folder / "preset.toml").read_text("utf-8")
    assert "[training]  # mine\nepochs = 40\n" in text
    preset = Preset.load(folder)
    assert preset.settings.training == Training(epochs=40, regressor="rbf", pairs=5, preprocessing="robust")
    assert (preset.mapping.regressor.name, preset.mapping.preprocessing.name) == ("rbf", "robust")
    assert preset.is_trained
    run(folder, "--regressor", "ridge", "--pairs", "0")
    assert Preset.load(folder).mapping.regressor.name == "ridge"


def test_preprocessing_needs_sounds_or_what_was_learned_before(tmp_path):
    folder = make_unpaired(tmp_path / "p")
    Pairing(Preset.load(folder)).auto("kmeans", 7)
    run(folder, "--preprocessing", "whitened")
    before = Preset.load(folder).mapping.preprocessing
    (folder / "corpus.safetensors").unlink()
    run(folder)
    assert np.array_equal(Preset.load(folder).mapping.preprocessing.matrix, before.matrix)
    with pytest.raises(PresetError, match="preprocessing = robust given, and p has no sounds to fit it to"):
        run(folder, "--preprocessing", "robust")
