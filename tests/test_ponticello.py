"""The front door: one line for every mistake, and no command loaded before it is used."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import ponticello
from shared.errors import Failure, PresetError, Stopped
from tests.small import write_sound

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
posix_only = pytest.mark.skipif(os.name != "posix", reason="a shell and streams of POSIX")


@pytest.fixture(autouse=True)
def interruptible():
    """Signal handlers belong to the process: restore them for the tests that follow."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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
        (EOFError("Ran out of input"), 1, "EOFError: Ran out of input (--debug shows where)"),
        (
            OSError(errno.ENOSPC, "No space left on device", "x.csv"),
            1,
            "cannot write x.csv: the disk is full; free some space or choose a place on another disk",
        ),
        (ZeroDivisionError("oh"), 1, "ZeroDivisionError: oh (--debug shows where)"),
    ],
)
def test_an_error_is_one_line_and_a_status(monkeypatch, capsys, error, status, line):
    app = typer.Typer()

    @app.command()
    def fail(_: str):
        raise error

    monkeypatch.setattr("offline.corpus.analyse.app", app)
    assert run(monkeypatch, capsys, "analyze", "x.wav") == (status, "", f"ponticello: {line}\n")


def test_debug_shows_where(monkeypatch, capsys):
    with pytest.raises(PresetError):
        run(monkeypatch, capsys, "render", "nowhere", "x.wav", "-o", "x.mp4", "--debug")


def test_unknown_commands(monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, "rendr")
    assert (status, out) == (2, "")
    assert err.startswith("ponticello: no command 'rendr' (did you mean render?); there are: demo, ")
    assert run(monkeypatch, capsys, "--version")[1].startswith("ponticello 0.")


def shell(command, **environment):
    """Run a POSIX shell command that contains `ponticello`; return its status, stdout and stderr."""
    command = command.replace("ponticello ", f"{sys.executable} {ROOT / 'ponticello.py'} ")
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@posix_only
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_missing_streams_disturb_nothing(tmp_path, closed):
    write_sound(tmp_path / "a.wav", 0.2)
    assert shell(f"ponticello analyse {tmp_path}/a.wav -o {tmp_path}/a.csv {closed}") == (0, "", "")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert len(lines) == 19
    assert lines[0].startswith("centroid,")
    assert shell(f"ponticello analyse none.wav -o x.csv {closed}") == (2, "", "")


@posix_only
@pytest.mark.parametrize("reader", ["true", "head -n 1 >/dev/null"])
def test_a_reader_that_leaves_disturbs_nothing(reader):
    for command in ("--help", "pair --help"):
        assert shell(f"ponticello {command} | {reader}") == (0, "", "")
        assert shell(f"ponticello {command} 2>&1 >/dev/null | {reader}") == (0, "", "")
    assert shell("ponticello rendr 2>&1 | true")[0] == 2


@posix_only
@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}])
def test_a_terminal_without_umlauts_disturbs_nothing(tmp_path, environment):
    write_sound(tmp_path / "gr\u00fcn.wav", 0.2)
    command = f"ponticello analyse {tmp_path}/gr\u00fcn.wav -o {tmp_path}/gr\u00fcn.csv"
    status, _, err = shell(command, **environment)
    assert (status, err.splitlines()[-1].endswith(": 18 frames")) == (0, True)
    assert (tmp_path / "gr\u00fcn.csv").is_file()
    status, _, err = shell(f"ponticello render {tmp_path}/gr\u00fcn x.wav -o x.mp4", **environment)
    assert status == 2
    assert err.startswith(f"ponticello: no preset {tmp_path}/gr")
    assert shell("ponticello render --help", **environment)[0] == 0


@posix_only
def test_a_full_disk_is_reported_in_one_line():
    status, _, err = shell("ponticello --help > /dev/full")
    assert status == 1
    assert err == ("ponticello: the disk is full; free some space or choose a place on another disk\n")
