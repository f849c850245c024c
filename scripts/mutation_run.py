"""`scripts/mutants`: tries faults on the tests that reach them, and counts those that are noticed."""

import argparse
import collections
import hashlib
import json
import math
import os
import random
import shutil
import sys
import tomllib
from pathlib import Path

from console import ROOT
from mutation import Mutant, mutants_of
from mutation_process import FOLDER
from mutation_reach import BASELINE, ROOMS, TESTS, Reach, measure
from mutation_trial import EQUIVALENTS, KILLED, SURVIVED, TIMED_OUT, UNREACHED, import_everything, try_all

EQUIVALENT = ROOT / "scripts" / "equivalent_mutants.toml"


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
