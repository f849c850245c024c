"""`scripts/mutants`: tries faults on the tests that reach them, and counts those that are noticed."""

import argparse
import collections
import contextlib
import gc
import hashlib
import json
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
import types
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import coverage
import pytest

from console import ROOT
from mutation import Mutant, mutants_of

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
COMPILED = "shared/audio"  # files with loops that numba compiles
FOLDER = ROOT / ".mutants"  # coverage, and the results of an interrupted run
BASELINE = FOLDER / "baseline"  # what each file of tests reaches
LOG = FOLDER / "log"  # of the last process
EQUIVALENT = ROOT / "scripts" / "equivalent_mutants.toml"
FIRST = 10  # tests that are run before the others are collected
MOST_S = 40.0  # limit of the time of all tests for one fault, measured without it
HUNG_S = 90.0  # a test that takes longer is in an endless loop
EXTRA_S, SLOWER = 60.0, 6.0  # so much longer may all tests of a fault take
KILLED, SURVIVED, UNREACHED, TIMED_OUT, EQUIVALENTS = "killed", "survived", "unreached", "timed out", "equivalent"


def main() -> None:
    """Draw the sample, try each fault, print the score."""
    options = _options()
    FOLDER.mkdir(exist_ok=True)
    sample = draw(options.seed, options.count, options.only)
    if options.list:
        print("\n".join(f"{mutant.file}:{mutant.line}: {mutant.change}    {mutant.code}" for mutant in sample))
        return
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
    preload()
    results = FOLDER / "results.jsonl"
    again = options.survivors
    if not (options.resume or again or options.tests):
        results.unlink(missing_ok=True)
        shutil.rmtree(BASELINE, ignore_errors=True)
    reach = Reach(measure(tuple(options.tests) or TESTS))
    known, done = equivalents(), read(results)
    if again:
        forget(results, {str(mutant.key) for mutant in sample if done.get(str(mutant.key)) in (SURVIVED, UNREACHED)})
        done = read(results)
    waiting = [mutant for mutant in sample if str(mutant.key) not in done and mutant.key not in known]
    random.Random(options.seed).shuffle(waiting)  # so that an interrupted run is a sample, too
    in_functions = [mutant for mutant in waiting if not reach.acts_at_import(mutant)]
    child = (
        os.fork()
    )  # it imports all modules, and this process none, as faults in module code must come before an import
    if child == 0:
        import_everything(tuple(options.tests) or TESTS)
        try_all(in_functions, reach, results)
        os._exit(0)
    os.waitpid(child, 0)
    try_all([mutant for mutant in waiting if reach.acts_at_import(mutant)], reach, results)
    outcomes = {**read(results), **{str(key): EQUIVALENTS for key in known}}
    counts = collections.Counter(outcomes[str(mutant.key)] for mutant in sample)
    for mutant in sample:
        if outcomes[str(mutant.key)] in (SURVIVED, UNREACHED):
            print(f"{outcomes[str(mutant.key)]}: {mutant.file}:{mutant.line}: {mutant.change}    {mutant.code}")
    noticed, tried = counts[KILLED] + counts[TIMED_OUT], len(sample) - counts[EQUIVALENTS]
    low, high = wilson(noticed, tried)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    print(f"{noticed} of {tried} noticed: {noticed / tried:.1%} (95 % interval {low:.1%} to {high:.1%})")


