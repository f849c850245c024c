"""What a killed program leaves beside a file goes with the next one that writes there."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.stale import MARGIN_S, is_running, temporary_prefix
from tests.small import make_preset

ROOT = Path(__file__).parents[2]

KILLED = """
import os, signal, sys
from pathlib import Path
from shared.atomic import folder_made_atomically, written_atomically
path, kind = Path(sys.argv[1]), sys.argv[2]
with (written_atomically if kind == "file" else folder_made_atomically)(path) as temporary:
    (temporary if kind == "file" else temporary / "a").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
WRITES = """
import sys
from pathlib import Path
from shared.atomic import written_atomically
with written_atomically(Path(sys.argv[1])) as temporary:
    temporary.write_text("whole")
"""
LOADS = "import sys; from shared.preset import Preset; Preset.load(sys.argv[1])"


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, check=False).returncode


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def age(folder, seconds=MARGIN_S + 60):
    """Let the temporary files in a folder be so old."""
    for path in folder.glob(".*.*.*"):
        os.utime(path, (time.time() - seconds,) * 2)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_program_that_writes_there_removes_it(tmp_path, kind):
    assert run(KILLED, tmp_path / "x.toml", kind) < 0
    assert len(names(tmp_path)) == 1
    assert names(tmp_path)[0].startswith(".x")
    age(tmp_path)
    assert run(WRITES, tmp_path / "y.csv") == 0
    assert names(tmp_path) == ["y.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("part", [".", "images", "history", "sounds"])
def test_the_next_program_that_opens_the_preset_removes_it(tmp_path, part):
    folder = make_preset(tmp_path / "p")
    (folder / part).mkdir(exist_ok=True)
    before = names(folder / part)
    assert run(KILLED, folder / part / "seed1.png", "file") < 0
    assert names(folder / part) != before
    age(folder / part)
    assert run(LOADS, folder) == 0
    assert names(folder / part) == before


@pytest.mark.slow
def test_a_link_to_a_folder_is_not_followed(tmp_path):
    folder, elsewhere = make_preset(tmp_path / "p"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "images").symlink_to(elsewhere)
    assert run(KILLED, elsewhere / "seed1.png", "file") < 0
    age(elsewhere)
    assert run(LOADS, folder) == 0
    assert len(names(elsewhere)) == 1


def test_files_of_others_and_of_running_programs_stay(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    running, gone = (temporary_prefix("x").replace(f".{os.getpid()}.", f".{pid}.") for pid in (os.getppid(), dead.pid))
    stay = [f"{running}abcdefgh.csv", ".x-000000.1.abcdefgh.csv", ".x.csv", ".x-abcdefgh.csv", f"{gone}short.csv"]
    for name in (*stay, f"{gone}abcdefgh.csv"):
        (tmp_path / name).write_text("half")
    age(tmp_path)
    assert run(WRITES, tmp_path / "y.csv") == 0
    assert names(tmp_path) == sorted([*stay, "y.csv"])


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_changed_within_the_last_hour_stays(tmp_path, kind):
    """It may belong to a running program in another container."""
    assert run(KILLED, tmp_path / "x.toml", kind) < 0
    (left,) = names(tmp_path)
    age(tmp_path, MARGIN_S - 60)
    assert run(WRITES, tmp_path / "y.csv") == 0
    assert names(tmp_path) == [left, "y.csv"]


def test_which_processes_run():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_running(os.getpid())
    assert is_running(os.getppid())
    assert not is_running(ended.pid)
    assert is_running(10**30)  # no process of this system: it cannot be found out
