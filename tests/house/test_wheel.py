"""What `pip install .` brings: the program with its preset and sound, nothing that only the checkout needs."""

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names in a wheel built from this checkout, with their bytes."""
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_module_is_in_it(wheel):
    modules = [ROOT / "ponticello.py"]
    for package in ("shared", "live", "offline", "benchmarks"):
        modules += (ROOT / package).rglob("*.py")
    for module in modules:
        assert wheel[module.relative_to(ROOT).as_posix()] == module.read_bytes()


def test_presets_are_in_it_whole_without_what_made_them(wheel):
    shipped = [path for path in (ROOT / "presets").rglob("*") if path.is_file() and "make" not in path.parts]
    suffixes = {path.suffix for path in shipped if path.is_relative_to(ROOT / "presets" / "glass")}
    assert {".toml", ".safetensors", ".flac"} <= suffixes
    for path in shipped:
        assert wheel[path.relative_to(ROOT).as_posix()] == path.read_bytes()


def test_nothing_else_is_in_it(wheel):
    tops = {name.split("/")[0] for name in wheel}
    about = {top for top in tops if top.endswith(".dist-info")}
    assert tops - about == {"ponticello.py", "shared", "live", "offline", "benchmarks", "presets"}
    assert not [name for name in wheel if "/make/" in name or "__pycache__" in name]


def test_it_brings_the_command_and_the_licence(wheel):
    (about,) = {name.split("/")[0] for name in wheel if ".dist-info/" in name}
    assert b"ponticello = ponticello:main" in wheel[f"{about}/entry_points.txt"]
    assert wheel[f"{about}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
