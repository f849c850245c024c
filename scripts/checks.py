"""The checks before the tests: style, format, types, and imports between packages."""

import subprocess

from console import ROOT, say, stop
from environment import Environment

SCRIPTS = (
    "scripts/check",
    "scripts/demo",
    "scripts/mutants",
    "scripts/screenshots",
    "scripts/test",
)  # Python files without the suffix .py
CHECKS = (
    ("ruff", "check", "--quiet", ".", *SCRIPTS),
    ("ruff", "format", "--quiet", "--check", ".", *SCRIPTS),
    ("mypy",),
    ("lint-imports", "--no-logo"),
)


def run_checks(environment: Environment) -> None:
    """Run all checks, silently if they pass; if some fail, show their output and exit with status 1."""
    failed = []
    for program, *arguments in CHECKS:
        command = [environment.program(program), *arguments]
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout + done.stderr, end="", flush=True)
            failed.append(" ".join([program, *(word for word in arguments[:1] if word.isalpha())]))
    if failed:
        stop(f"failed: {', '.join(failed)}")
    say("checks passed")
