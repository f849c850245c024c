"""`pip install ponticello` installs one package, which neither breaks others nor is broken by them."""

import ast
import hashlib
import importlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from PIL import Image

import ponticello
from one_package import Modules, NotUnderstood
from tests import rig
from tests.small import make_preset, write_sound

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("shared", "live", "offline", "benchmarks")
TOPS = (*ROOMS, "presets")


def build(root, folder):
    (built,) = WheelBuilder(str(root)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel(wheel_file):
    """The names in a wheel built from this checkout, with their bytes."""
    with zipfile.ZipFile(wheel_file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Installation:
    """A virtual environment with the wheel; the packages it needs are those of the environment that runs the tests."""

    def __init__(self, folder, wheel_file):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.script = self.python.with_name("ponticello" + self.python.suffix)
        target = sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
        shared_packages = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
        Path(target, "packages.pth").write_text("\n".join(shared_packages))
        pip = [sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check", "install", "-q"]
        subprocess.run([*pip, "--no-index", "--no-deps", "--no-compile", wheel_file], check=True)

    def run(self, *command, path="", **variables):
        """Run a command in an empty folder, with `path` as PYTHONPATH; return its output."""
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(path), "HOME": str(self.folder), **variables}
        done = subprocess.run(
            command, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(wheel_file, tmp_path_factory):
    return Installation(tmp_path_factory.mktemp("installed") / "environment", wheel_file)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A folder with a stranger's packages that are named like the checkout's folders; only `shared` can be imported."""
    folder = tmp_path_factory.mktemp("hostile")
    for name in TOPS:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise ImportError({name!r} + ' is a stranger')\n")
    (folder / "shared" / "__init__.py").write_text("OWNER = 'a stranger'\n")
    return folder


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A small preset, and a sound of a second."""
    folder = tmp_path_factory.mktemp("material")
    make_preset(folder / "small")
    write_sound(folder / "sound.wav", seconds=1)
    return folder


def modules_in(wheel):
    return {name: content for name, content in wheel.items() if name.endswith(".py")}


def test_it_holds_every_module_and_nothing_beside_the_package(wheel):
    modules = {file.relative_to(ROOT).as_posix() for room in ROOMS for file in (ROOT / room).rglob("*.py")}
    modules -= {"benchmarks/tables.py", "live/osc/reference.py"}  # which write documents of the checkout
    generated = {"ponticello/__init__.py", "ponticello/__main__.py"}
    assert modules_in(wheel).keys() == generated | {f"ponticello/{module}" for module in modules}
    assert "ponticello/py.typed" in wheel
    (about,) = {name.split("/")[0] for name in wheel} - {"ponticello"}
    assert about.endswith(".dist-info")
    assert b"ponticello = ponticello:main" in wheel[f"{about}/entry_points.txt"]
    assert wheel[f"{about}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()


def test_presets_are_in_it_whole_without_what_made_them(wheel):
    shipped = [
        path for path in (ROOT / "presets").rglob("*") if path.is_file() and not {"make", "making"} & {*path.parts}
    ]
    suffixes = {path.suffix for path in shipped if path.is_relative_to(ROOT / "presets" / "glass")}
    assert {".toml", ".safetensors", ".flac"} <= suffixes
    for path in shipped:
        assert wheel[f"ponticello/{path.relative_to(ROOT).as_posix()}"] == path.read_bytes()
    assert not [
        name
        for name in wheel
        if "/make/" in name or "/making/" in name or "__pycache__" in name or name.endswith(".sh")
    ]


def test_only_names_of_modules_change(wheel):
    sources = {"ponticello/__init__.py": ROOT / "ponticello.py"}
    for name, content in modules_in(wheel).items():
        if name == "ponticello/__main__.py":
            continue
        source = sources.get(name, ROOT / name.removeprefix("ponticello/"))
        restored = re.sub(rf"\bponticello\.(?=(?:{'|'.join(ROOMS)})\b)", "", content.decode())
        restored = re.sub(rf"\bfrom ponticello import (?={'|'.join(ROOMS)})", "import ", restored)
        assert restored == source.read_text("utf-8"), name


def test_no_string_names_a_module_by_its_old_name(wheel):
    """Remaining strings with "live." and the like: names in documents."""
    left = set()
    for content in modules_in(wheel).values():
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                left |= set(re.findall(rf"(?<!ponticello\.)\b(?:{'|'.join(ROOMS)})\.\w[\w.]*", node.value))
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name.partition(".")[0] in ROOMS]
    assert {name.rstrip(".") for name in left} <= {"live.md"}


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("from live.osc import port", "from ponticello.live.osc import port"),
        ("from  live import (\n    osc,\n)", "from  ponticello.live import (\n    osc,\n)"),
        ("import live.osc.port as p", "import ponticello.live.osc.port as p"),
        ("import live  # ü", "from ponticello import live  # ü"),
        ("import live.osc.port\nlively.osc", "import ponticello.live.osc.port\nlively.osc"),
        ("from . import live", "from . import live"),
        ("import lively", "import lively"),
        ("'ü'; x = 'live.osc'", "'ü'; x = 'ponticello.live.osc'"),
        ("x = 'live'", "x = 'live'"),
        ("x = 'see docs/live.md'", "x = 'see docs/live.md'"),
        ("x = f'{y} is live.'", "x = f'{y} is live.'"),
        (
            '"""As `live.osc.port` has it, in live/osc.py."""',
            '"""As `ponticello.live.osc.port` has it, in live/osc.py."""',
        ),
    ],
)
def test_rewriting(source, result):
    modules = Modules(["live/__init__.py", "live/osc/__init__.py", "live/osc/port.py"])
    assert modules.rewritten(source.encode(), "x.py").decode() == result


@pytest.mark.parametrize(
    "source",
    [
        "import live.osc; live.osc.f()",
        "import sys, live",
        "from \\\n live import osc",
        "x = 'python -m live.osc'",
        "x = 'live.' 'osc'",
        "x = f'live.{name}'",
        "x = f'the module live.osc.{name}'",
        "x = 'live.osc.' + name",
    ],
)
def test_an_import_that_cannot_be_rewritten_stops_the_build(source):
    modules = Modules(["live/__init__.py", "live/osc/__init__.py", "live/osc/port.py"])
    with pytest.raises(NotUnderstood, match=r"^x\.py:1: "):
        modules.rewritten(source.encode(), "x.py")


def test_the_same_source_gives_the_same_bytes_through_an_sdist_as_well(wheel_file, tmp_path):
    (archive,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path / "sdist"), versions=["standard"])
    unpacked = tmp_path / "unpacked"
    subprocess.run([sys.executable, "-m", "tarfile", "-e", archive, unpacked], check=True)
    (source,) = unpacked.iterdir()
    digests = {hashlib.sha256(built.read_bytes()).hexdigest() for built in (wheel_file, build(source, tmp_path))}
    assert len(digests) == 1


