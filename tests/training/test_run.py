"""`ponticello train-gan` as a program: its folder, stops and kills, and what it refuses."""

import json
import random
import signal
import time

import pytest

from shared.image.generator import load_generator
from tests.training.runs import finish, outcome, start, write_data

pytestmark = pytest.mark.slow

KIMG = 0.32  # 40 iterations


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.zip")


@pytest.fixture(scope="module")
def whole(data):
    """A run without interruptions."""
    run = data.parent / "whole"
    status, out, err = finish(start(data, run, "--kimg", KIMG))
    assert status == 0, err
    return run, out, err


def wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_run_leaves_a_generator_a_log_and_grids(whole):
    run, out, err = whole
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [4, 5, 10, 15, 20, 25, 30, 35, 40]
    assert lines[-1]["kimg"] == KIMG
    assert lines[-1]["scores"]["images"] == lines[-1]["real_scores"]["images"] == 20
    assert len(out.splitlines()) == 10
    assert "gamma 0.03125 (the published table)" in err
    generator = load_generator(run / "generator.safetensors")
    assert generator.img_resolution == 16
    assert {path.name for path in run.glob("*.png")} == {"reals.png", "fakes-000000.3.png"}
    assert len(list(run.glob("state-*"))) == 1


def test_killed_at_random_moments_it_goes_on_in_the_same_bits(data, whole, tmp_path):
    run = tmp_path / "run"
    chance = random.Random()
    kills = 0
    while kills < 3:
        before = len(list(run.glob("fakes-*"))) if run.exists() else 0
        process = start(data, run, "--kimg", KIMG, "--snapshot-minutes", 0)
        wait_for(lambda before=before: len(list(run.glob("fakes-*"))) > before, process)
        time.sleep(chance.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        kills += finish(process)[0] == -signal.SIGKILL
        if process.returncode == 0:
            break
    status, _, err = finish(start(data, run, "--kimg", KIMG, "--snapshot-minutes", 0))
    assert status == 0, err
    assert outcome(run) == outcome(whole[0])
    assert len(list(run.glob("state-*"))) == 3


def test_a_signal_stops_the_run_with_a_snapshot(data, whole, tmp_path):
    run = tmp_path / "run"
    process = start(data, run, "--kimg", KIMG)
    log = run / "log.jsonl"
    wait_for(lambda: log.exists() and log.read_text().count("\n") >= 2, process)
    status, _, err = finish(start(data, run, "--kimg", KIMG))
    assert (status, "another program is training in" in err) == (2, True)
    process.send_signal(signal.SIGTERM)
    status, _, err = finish(process)
    assert status == 130
    assert "stopping after this iteration" in err
    assert err.splitlines()[-1].endswith("kimg; the same command goes on")
    assert len(list(run.glob("state-*"))) == 1
    status, _, err = finish(start(data, run, "--kimg", KIMG))
    assert status == 0, err
    assert outcome(run) == outcome(whole[0])
