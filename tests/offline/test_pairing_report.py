"""`pair auto --report`: the unsupervised methods measured beside the present pairs."""

import csv
import re

import numpy as np
import pytest
import typer
from scipy.stats import spearmanr

from offline.laboratory.look import differences
from offline.laboratory.pairing_report import coverage, distances, report, spearman
from offline.pairing import command
from offline.pairing.session import Pairing
from offline.train import train
from shared.errors import PresetError, SettingError
from shared.preset import Preset
from tests.small import make_unpaired

pytestmark = pytest.mark.slow


def run(*arguments):
    return typer.main.get_command(command.app)(["auto", *(str(a) for a in arguments)], standalone_mode=False)


@pytest.fixture
def folder(tmp_path):
    folder = make_unpaired(tmp_path / "p")
    pairing = Pairing(Preset.load(folder))
    for image in range(5):
        pairing.place(str(image), 0.1 + 0.2 * image, 0.5)
    return folder


def test_every_method_is_measured_and_the_pairs_stay(folder, tmp_path, capsys):
    train(Preset.load(folder))
    before = (folder / "pairs.safetensors").read_bytes()
    run(folder, "--report", "--count", 6, "-o", tmp_path / "out")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:5]] == ["your pairs", "kmeans", "assignment", "pca"]
    with (tmp_path / "out" / "pairing.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["pairs"]) for row in rows] == [5, 6, 6, 6]
    for row in rows:
        assert 0 < float(row["coverage (%)"]) <= 100
        assert 1 <= float(row["pairs in use"]) <= int(row["pairs"]) + 1e-9
        assert -1 <= float(row["correlation, film"]) <= 1
    page = (tmp_path / "out" / "pairing.html").read_text("utf-8")
    assert len(re.findall('src="data:image/jpeg', page)) == 8
    assert (folder / "pairs.safetensors").read_bytes() == before


def test_measures_equal_their_definitions(folder):
    preset = Preset.load(folder)
    pairs = Pairing(preset).pairs
    far = np.sqrt(np.square(preset.corpus.positions[:, None] - pairs.positions).sum(axis=2)).min(axis=1)
    assert coverage(preset.corpus, pairs) == pytest.approx((far <= 0.1).mean())
    rng = np.random.default_rng(0)
    points, images = rng.standard_normal((6, 3)), rng.integers(0, 256, (6, 4, 4, 3)).astype(np.uint8)
    sound = [np.linalg.norm(points[i] - points[j]) for i in range(6) for j in range(i + 1, 6)]
    look = [np.abs(images[i].astype(float) - images[j]).mean() for i in range(6) for j in range(i + 1, 6)]
    np.testing.assert_allclose(distances(points), sound)
    np.testing.assert_allclose(differences(images), look)
    assert spearman(np.array(sound), np.array(look)) == pytest.approx(spearmanr(sound, look).statistic)
    assert spearman(np.ones(3), np.arange(3.0)) == 0


def test_mistakes(folder, tmp_path):
    with pytest.raises(SettingError, match="kmeans given with --report"):
        run(folder, "kmeans", "--report")
    with pytest.raises(SettingError, match="no method given; allowed are: kmeans, assignment, pca"):
        run(folder)
    with pytest.raises(PresetError, match=r"no mapping.safetensors yet"):
        report(Preset.load(folder), tmp_path / "out", 5, 0)
