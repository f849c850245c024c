"""Several processes: they give what one gives, and a killed one costs nothing but time."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from offline.training.network_file import read_networks
from tests.training.runs import finish, newest, outcome, start, write_data

pytestmark = pytest.mark.slow

OPTIONS = ["--kimg", 0.08]  # 10 iterations, with augmentation


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def torchrun(restarts):
    """torchrun with two processes on this machine."""
    options = ["--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port", free_port()]
    options += ["--max-restarts", str(restarts), "-m", "ponticello", "train-gan"]
    return [sys.executable, "-m", "torch.distributed.run", *options]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.zip")


@pytest.fixture(scope="module")
def pair(data):
    """An undisturbed run of two processes, started as srun starts them."""
    run = data.parent / "pair"
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    processes = [start(data, run, *OPTIONS, variables={**shared, "RANK": str(rank)}) for rank in range(2)]
    ends = [finish(process) for process in processes]
    assert [status for status, _, _ in ends] == [0, 0], ends
    assert ends[1][1] == ""  # the first one speaks
    return run


def test_two_processes_give_what_one_gives(data, pair):
    alone = data.parent / "alone"
    assert finish(start(data, alone, *OPTIONS))[0] == 0
    one, two = (read_networks(newest(run)) for run in (alone, pair))
    assert one.facts["progress"]["sign_count"] == two.facts["progress"]["sign_count"] > 0
    for name, array in one.arrays.items():
        if not name.startswith("adam"):
            assert np.abs(two.arrays[name] - array).max() <= 1e-5 * max(np.abs(array).max(), 1.0), name


def workers(launched):
    """The processes that torchrun has started."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(launched.pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in listed.stdout.split()]


def test_a_killed_worker_is_replaced_and_the_bits_stay(data, pair, tmp_path):
    run = tmp_path / "run"
    process = start(data, run, *OPTIONS, "--snapshot-minutes", 0, prefix=torchrun(restarts=2))
    deadline = time.monotonic() + 120
    while not list(run.glob("fakes-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(workers(process)[-1], signal.SIGKILL)
    status, out, err = finish(process)
    assert status == 0, err
    assert "going on at" in err
    assert outcome(run) == outcome(pair)
    assert Path(run / "generator.safetensors").exists()
    assert "finished at 0.08 kimg" in out