def test_an_editable_installation_is_the_checkout(tmp_path):
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["editable"])
    with zipfile.ZipFile(built) as archive:
        (path_file,) = (name for name in archive.namelist() if ".dist-info/" not in name)
        assert archive.read(path_file).decode().strip() == str(ROOT)


def test_no_room_is_a_top_level_package(installed):
    code = f"import importlib.util as i; print([n for n in {TOPS} if i.find_spec(n)], i.find_spec('ponticello').origin)"
    printed = installed.run(installed.python, "-c", code)
    assert printed.startswith("[] ")
    assert str(installed.folder) in printed
    assert not [name for name in TOPS if (Path(printed[3:].strip()).parents[1] / name).exists()]


def test_the_command_line_beside_strangers(installed, hostile):
    printed = installed.run(installed.script, "--help", path=hostile)
    assert all(name in printed for name in ponticello.COMMANDS)
    assert installed.run(installed.python, "-m", "ponticello", "--help", path=hostile) == printed
    assert "Usage: ponticello analyse" in installed.run(installed.script, "analyse", "--help", path=hostile)


def test_every_module_can_be_imported_beside_strangers(installed, hostile):
    code = """if True:
        import importlib, pkgutil, sys, ponticello
        names = [module.name for module in pkgutil.walk_packages(ponticello.__path__, "ponticello.")]
        for name in names:
            if name != "ponticello.__main__":
                importlib.import_module(name)
        print(len(names), sorted({"shared", "live", "offline", "benchmarks"} & set(sys.modules)))
    """
    count, left = installed.run(installed.python, "-c", code, path=hostile).split(maxsplit=1)
    assert int(count) > 100
    assert left == "[]\n"


