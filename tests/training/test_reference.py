"""The training's parts against reference values: gradients, whole iterations, augmentation, averages."""

import json
from pathlib import Path

import pytest
import torch

from offline.training.discriminator import Discriminator
from offline.training.discriminator_architecture import DiscriminatorArchitecture
from offline.training.reference import compare, main

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[1] / "reference" / "training"
ROWS = {
    "d32": 61 - 1,
    "d32_cond5": 97 - 1,
    "d64": 71 - 1,
    "step_t32": 369 - 1,
    "step_r32_cond5": 494 - 1,
    "augment": 55 - 1,
    "blur": 14 - 1,
    "tables": 4 - 1,
    "scores": 4,
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ROWS)
def test_every_quantity_is_the_references(name):
    rows = list(compare(FOLDER / f"{name}.npz"))
    assert len(rows) == ROWS[name]
    assert [row for row in rows if not row.passes] == []


def test_augmentation_is_drawn_from_the_same_distributions():
    rows = list(compare(FOLDER / "augment_statistics.npz", draws=500))
    assert len(rows) == 54
    assert [row for row in rows if not row.passes] == []


def test_the_program_reports_differences(tmp_path, capsys):
    import numpy as np

    with np.load(FOLDER / "blur.npz") as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "right.npz", **arrays)
    arrays["y/5.0"] = arrays["y/5.0"] * 1.01
    np.savez(tmp_path / "wrong.npz", **arrays)
    assert main([str(tmp_path / "right.npz")]) == 0
    assert "all within their tolerances" in capsys.readouterr().out
    assert main([str(tmp_path / "right.npz"), str(tmp_path / "wrong.npz")]) == 1
    assert "BEYOND" in capsys.readouterr().out
    assert main([str(tmp_path / "missing.npz")]) == 2
    assert main([]) == 2


def test_frozen_layers_are_counted_from_the_image():
    architecture = DiscriminatorArchitecture(c_dim=5, img_resolution=64, channel_base=512, channel_max=16)
    for count, names in json.loads((FOLDER / "freeze_d64.json").read_text()).items():
        assert architecture.frozen(int(count)) == set(names)


def test_a_batch_that_cannot_be_grouped_is_refused():
    discriminator = Discriminator(DiscriminatorArchitecture(c_dim=0, img_resolution=16, channel_max=4))
    with pytest.raises(ValueError, match="multiples of 4"):
        discriminator(torch.zeros(6, 3, 16, 16))
