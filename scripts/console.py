"""What all scripts need first: a check of Python's version, the checkout's path, output for the user, running a program.

All scripts use only the standard library, on Linux, macOS and Windows. A Python that is too old must still
be able to parse this module, and those that import it, to report that: they use no syntax newer than Python 3.6.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  # this is where an old Python learns it
    for _name in ("python3.14", "python3.13", "python3.12", "python3.11"):
        _newer = shutil.which(_name)
        # the name may belong to a stub of a version manager: ask for its version
        if _newer and subprocess.call([_newer, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            sys.exit(subprocess.call([_newer, *sys.argv]))
    sys.exit(f"ponticello: this is Python {sys.version.split()[0]}: install 3.11 or newer and run this again")

from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


def say(message: str) -> None:
    """Print a line for the user, to stderr: stdout belongs to the program that is run."""
    print(f"ponticello: {message}", file=sys.stderr, flush=True)


def stop(message: str) -> NoReturn:
    """Print a line for the user and exit with status 1."""
    say(message)
    sys.exit(1)


def run(command: list[str]) -> NoReturn:
    """Replace this process by the program `command`, including its signals and exit status."""
    if os.name == "posix":
        os.execv(command[0], command)
    sys.exit(subprocess.call(command))  # on Windows, the prompt would return immediately
