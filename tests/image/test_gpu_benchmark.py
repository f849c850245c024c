"""`benchmarks/gpu.sh`: steps in processes with time limits, and rehearsals of the two most important ones on the CPU."""

import json

import pytest
import torch
from typer.testing import CliRunner

from benchmarks import gpu
from benchmarks.gpu import app, run_step, text_report
from benchmarks.gpu_steps import STEPS

pytestmark = pytest.mark.slow

RUNNER = CliRunner()


def test_every_step_has_a_limit_in_the_order_of_the_run():
    assert list(gpu.LIMITS_S) == list(STEPS)


def test_the_environment_is_rehearsed(tmp_path):
    done = RUNNER.invoke(app, ["--rehearse", "--out", str(tmp_path), "--steps", "environment"])
    assert done.exit_code == 0, done.output
    assert "environment: done in" in done.output
    rows = [json.loads(line) for line in (tmp_path / "environment.jsonl").read_text().splitlines()]
    assert "torch" in rows[0]
    assert rows[-1]["gb_s"] > 0
    assert "memory read and written" in (tmp_path / "report.txt").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card, so nothing fails")
def test_a_step_that_fails_is_named_and_the_next_one_runs(tmp_path):
    """`operators` without a card, a time limit that is too short, and an unknown step."""
    done = RUNNER.invoke(app, ["--out", str(tmp_path), "--steps", "copies,environment", "--seconds", "100"])
    assert done.exit_code == 0
    assert "copies: failed" in done.output
    assert "environment: " in done.output
    assert run_step("environment", tmp_path, 0.2, True).startswith("stopped after 0 s")
    done = RUNNER.invoke(app, ["--rehearse", "--out", str(tmp_path), "--seconds", "1"])
    assert done.exit_code == 0
    assert done.output.count("no time left") >= len(STEPS)
    done = RUNNER.invoke(app, ["--steps", "everything", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "no step 'everything'" in done.output


@pytest.mark.parametrize(
    ("outcome", "status"), [("WRONG PICTURE (1 s)", 1), ("failed (1 s): no card", 0), ("done in 1 s", 0)]
)
def test_only_a_wrong_picture_is_a_failure(tmp_path, monkeypatch, outcome, status):
    monkeypatch.setattr(gpu, "run_step", lambda *arguments: outcome)
    done = RUNNER.invoke(app, ["--out", str(tmp_path), "--steps", "operators"])
    assert done.exit_code == status


def test_a_line_that_was_cut_off_is_left_out_of_the_report(tmp_path):
    (tmp_path / "speed.jsonl").write_text('{"network": "T", "ms": 1.23456}\n{"network": "R", "m')
    assert text_report(tmp_path, {"speed": "stopped"}) == "== speed: stopped\n   network T  ms 1.235\n"
