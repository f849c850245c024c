"""The lines of `ponticello doctor`, and its exit status."""

import pytest
import torch

from live import doctor
from live.doctor import Check
from shared.errors import Failure
from shared.image import device
from tests.image.test_generator import GLASS

pytestmark = pytest.mark.slow


@pytest.fixture
def examine(monkeypatch, capsys):
    """Its lines, as (what, verdict, text), with the looks outside the generator left out."""
    monkeypatch.setattr(doctor, "MEASURED_S", 0.01)
    for name in ("check_sound", "check_screen", "check_ffmpeg"):
        monkeypatch.setattr(doctor, name, lambda: iter([Check("rest", "ok", "there")]))

    def run(*arguments):
        doctor.app([str(GLASS), *arguments], standalone_mode=False)
        return [tuple(line.split(maxsplit=2)) for line in capsys.readouterr().out.splitlines()]

    return run


def text_of(lines, what):
    return next(line[2] for line in lines if line[0] == what)


def test_a_healthy_machine(examine):
    lines = examine("--device", "cpu")
    assert {line[1] for line in lines} <= {"ok", "note"}
    generator = text_of(lines, "generator")
    assert "cpu, the fused path, " in generator
    assert "auto is " in generator
    assert "pictures of 256 pixels a second" in generator
    assert f"{torch.get_num_threads()} threads" in text_of(lines, "processor")
    assert "cached in" in text_of(lines, "kernels")


def test_full_precision_as_asked(examine, monkeypatch):
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda: False)
    lines = examine("--precision", "full", "--device", "cpu")
    assert "float32 convolutions (full precision, as given)" in text_of(lines, "generator")
    assert any("no bfloat16 arithmetic" in line[2] for line in lines)


def test_a_card_that_is_not_used(examine, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/bin/true")
    assert "this machine has an NVIDIA card" in text_of(examine("--device", "cpu"), "faster")


def test_something_broken_gives_status_1(examine, monkeypatch, capsys):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setattr(doctor, "check_ffmpeg", lambda: iter([Check("ffmpeg", "broken", "none\nthere")]))
    with pytest.raises(Failure, match="broken: ffmpeg, threads, generator; see above"):
        examine("--device", "cuda:77")
    out = capsys.readouterr().out
    assert "ffmpeg     broken  none there\n" in out
    assert "OMP_WAIT_POLICY is ACTIVE" in out


def test_the_machine_at_hand(capsys):
    for look in (doctor.check_screen, doctor.check_ffmpeg):
        findings = list(look())
        assert findings
        assert all(each.verdict in ("ok", "note") and each.text for each in findings)
