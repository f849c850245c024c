"""Tries faults: plants each in a copy of this process, and runs the tests that reach it."""

import contextlib
import gc
import json
import os
import tempfile
import types
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from console import ROOT
from mutation import Mutant
from mutation_process import FOLDER, in_a_process, pytest_options
from mutation_reach import Reach

COMPILED = "shared/audio"  # files with loops that numba compiles
FIRST = 10  # tests that are run before the others are collected
HUNG_S = 90.0  # a test that takes longer is in an endless loop
EXTRA_S, SLOWER = 60.0, 6.0  # so much longer may all tests of a fault take
KILLED, SURVIVED, UNREACHED, TIMED_OUT, EQUIVALENTS = "killed", "survived", "unreached", "timed out", "equivalent"


def try_all(mutants: list[Mutant], reach: Reach, results: Path) -> None:
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
            if status := int(pytest.main([*pytest_options(*batch), "-x", f"--timeout={HUNG_S:g}"])):
                return status
        return 0

    status = in_a_process(run_tests, EXTRA_S + SLOWER * seconds)
    return TIMED_OUT if status is None else SURVIVED if status == 0 else KILLED


def import_everything(names: tuple[str, ...]) -> None:
    """Import all tests and our modules, as pytest does it; the processes of later faults find them here."""
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        pytest.main([*pytest_options(*names), "--collect-only"])


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
