"""Kill every command that writes at random moments, run it again, and compare the result with an undisturbed run.

    python -m tests.offline.kills --count 30 --seed 0

Not collected by pytest, because it takes minutes. Ends with status 1 if a file is damaged or differs.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from shared import stale
from shared.errors import PonticelloError
from shared.preset import Preset
from tests.small import make_preset, make_unpaired, write_sound
from tests.training.film import frames
from tests.training.runs import SETTINGS, write_data

ROOT = Path(__file__).resolve().parents[2]
LATE = 1.05  # of the undisturbed time: some kills come just after the end
TRAINING = (*SETTINGS, "--kimg", "0.08", "--snapshot-minutes", "0")
IGNORED = ("history", "candidates.png", "map.png")  # a repeated step is no new step; pictures for the eye


@dataclass(frozen=True)
class Command:
    """A command line, run in a prepared folder. results: files that must be equal in the end."""

    name: str
    arguments: tuple[str, ...]
    results: str
    again: tuple[str, ...] = ()
    """Options of the second run."""


COMMANDS = (
    Command("new", ("new", "mine", "--generator", "p"), "mine"),
    Command("new --copy", ("new", "mine", "--generator", "p", "--copy"), "mine"),
    Command("analyse to a table", ("analyse", "a.wav", "-o", "a.csv"), "a.csv"),
    Command("analyse into a preset", ("analyse", "p", "a.wav", "--copy"), "p"),
    Command("candidates", ("candidates", "p", "-n", "40"), "p"),
    Command("pair auto", ("pair", "auto", "u", "kmeans", "--count", "5"), "u"),
    Command("pair place", ("pair", "place", "u", "3", "0.4", "0.6"), "u"),
    Command("train", ("train", "t"), "t"),
    Command("render", ("render", "p", "long.wav", "-o", "film.mkv"), "film.mkv", ("--resume",)),
    Command("render to pictures", ("render", "p", "a.wav", "-o", "pictures"), "pictures", ("--resume",)),
    Command(
        "render a shard", ("render", "p", "a.wav", "-o", "one.mkv", "--shards", "1/2"), "one.mkv.shards", ("--resume",)
    ),
    Command("join", ("join", "joined.mkv"), "joined.mkv"),
    Command("dataset", ("dataset", "pictures", "-o", "data.zip", "--size", "32", "--labels"), "data.zip"),
    Command("train-gan", ("train-gan", "training.zip", "-o", "run", *TRAINING), "run/generator.safetensors"),
    Command("convert", ("convert", "model.pkl", "-o", "model.safetensors"), "model.safetensors"),
)


def prepare(folder: Path) -> None:
    """Prepare everything that the commands need."""
    make_preset(folder / "p")
    make_unpaired(folder / "u")
    make_unpaired(folder / "t")
    run(folder, "pair", "auto", "t", "kmeans", "--count", "6")
    write_sound(folder / "a.wav", 1.5)
    write_sound(folder / "long.wav", 30)
    shutil.copyfile(ROOT / "tests" / "reference" / "stylegan3" / "t64.pkl", folder / "model.pkl")
    for shard in ("1/2", "2/2"):
        run(folder, "render", "p", "a.wav", "-o", "joined.mkv", "--shards", shard)
    for number, picture in enumerate(frames(64, 60)):
        still = folder / "pictures" / ("even", "odd")[number % 2] / f"{number:02}.png"
        still.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(still)
    write_data(folder / "training.zip")


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command in a folder."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "ponticello.py"), *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run a command to its end: status and stderr."""
    process = start(folder, *arguments)
    errors = process.communicate(timeout=600)[1]
    return process.returncode, errors


@contextmanager
def workplace(base: Path) -> Iterator[Path]:
    """A copy of the prepared folder."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "w"
        shutil.copytree(base, copy)
        yield copy


def contents(place: Path) -> dict[str, str]:
    """Hashes of the files at a place, by name."""
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    names = {file: file.relative_to(place.parent).as_posix() for file in files}
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file, name in names.items()
        if not any(part.startswith(".") or part in IGNORED for part in Path(name).parts)
    }


def damage(folder: Path) -> str:
    """Damage of the presets right after a kill; empty if all files are unchanged or complete."""
    for preset in [path.parent for path in folder.glob("*/preset.toml")]:
        try:
            loaded = Preset.load(preset)
            for part, file in (
                ("corpus", "corpus"),
                ("candidates", "candidates"),
                ("mapping", "mapping"),
                ("pairs", "pairs"),
            ):
                if (preset / f"{file}.safetensors").is_file():
                    getattr(loaded, part)
        except PonticelloError as error:
            return str(error)
    return ""


def age(folder: Path) -> None:
    """Make the files that a killed command left old enough to be removed."""
    for path in folder.rglob(".*"):
        if stale.NAME.fullmatch(path.name):
            os.utime(path, (0, 0))


def main() -> int:
    """Run the kills and print one line for each; the status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], help="commands whose names begin like one of these")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    commands = [command for command in COMMANDS if command.name.startswith(tuple(options.only))]
    right = interrupted = 0
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary) / "base"
        base.mkdir()
        prepare(base)
        expected: dict[str, tuple[float, dict[str, str]]] = {}
        for number in range(options.count):
            command = commands[number % len(commands)]
            if command.name not in expected:
                with workplace(base) as folder:
                    began = time.monotonic()
                    status, errors = run(folder, *command.arguments)
                    assert status == 0, errors
                    expected[command.name] = time.monotonic() - began, contents(folder / command.results)
            usual, wanted = expected[command.name]
            with workplace(base) as folder:
                moment = rng.uniform(0, LATE * usual)
                process = start(folder, *command.arguments)
                time.sleep(moment)
                was_running = process.poll() is None
                process.send_signal(signal.SIGKILL)
                process.communicate()
                broken = damage(folder)
                age(folder)
                status, errors = run(folder, *command.arguments, *command.again)
                # "exists": finished and then killed, on its way out
                is_done = status == 0 or "exists; --force" in errors or "has files in it" in errors
                left = [path.name for path in folder.rglob(".*") if stale.NAME.fullmatch(path.name)]
                is_right = not (broken or left) and is_done and contents(folder / command.results) == wanted
            right += is_right
            interrupted += was_running
            verdict = "right" if is_right else f"WRONG: {broken or left or errors.strip().splitlines()[-1:]}"
            print(f"{command.name:24} killed after {moment:5.2f} of {usual:5.2f} s: {verdict}", flush=True)
    print(f"{right} of {options.count} right, {interrupted} of them killed before their end")
    return int(right != options.count)


if __name__ == "__main__":
    sys.exit(main())
