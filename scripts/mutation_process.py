"""Runs pytest in copies of this process, so that a fault ends with its copy."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable

from console import ROOT

FOLDER = ROOT / ".mutants"  # coverage, and the results of an interrupted run
LOG = FOLDER / "log"  # of the last process


def pytest_options(*tests: str) -> list[str]:
    """The options to run these tests, with a temporary folder of their own."""
    temporary = tempfile.mkdtemp(prefix="mutant", dir=FOLDER)
    known = "ignore::pytest.PytestAssertRewriteWarning"  # plugins that `preload` has imported
    return ["-q", "-p", "no:cacheprovider", "-W", known, f"--basetemp={temporary}", *tests]


def in_a_process(work: Callable[[], int], limit_s: float | None) -> int | None:
    """Call it in a copy of this process; return its result, or None if it takes longer than the limit. Its output goes to `LOG`."""
    before = set(FOLDER.iterdir())
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(ROOT)
        with open(os.devnull, "rb") as nothing, open(LOG, "wb") as log:
            for stream, target in enumerate((nothing, log, log)):
                os.dup2(target.fileno(), stream)
        status = 70
        try:
            status = work()
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(status)
    try:
        return _waited(child, limit_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what the tests started and left
        for folder in set(FOLDER.iterdir()) - before:
            if folder.name.startswith("mutant"):
                shutil.rmtree(folder, ignore_errors=True)


def _waited(child: int, limit_s: float | None) -> int | None:
    deadline = None if limit_s is None else time.monotonic() + limit_s
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.05)
