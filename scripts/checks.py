"""The checks that come before the tests: style, format, types, and the arrows between the packages."""

import subprocess

from console import ROOT, stop
from environment import Environment

SCRIPTS = ("scripts/check", "scripts/demo", "scripts/test")  # whose names do not say that they are Python
CHECKS = (
    ("ruff", "check", "--quiet", ".", *SCRIPTS),
    ("ruff", "format", "--quiet", "--check", ".", *SCRIPTS),
    ("mypy", "--no-error-summary"),
    ("lint-imports", "--no-logo"),
)


def run_checks(environment: Environment) -> None:
    """Run them all; where some fail, exit with status 1 and their names."""
    failed = []
    for program, *arguments in CHECKS:
        done = subprocess.run(
            [environment.program(program), *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            failed.append(" ".join([program, *arguments[:1]]))
    if failed:
        stop(f"failed: {', '.join(failed)}")
