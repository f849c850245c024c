"""A damaged or full cache of machine code costs time, not the program."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

KERNEL = """
import resource, sys
import numpy as np
if "full" in sys.argv:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from shared.audio.kernel import ROWS, kernel

@kernel(ROWS)
def double(rows):
    for k in range(len(rows)):
        for i in range(rows.shape[1]):
            rows[k, i] *= 2

rows = np.ones((2, 3))
double(rows)
print(rows.sum())
"""


def run(folder, *arguments):
    (folder / "program.py").write_text(KERNEL)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, folder / "program.py", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "12.0\n"), done.stderr
    return done.stderr.splitlines()


def test_a_damaged_cache_is_replaced(tmp_path):
    assert run(tmp_path) == []
    for ending, length in ((".nbi", 0), (".nbc", 100)):
        files = list((tmp_path / "cache").rglob(f"*{ending}"))
        assert files
        for file in files:
            os.truncate(file, length)
        (line,) = run(tmp_path)
        assert "is damaged: it is compiled again" in line
        assert run(tmp_path) == []


def test_a_full_disk_means_compiling_at_every_start(tmp_path):
    for _ in range(2):
        (line,) = run(tmp_path, "full")
        assert "cannot keep machine code" in line
        assert "it is compiled at every start" in line
