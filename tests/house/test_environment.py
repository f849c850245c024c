"""The set-up of a checkout: when it runs, what it repairs, and its messages when it cannot."""

import ast
import importlib.metadata
import os
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import environment
import system_packages
from shared.version import VERSION

ROOT = Path(environment.__file__).parent.parent


@pytest.fixture
def checkout(tmp_path):
    """The environment of a checkout with a space in its name; `calls` lists what was made and installed, `fail` breaks it."""

    class Recorded(environment.Environment):
        def __init__(self, root):
            super().__init__(root)
            self.calls, self.fail = [], []

        def _create(self):
            self.calls.append("create")
            python = Path(self.program("python"))
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()

        def _install(self, what):
            self.calls.append(what)
            (self.folder / "half a package").touch()
            if self.fail:
                raise self.fail.pop()

    root = tmp_path / "a check out"
    root.mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        (root / name).write_text(name)
    return Recorded(root)


def test_an_environment_that_fits_is_left_alone(checkout):
    checkout.prepare(dev=False)
    checkout.prepare(dev=False)
    assert checkout.calls == ["create", ".[studio]"]
    checkout.prepare(dev=True)
    assert checkout.calls == ["create", ".[studio]", ".[dev,studio]"]
    checkout.prepare(dev=False)
    checkout.prepare(dev=True)
    assert len(checkout.calls) == 3


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_change_of_the_requirements_updates_the_environment(checkout, name):
    checkout.prepare(dev=True)
    (checkout.root / name).write_text("changed")
    checkout.prepare(dev=False)  # the tools of the tests stay, and stay up to date
    assert checkout.calls == ["create", ".[dev,studio]", ".[dev,studio]"]
    assert checkout.fits(dev=True)


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_set_up_is_made_again_from_nothing(checkout, fault, capsys):
    checkout.fail.append(fault)
    with pytest.raises(SystemExit):
        checkout.prepare(dev=True)
    assert len(capsys.readouterr().err.splitlines()) == 2  # what it does, and what went wrong
    left = checkout.folder / "left over"
    left.mkdir()
    checkout.prepare(dev=True)
    assert checkout.calls == ["create", ".[dev,studio]"] * 2
    assert checkout.fits(dev=True)
    assert not left.exists()


def test_a_moved_checkout_or_a_vanished_python_is_made_again(checkout):
    checkout.prepare(dev=False)
    Path(checkout.program("python")).unlink()
    checkout.prepare(dev=False)
    assert checkout.calls == ["create", ".[studio]"] * 2
    moved = type(checkout)(checkout.root.rename(checkout.root.with_name("moved")))
    moved.prepare(dev=False)
    assert moved.calls == ["create", ".[studio]"]


def test_an_environment_made_by_hand_is_completed(checkout):
    checkout.folder.mkdir()
    mine = checkout.folder / "mine"
    mine.touch()
    checkout.prepare(dev=False)
    assert mine.exists()


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (
            "WARNING: Retrying ... NewConnectionError('...')\nERROR: No matching distribution found for hatchling",
            "network",
        ),
        ("Collecting a\nERROR: Could not install: [Errno 28] No space left on device\n", "Errno 28. No space left"),
        ("  ERROR: a fault in a build\nERROR: another", "a fault in a build$"),
        ("Killed", "pip could not install everything$"),
    ],
)
def test_pips_many_lines_become_one(log, line):
    output = environment.why_pip_failed(log)
    assert "\n" not in output
    assert re.search(line, output)


def test_an_old_python_can_run_the_version_check():
    """The first module that a script imports leads to console.py; old Pythons must be able to read everything up to there."""
    for name in ("demo", "test", "check", "checks.py", "console.py"):
        ast.parse((ROOT / "scripts" / name).read_text(encoding="utf-8"), feature_version=(3, 6))
    for name in ("demo", "test", "check", "checks.py"):
        first = re.search(
            r"^from (console|checks|environment|system_packages) ", (ROOT / "scripts" / name).read_text(), re.M
        )
        assert first
        assert first[1] in ("console", "checks")


