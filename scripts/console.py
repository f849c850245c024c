"""What every script needs first: a Python that is new enough, the checkout's place, lines for the user, a program's run.

All of this folder is plain Python without any package, for Linux, macOS and Windows. A Python that is too old must still
be able to read this module, and what imports it, so that it can say so: no syntax newer than Python 3.6 up to there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  # this is where an old Python learns it
    for _name in ("python3.14", "python3.13", "python3.12", "python3.11"):
        _newer = shutil.which(_name)
        # a name on the path may be an empty shell left by a version manager: ask it
        if _newer and subprocess.call([_newer, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            sys.exit(subprocess.call([_newer, *sys.argv]))
    sys.exit(f"ponticello: this is Python {sys.version.split()[0]}: install 3.11 or newer and run this again")

from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


def say(message: str) -> None:
    """One line for the user. It goes to stderr: stdout belongs to the program that is run."""
    print(f"ponticello: {message}", file=sys.stderr, flush=True)


def stop(message: str) -> NoReturn:
    """One line for the user, and the end, with exit status 1."""
    say(message)
    sys.exit(1)


def run(command: list[str]) -> NoReturn:
    """Become the program `command`: its signals, its exit status, its last line are ours."""
    if os.name == "posix":
        os.execv(command[0], command)
    sys.exit(subprocess.call(command))  # Windows would give the prompt back at once
