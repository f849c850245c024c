"""Damaged files: a short run of `python -m tests.fuzz`."""

import signal

import pytest

from tests import fuzz


@pytest.fixture
def alarm():
    before = signal.signal(signal.SIGALRM, fuzz.hang)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
@pytest.mark.usefixtures("alarm")
def test_damaged_files_work_or_fail_in_one_line(tmp_path):
    outcomes = fuzz.run(60, 7, tmp_path)
    assert [outcome for outcome in outcomes if outcome.result not in ("works", "refused")] == []
    refused = {outcome.kind for outcome in outcomes if outcome.result == "refused"}
    assert refused == {"preset", "recording", "direct", "direct-recording", "generator", "pickle"}