def draw(seed: int, count: int, only: str = "") -> list[Mutant]:
    """A sample of all faults, determined by the seed. If code changes, only faults of the changed lines do."""
    files = sorted(
        path for room in ROOMS for path in ([ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py"))
    )
    names = [name for path in files if (name := path.relative_to(ROOT).as_posix()).startswith(only)]
    ranked = []
    for name in names:
        seen: dict[tuple[str, ...], int] = {}
        for mutant in mutants_of((ROOT / name).read_bytes(), name):
            seen[mutant.key] = seen.get(mutant.key, 0) + 1
            rank = hashlib.sha256(repr((seed, *mutant.key, seen[mutant.key])).encode()).digest()
            ranked.append((rank, mutant))
    print(f"{len(ranked)} possible faults in {len(names)} files")
    return sorted(mutant for _, mutant in sorted(ranked)[:count])


def preload() -> None:
    """Import slow third-party packages once; the processes of the faults are copies of this one."""
    for name in ("torch", "numba", "scipy.signal", "soundfile", "soxr", "typer", "PIL.Image", "safetensors.numpy"):
        __import__(name)
    for name in (
        "hypothesis",
        "beartype",
        "jaxtyping",
        "msgspec",
        "tomlkit",
        "sklearn.decomposition",
        "pythonosc.osc_message",
    ):
        __import__(name)


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
            pytest.main(_pytest_options(tests), plugins=[plugin])
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


def try_all(mutants: list[Mutant], reach: "Reach", results: Path) -> None:
    """Try faults one after the other and note the outcomes."""
    for number, mutant in enumerate(mutants, 1):
        outcome = try_out(mutant, *reach.tests(mutant), reach.acts_at_import(mutant))
        with open(results, "a", encoding="utf-8") as file:
            file.write(json.dumps({"key": str(mutant.key), "outcome": outcome}) + "\n")
        print(
            f"{number}/{len(mutants)} {outcome}: {mutant.file}:{mutant.line}: {mutant.change}    {mutant.code}",
            flush=True,
        )


def try_out(mutant: Mutant, tests: list[str], seconds: float, at_import: bool) -> str:
    """The outcome of the tests for a fault."""
    if not tests:
        return UNREACHED
    path = ROOT / mutant.file
    content = mutant.applied(path.read_bytes())

    def run_tests() -> int:
        import torch

        torch.set_num_threads(1)
        if at_import:
            replace_module(path, content)
            if mutant.file.startswith(COMPILED):  # machine code on the disk holds the constants as they were
                import numba

                numba.config.CACHE_DIR = tempfile.mkdtemp(prefix="mutant", dir=FOLDER)  # type: ignore[attr-defined]
        else:
            replace_functions(path, content)
        for batch in filter(None, (tests[:FIRST], tests[FIRST:])):  # collecting takes longer than most tests
            if status := int(pytest.main([*_pytest_options(*batch), "-x", f"--timeout={HUNG_S:g}"])):
                return status
        return 0

    status = in_a_process(run_tests, EXTRA_S + SLOWER * seconds)
    return TIMED_OUT if status is None else SURVIVED if status == 0 else KILLED


def import_everything(names: tuple[str, ...]) -> None:
    """Import all tests and our modules, as pytest does it; the processes of later faults find them here."""
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        pytest.main([*_pytest_options(*names), "--collect-only"])


def replace_functions(path: Path, content: bytes) -> None:
    """Give the functions of an imported module the code that other source has for them."""
    changed: dict[str, list[types.CodeType]] = {}
    waiting = [compile(content, str(path), "exec")]
    while waiting:
        code = waiting.pop()
        changed.setdefault(code.co_qualname, []).append(code)
        waiting += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    for function in gc.get_objects():
        if isinstance(function, types.FunctionType) and function.__code__.co_filename == str(path):
            old = function.__code__
            same_name = changed.get(old.co_qualname, [])  # several for a property with a setter
            same_name = [code for code in same_name if len(code.co_freevars) == len(old.co_freevars)]
            if same_name:
                function.__code__ = min(same_name, key=lambda code: abs(code.co_firstlineno - old.co_firstlineno))


def replace_module(path: Path, content: bytes) -> None:
    """From now on the module of this file is imported from other source, and not from its compiled form on disk."""
    read_data, read_stats = SourceFileLoader.get_data, SourceFileLoader.path_stats

    def get_data(self: SourceFileLoader, name: str) -> bytes:
        return content if Path(name) == path else read_data(self, name)

    def path_stats(self: SourceFileLoader, name: str) -> Any:
        if Path(name) == path:
            raise OSError
        return read_stats(self, name)

    SourceFileLoader.get_data, SourceFileLoader.path_stats = get_data, path_stats  # type: ignore[method-assign,assignment]


def _pytest_options(*tests: str) -> list[str]:
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


def equivalents() -> set[tuple[str, str, str]]:
    """The keys of faults without effect; the file gives the reasons."""
    rows = tomllib.loads(EQUIVALENT.read_text("utf-8"))["mutant"]
    return {(row["file"], row["line"], row["change"]) for row in rows if row["why"]}


def forget(results: Path, keys: set[str]) -> None:
    """Leave out the outcomes of these faults."""
    rows = [row for row in results.read_text("utf-8").splitlines(keepends=True) if json.loads(row)["key"] not in keys]
    results.write_text("".join(rows), "utf-8")


def read(results: Path) -> dict[str, str]:
    """The outcomes of an interrupted run."""
    if not results.exists():
        return {}
    return {row["key"]: row["outcome"] for row in map(json.loads, results.read_text("utf-8").splitlines())}


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson, JASA 22, 1927)."""
    p, n = successes / trials, trials
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/mutants")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default 1)")
    parser.add_argument("--count", type=int, default=300, help="faults in the sample (default 300)")
    parser.add_argument("--only", default="", metavar="PATH", help="only files whose path begins so")
    parser.add_argument("--list", action="store_true", help="print the sample and end")
    parser.add_argument("--resume", action="store_true", help="keep the outcomes of an interrupted run")
    parser.add_argument("--tests", nargs="+", default=(), metavar="PATH", help="only with these files of tests")
    parser.add_argument("--survivors", action="store_true", help="try only those again that no test noticed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
