"""The front door: one line for every mistake, and no command loaded before it is asked for."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import ponticello
from shared.errors import Failure, PresetError, Stopped

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def interruptible():
    """What is done with a Ctrl-C is the process's: as it was, for the tests that follow."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_ctrl_c_disturbs_nothing(monkeypatch, capsys):
    def stopped(_):
        raise Stopped("stopped")

    monkeypatch.setattr(ponticello, "run", stopped)
    with pytest.raises(SystemExit) as end:
        ponticello.main()
    assert end.value.code == Stopped.exit_status
    signal.raise_signal(signal.SIGINT)
    assert capsys.readouterr().err == "ponticello: stopped\n"


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["ponticello", *arguments])
    try:
        ponticello.main()
        status = 0
    except SystemExit as end:
        status = end.code
    return status, *capsys.readouterr()


def test_help_names_every_command(monkeypatch, capsys):
    for arguments in ([], ["--help"], ["help"]):
        status, out, err = run(monkeypatch, capsys, *arguments)
        assert (status, err) == (0, "")
        assert all(f"ponticello {name} " in out for name in ponticello.COMMANDS)


@pytest.mark.parametrize("name", [*ponticello.COMMANDS, *ponticello.ALIASES])
def test_every_command_has_help(monkeypatch, capsys, name):
    status, out, err = run(monkeypatch, capsys, name, "--help")
    assert (status, err) == (0, "")
    assert "Usage: ponticello" in out


def test_help_loads_nothing_slow():
    code = "import sys, ponticello; sys.argv = ['ponticello']; ponticello.main(); print('torch' in sys.modules, 'numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (PresetError("no preset x\nat all"), 2, "no preset x at all"),
        (Failure("disk full"), 1, "disk full"),
        (Stopped("stopped after 3"), 130, "stopped after 3"),
        (KeyboardInterrupt(), 130, "stopped"),
        (MemoryError(), 1, "not enough memory; close other programs or render smaller"),
        (ZeroDivisionError("oh"), 1, "ZeroDivisionError: oh (--debug shows where)"),
    ],
)
def test_an_error_is_one_line_and_a_status(monkeypatch, capsys, error, status, line):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("offline.analyse.app", fail)
    assert run(monkeypatch, capsys, "analyze", "x.wav") == (status, "", f"ponticello: {line}\n")


def test_debug_shows_where(monkeypatch, capsys):
    with pytest.raises(PresetError):
        run(monkeypatch, capsys, "render", "nowhere", "x.wav", "-o", "x.mp4", "--debug")


def test_unknown_commands(monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, "rendr")
    assert (status, out) == (2, "")
    assert err.startswith("ponticello: no command 'rendr' (did you mean render?); there are: demo, ")
    assert run(monkeypatch, capsys, "--version")[1].startswith("ponticello 0.")