def test_a_render_beside_strangers_is_the_checkouts(installed, hostile, material, tmp_path):
    arguments = ["render", material / "small", material / "sound.wav", "-o", tmp_path / "a", "--frames-hash"]
    printed = installed.run(installed.script, *arguments, path=hostile)
    arguments[4] = tmp_path / "b"
    here = subprocess.run(
        [sys.executable, "-m", "ponticello", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert printed.splitlines()[-1] == here.stdout.splitlines()[-1]
    assert re.fullmatch("[0-9a-f]{64}", printed.splitlines()[-1])
    assert len(list((tmp_path / "a").glob("*.png"))) == 30


def test_a_show_beside_strangers(installed, hostile, material, tmp_path):
    options = ["--offscreen", "--seconds", "1", "--no-play", "--osc-port", "0", "--stats", tmp_path / "stats.json"]
    sound = material / "sound.wav"
    installed.run(installed.script, "live", material / "small", "--input", sound, *options, path=hostile)
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["pictures"] > 0
    assert stats["frames"] > 0


def test_shipped_presets_go_by_their_names(installed, hostile, material):
    code = "from ponticello import Preset; print(Preset.load('glass').folder, Preset.load('violin').generator_path)"
    folder, generator = map(Path, installed.run(installed.python, "-c", code, path=hostile).split())
    assert folder.parts[-3:] == ("ponticello", "presets", "glass")
    assert generator.parent == folder


def test_the_processes_that_it_starts(installed, hostile):
    with rig.jack() as sound, rig.xvfb("640x480") as screen:
        printed = installed.run(installed.script, "devices", path=hostile, **sound, **screen)
        code = """if True:
            from ponticello.shared.sound_card.client import list_devices
            from ponticello.shared.sound_card.devices import find_device
            from ponticello.shared.sound_card.grain_player import CardPlayer
            player = CardPlayer(find_device("system", "output", list_devices()))
            print("plays" if not player.over else "silent")
            player.close()
        """
        assert installed.run(installed.python, "-c", code, path=hostile, **sound) == "plays\n"
    assert "JACK" in printed
    assert "640x480" in printed


def test_the_studio_starts_the_command_that_it_belongs_to(installed, hostile):
    code = """if True:
        import pathlib, time
        from ponticello.offline.pairing.children import Child, live_command
        child = Child(live_command(pathlib.Path("nowhere"), "square"))
        while child.status() is None:
            time.sleep(0.05)
        print(child.status(), child.last_line())
    """
    printed = installed.run(installed.python, "-c", code, path=hostile)
    assert printed.startswith("2 no preset nowhere; give the path")


def test_a_strangers_package_beside_it(installed, hostile):
    code = """if True:
        import shared, ponticello, sys
        from ponticello import DESCRIPTORS, Painter, Pipeline, Preset, describe, load_generator
        assert shared.OWNER == 'a stranger'
        assert not {'live', 'offline', 'benchmarks'} & set(sys.modules)
        print(len(DESCRIPTORS), Painter.__module__)
        try:
            from ponticello import Nothing
        except ImportError as error:
            print(error.name)
    """
    assert installed.run(installed.python, "-c", code, path=hostile) == "23 ponticello.shared.painter\nponticello\n"


def test_the_public_names_are_those_of_the_documents():
    assert ponticello.__all__ == sorted(ponticello.__all__)
    assert set(ponticello.__all__) == {"DESCRIPTORS", "Painter", "Pipeline", "Preset", "describe", "load_generator"}
    text = (ROOT / "docs" / "python.md").read_text("utf-8")
    for name in ponticello.__all__:
        assert f"`{name}" in text
        assert name in dir(ponticello)
        assert getattr(ponticello, name) is getattr(importlib.import_module(ponticello.PUBLIC[name]), name)


def test_importing_it_loads_nothing_slow():
    code = "import sys, ponticello; print([name for name in ('torch', 'numba', 'librosa', 'scipy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("where", ["checkout", "installed"])
def test_the_examples_run(where, installed, material, tmp_path):
    def example(name, *arguments):
        program = ROOT / "examples" / name
        assert len(program.read_text("utf-8").splitlines()) < 60
        if where == "installed":
            return installed.run(installed.python, program, *arguments)
        return installed.run(sys.executable, program, *arguments, path=ROOT)

    loudest = example("loudest_moment.py", material / "sound.wav")
    assert [line.split()[0] for line in loudest.splitlines()[1:]] == list(ponticello.DESCRIPTORS)
    sheet = example("contact_sheet.py", material / "small", material / "sound.wav", tmp_path / "sheet", "3")
    assert len(sheet.splitlines()) == 3
    pictures = sorted((tmp_path / "sheet").iterdir())
    assert [picture.name for picture in pictures] == ["0000.000.png", "0000.333.png", "0000.667.png"]
    with Image.open(pictures[0]) as picture:
        assert picture.size == (16, 16)


def test_type_checkers_read_its_annotations(installed, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from ponticello import DESCRIPTORS, Preset, load_generator\n"
        "names: int = DESCRIPTORS\n"
        "reveal_type(Preset.load('glass').folder)\n"
        "load_generator(1.5)\n"
    )
    (tmp_path / "mypy.ini").write_text("[mypy]\n[mypy-torch.*]\nfollow_imports = skip\n")  # reading torch takes long
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--python-executable", installed.python, "--cache-dir", tmp_path, program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'expression has type "tuple[str, ...]", variable has type "int"' in done.stdout
    assert 'Revealed type is "pathlib.Path"' in done.stdout
    assert '"load_generator" has incompatible type "float"' in done.stdout
    assert "Found 2 errors in 1 file" in done.stdout
