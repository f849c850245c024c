"""Full disks, diverged networks and kills: what a run keeps of its folder, and what it tells the user."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import ponticello
from offline.dataset.reader import Dataset
from offline.training.configuration import Configuration
from offline.training.iteration import Progress
from offline.training.network_file import read_networks
from offline.training.run import Listener, TrainingRun
from offline.training.run_folder import Best, RunFolder
from offline.training.start import begin
from shared.errors import Failure, ModelError, PonticelloError, SettingError
from tests.small import write_generator
from tests.training.runs import newest, write_data

pytestmark = pytest.mark.slow

TINY = {
    "channel_base": 64,
    "channel_max": 8,
    "num_layers": 4,
    "z_dim": 16,
    "w_dim": 16,
    "d_channel_base": 64,
    "d_channel_max": 8,
}
CPU = torch.device("cpu")
CONFIGURATION = Configuration(
    size=16, **TINY, batch=8, micro_batch=8, augment=(), kimg=0.016, tick=0.008, threads=torch.get_num_threads()
)  # two iterations, a report after each
LARGE = 1e6  # more than float16 holds


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.zip")


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.begin(CONFIGURATION)
    return folder


@pytest.fixture
def fill_disk(monkeypatch):
    """Let the disk be full for files of one name, the first `times` times."""

    def fill(name, times):
        replace, left = os.replace, [times]

        def replaced(source, target):
            if Path(target).name == name and left[0]:
                left[0] -= 1
                raise OSError(errno.ENOSPC, "No space left on device")
            replace(source, target)

        monkeypatch.setattr("os.replace", replaced)

    return fill


def names(folder):
    return [path.name for path in folder.snapshots()]


@pytest.mark.parametrize("name", ["reals.png", "best.safetensors"])
def test_a_full_disk_at_a_report_does_not_end_the_run(folder, data, fill_disk, name):
    lines = []
    run = TrainingRun(CONFIGURATION, Dataset(data), folder, CPU)
    fill_disk(name, 1)
    assert run.train(Listener(say=lines.append))
    (line,) = lines
    assert line.startswith(f"cannot write {folder.path / name}: the disk is full")
    assert line.endswith("the run goes on and tries again later")
    assert names(folder) == ["state-00000002.safetensors"]
    assert (folder.path / name).exists()
    assert folder.lines()[-1]["iteration"] == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_at_the_log_does_not_end_the_run(folder, data):
    lines, reports = [], []
    run = TrainingRun(CONFIGURATION, Dataset(data), folder, CPU)
    (folder.path / "log.jsonl").symlink_to("/dev/full")
    assert run.train(Listener(say=lines.append, on_report=reports.append))
    assert [line.endswith("the run goes on and tries again later") for line in lines] == [True, True]
    assert len(reports) == 2
    assert names(folder) == ["state-00000002.safetensors"]


def test_a_last_snapshot_that_fails_is_tried_again(folder, data, fill_disk):
    lines = []
    run = TrainingRun(CONFIGURATION, Dataset(data), folder, CPU)
    fill_disk("state-00000002.safetensors", 1)
    assert run.train(Listener(say=lines.append), snapshot_s=0)
    assert ["the disk is full" in line for line in lines] == [True]
    assert names(folder)[-1] == "state-00000002.safetensors"


def test_a_run_without_its_last_snapshot_is_not_finished(folder, data, fill_disk):
    run = TrainingRun(CONFIGURATION, Dataset(data), folder, CPU)
    fill_disk("state-00000002.safetensors", 2)
    with pytest.raises(Failure, match="the disk is full"):
        run.train(Listener(), snapshot_s=0)
    assert names(folder) == ["state-00000001.safetensors"]


@pytest.fixture
def networks():
    return begin(CONFIGURATION, None, CPU)


def put(network, value):
    """Set a weight."""
    with torch.no_grad():
        network.parameters_by_name()["mapping.fc0.weight"][0, 0] = value


@pytest.mark.parametrize("part", ["generator", "averaged"])
def test_weights_that_are_not_finite_leave_the_folder_as_it_was(folder, networks, part):
    folder.save(networks, Progress(iteration=1), Best())
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    put(getattr(networks, part), np.nan)
    with pytest.raises(ModelError, match=r"no snapshot is saved: tensor .*mapping\.fc0\.weight holds NaN"):
        folder.save(networks, Progress(iteration=2), Best())
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


def test_snapshots_do_not_pile_up_where_the_generator_cannot_be_written(folder, networks):
    folder.save(networks, Progress(iteration=1), Best())
    before = (folder.path / "generator.safetensors").read_bytes()
    put(networks.averaged, LARGE)
    for iteration in range(2, 6):
        with pytest.raises(ModelError, match=r"generator\.safetensors is not updated: .* too large for float16"):
            folder.save(networks, Progress(iteration=iteration), Best())
    assert names(folder) == [f"state-{iteration:08d}.safetensors" for iteration in (3, 4, 5)]
    assert read_networks(newest(folder.path)).arrays["G_ema/mapping.fc0.weight"][0, 0] == np.float32(LARGE)
    assert (folder.path / "generator.safetensors").read_bytes() == before


def test_the_user_reads_once_that_no_snapshot_is_saved(folder, data):
    lines = []
    run = TrainingRun(CONFIGURATION, Dataset(data), folder, CPU)
    put(run.networks.averaged, np.nan)
    assert run.train(Listener(say=lines.append), snapshot_s=0)
    (line,) = lines
    assert line.startswith("no snapshot is saved: tensor G_ema/")
    assert names(folder) == []


def test_a_truncated_line_of_the_log_does_not_swallow_the_next_report(folder):
    log = folder.path / "log.jsonl"
    log.write_text('{"iteration": 4}\n{"iteration": 5, "kim')
    folder.rewind(Progress(iteration=4))
    folder.log({"iteration": 5})
    assert [json.loads(line)["iteration"] for line in log.read_text().splitlines()] == [4, 5]


def test_a_line_that_does_not_fit_leaves_the_log_as_it_was(folder):
    resource = pytest.importorskip("resource")
    folder.log({"iteration": 4})
    log = folder.path / "log.jsonl"
    before = log.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 5, hard))
    try:
        with pytest.raises(PonticelloError, match="cannot write"):
            folder.log({"iteration": 5})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.read_bytes() == before


def test_fine_tuning_without_a_snapshot_needs_its_file_again(data, tmp_path):
    source = tmp_path / "generator.safetensors"
    write_generator(source)
    run = tmp_path / "run"
    options = (
        f"--batch 8 --kimg 0.008 --d-channel-base 64 --d-channel-max 8 --augment none --threads {CONFIGURATION.threads}"
    )
    command = ["train-gan", str(data), "-o", str(run), *options.split()]
    ponticello.run([*command, "--from", str(source)])
    (state,) = run.glob("state-*")
    first = state.read_bytes()
    state.unlink()  # as if killed before it
    for plan in ([], ["-n"]):
        with pytest.raises(SettingError, match="has no snapshot yet; give the same file again with --from"):
            ponticello.run([*command, *plan])
    ponticello.run([*command, "--from", str(source)])
    assert newest(run).read_bytes() == first
