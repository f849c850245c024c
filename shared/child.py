"""Start one of the program's modules as a child process."""

import os
import sys


def module_command(module: str, *arguments: str) -> list[str]:
    """The command `python -m MODULE`, for `subprocess`; pass `module_environment()` as its `env`."""
    return [sys.executable, "-P", "-m", module, *arguments]  # -P: the current folder is no place to find modules in


def module_environment() -> dict[str, str]:
    """Environment variables with which a child process finds modules in the same places as this one."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)}
