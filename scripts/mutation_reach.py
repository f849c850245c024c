"""Which tests reach each line, measured with line coverage."""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import coverage
import pytest

from console import ROOT
from mutation import Mutant
from mutation_process import FOLDER, in_a_process, pytest_options

ROOMS = (
    "shared/mapping",
    "shared/pipeline",
    "shared/painter.py",
    "shared/picture.py",
    "shared/preset",
    "shared/recording",
    "shared/audio",
    "live/osc",
    "live/show/engine.py",
)
TESTS = (  # deterministic tests that run in one process
    "tests/mapping",
    "tests/shared",
    "tests/audio/test_analyzer.py",
    "tests/audio/test_cleaning.py",
    "tests/audio/test_describe.py",
    "tests/audio/test_files.py",
    "tests/audio/test_framing.py",
    "tests/audio/test_kernel.py",
    "tests/audio/test_other_formats.py",
    "tests/audio/test_reference.py",
    "tests/audio/test_resampling.py",
    "tests/live/test_engine.py",
    "tests/live/test_osc.py",
    "tests/live/test_osc_messages.py",
    "tests/live/test_osc_packets.py",
    "tests/live/test_osc_reference.py",
    "tests/live/test_performance_parts.py",
    "tests/offline/test_candidates.py",
    "tests/offline/test_corpus.py",
    "tests/studio/test_history.py",
)
BASELINE = FOLDER / "baseline"  # what each file of tests reaches
MOST_S = 40.0  # limit of the time of all tests for one fault, measured without it


def measure(names: tuple[str, ...] = TESTS) -> dict[str, Any]:
    """Run all tests once: which lines each reaches, how long it takes, whether it passes.

    A file of tests is run again only when it, or a file that it reaches, has changed.
    """
    BASELINE.mkdir(exist_ok=True)
    whole: dict[str, Any] = {"seconds": {}, "failed": [], "lines": {}, "importers": {}}
    files = [
        path
        for name in names
        for path in (sorted((ROOT / name).glob("test_*.py")) if (ROOT / name).is_dir() else [ROOT / name])
    ]
    for number, path in enumerate(files, 1):
        name = path.relative_to(ROOT).as_posix()
        kept = BASELINE / f"{name.replace('/', '-')}.json"
        part = json.loads(kept.read_text("utf-8")) if kept.exists() else None
        if part is None or any(_digest(file) != digest for file, digest in part["digests"].items()):
            print(f"{number}/{len(files)} {name}: running it once, with coverage", flush=True)
            part = _measured(name)
            kept.write_text(json.dumps(part), "utf-8")
        whole["seconds"] |= part["seconds"]
        whole["failed"] += part["failed"]
        for file, lines in part["lines"].items():
            whole["importers"].setdefault(file, []).append(name)
            reached = whole["lines"].setdefault(file, {})
            for line, tests in lines.items():
                reached.setdefault(line, []).extend(tests)
    if whole["failed"]:
        print(f"fail without a fault, and are left out: {', '.join(whole['failed'])}")
    return whole


def _measured(tests: str) -> dict[str, Any]:
    """Measure the lines reached by one file of tests."""
    plugin = _Recorder()
    data, durations = FOLDER / "coverage", FOLDER / "durations.json"
    for old in (data, durations):
        old.unlink(missing_ok=True)

    def run_tests() -> int:
        measured = coverage.Coverage(
            data_file=str(data),
            include=[f"{ROOT / room}{'' if room.endswith('.py') else '/*'}" for room in ROOMS],
            config_file=False,
        )
        plugin.measured = measured
        measured.start()
        with contextlib.suppress(pytest.PytestUnraisableExceptionWarning):  # raised at the very end
            pytest.main(pytest_options(tests), plugins=[plugin])
        measured.stop()
        measured.save()
        durations.write_text(json.dumps([plugin.seconds, sorted(plugin.failed)]), "utf-8")
        return 0

    in_a_process(run_tests, None)
    seconds, failed = json.loads(durations.read_text("utf-8"))
    lines: dict[str, dict[str, list[str]]] = {}
    if data.exists():
        collected = coverage.CoverageData(str(data))
        collected.read()
        for file in collected.measured_files():
            by_line = {str(line): names for line, names in collected.contexts_by_lineno(file).items()}
            lines[Path(file).relative_to(ROOT).as_posix()] = by_line
    return {
        "seconds": seconds,
        "failed": failed,
        "lines": lines,
        "digests": {name: _digest(name) for name in (tests, *lines)},
    }


def _digest(name: str) -> str:
    path = ROOT / name
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


class _Recorder:
    """A plugin of pytest: the test at work becomes the coverage's context."""

    measured: coverage.Coverage

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.measured.switch_context(nodeid)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if not report.passed:
            self.failed.add(report.nodeid)

    @pytest.hookimpl
    def pytest_runtest_logfinish(self) -> None:
        self.measured.switch_context("")


class Reach:
    """The tests that reach each line. Code that runs when a module is imported is reached by the test ""."""

    def __init__(self, baseline: dict[str, Any]) -> None:
        self._seconds: dict[str, float] = baseline["seconds"]
        self._failed = set(baseline["failed"])
        self._lines: dict[str, dict[str, list[str]]] = baseline["lines"]
        self._importers: dict[str, list[str]] = baseline["importers"]  # files of tests that import a module

    def acts_at_import(self, mutant: Mutant) -> bool:
        """Whether it acts when its module is imported: in module code, or in a function that makes constants."""
        return not mutant.function or "" in self._names(mutant)

    def tests(self, mutant: Mutant) -> tuple[list[str], float]:
        """The tests of a fault, the quickest first, and the seconds they take without it."""
        names, room = self._names(mutant), ""
        if self.acts_at_import(mutant):  # all tests that import the module, those of its room first
            importers = self._importers.get(mutant.file, [])
            names = {name for name in self._seconds if name.partition("::")[0] in importers}
            room = mutant.file.split("/")[1]
        usable = sorted(
            (room not in name.partition("::")[0], self._seconds[name], name)
            for name in names - self._failed
            if name in self._seconds
        )
        chosen, total = [], 0.0
        for _, seconds, name in usable:
            if total + seconds <= MOST_S:
                chosen.append(name)
                total += seconds
        return chosen, total

    def _names(self, mutant: Mutant) -> set[str]:
        lines = self._lines.get(mutant.file, {})
        last = mutant.line + mutant.before.count("\n")
        return {name for line in range(mutant.line, last + 1) for name in lines.get(str(line), [])}