def test_missing_system_packages_are_one_line(monkeypatch):
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: None)
    monkeypatch.setattr(system_packages.ctypes.util, "find_library", lambda name: None)
    output = []
    monkeypatch.setattr(system_packages, "say", output.append)
    system_packages.provide()
    assert len(output) == 1
    assert "a live sound card, tests of the window, " in output[0]
    assert "tests of live sound" in output[0]
    monkeypatch.setattr(system_packages.sys, "platform", "darwin")
    assert "brew install --cask supercollider" in system_packages.advice(list(system_packages.PACKAGES))
    monkeypatch.setattr(system_packages.sys, "platform", "linux")
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    assert system_packages.advice([system_packages.PACKAGES[1]]).endswith("install --no-install-recommends xvfb")


def test_apt_is_asked_once_and_then_name_by_name(monkeypatch):
    """A name that apt does not know costs only itself."""
    commands = []

    def refuse_two_at_once(command):
        commands.append(command[command.index("apt-get") :])
        return "update" in command or len([word for word in command if word in ("xvfb", "unheard-of")]) == 1

    monkeypatch.setattr(system_packages, "_succeeds", refuse_two_at_once)
    monkeypatch.setattr(system_packages, "_rights", list)
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: name)
    system_packages.apt_install(["xvfb", "unheard-of"])
    assert sum("update" in command for command in commands) == 1
    assert [command[-1] for command in commands[2:]] == ["xvfb", "unheard-of"]
    assert all("--no-install-recommends" in command for command in commands[1:])


def test_without_rights_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(system_packages, "_rights", lambda: None)
    monkeypatch.setattr(system_packages, "_succeeds", lambda command: pytest.fail(f"ran {command}"))
    system_packages.apt_install(["xvfb"])


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_constraints_are_plain_lines():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    assert lines == sorted(set(lines))


def needs(name, extras=()):
    """The requirements of an installed distribution that hold here, with those of `extras`."""
    for text in importlib.metadata.requires(name) or ():
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield need


def test_constraints_pin_everything_that_is_needed():
    """All packages that ponticello, its tools and its build backend require here are pinned to the tested version."""
    pinned = pins()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [project["build-system"]["requires"], project["project"]["dependencies"]]
    waiting = [
        Requirement(text)
        for text in sum(
            [*lists, *(project["project"]["optional-dependencies"][extra] for extra in ("dev", "studio"))],
            ["editables"],
        )
    ]
    reached = set()
    while waiting:
        need = waiting.pop()
        name = canonical(need.name)
        if (name, frozenset(need.extras)) in reached:
            continue
        reached.add((name, frozenset(need.extras)))
        assert name in pinned, f"{name} is missing in constraints.txt"
        if name != "editables":  # which pip takes for a build alone
            waiting += needs(need.name, need.extras)
            installed = importlib.metadata.version(name).split("+")[0]  # a local build of a version is that version
            assert installed == pinned[name], name
    assert len(reached) > 60


def test_the_server_runs_what_the_readme_says():
    output = (ROOT / ".ci/run").read_text().splitlines()
    assert [line for line in output if line and not line.startswith("#")] == [
        'cd "$(dirname "${BASH_SOURCE[0]}")/.." && exec ./scripts/test </dev/null'
    ]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^ +\./scripts/demo\b", readme, re.MULTILINE)
    assert re.search(r"^ +\./scripts/test\b", readme, re.MULTILINE)


def test_commits_and_servers_run_these_scripts():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert re.findall(r"entry: (.*)", hooks) == ["scripts/check"]
    workflow = (ROOT / ".github/workflows/test.yml").read_text("utf-8")
    assert re.findall(r"- run: (.*)", workflow) == [".ci/run"]
    for script in ("scripts/check", "scripts/test", "scripts/demo", ".ci/run"):
        assert os.access(ROOT / script, os.X_OK)


def test_the_version_is_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: (.*)", citation, re.MULTILINE) == [VERSION]
    (date,) = re.findall(r"^date-released: (.*)", citation, re.MULTILINE)
    assert (
        re.findall(r"^## (\d.*)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[0] == f"{VERSION} ({date})"
    )
