"""Damages presets, recordings, generators and checkpoints at random and opens them: each must work or fail in one line.

python -m tests.fuzz [COUNT] [SEED]     prints the numbers of inputs tried and refused, the slowest one, and the peak of memory
"""

import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from offline.convert import convert
from shared.controls import ControlChange
from shared.errors import PonticelloError, UserError, one_line
from shared.image.checkpoint import read_checkpoint
from shared.painter import Painter
from shared.pipeline import Pipeline
from shared.preset import Preset
from shared.recording.reader import Recording
from shared.recording.writer import RecordingWriter
from tests.small import make_direct_preset, make_preset, sound, write_candidates, write_corpus

REFERENCE = Path(__file__).parent / "reference" / "stylegan3"
LIMIT_S = 60  # for one input: a hang, not a measure of speed
EXTREMES = (
    -1,
    0,
    1,
    7,
    2**31,
    2**53,
    2**63,
    10**30,
    -(10**18),
    0.5,
    1e308,
    -1e308,
    "",
    "..",
    "../../..",
    "a\0b",
    "x" * 10_000,
)
EXTREMES = (*EXTREMES, "1e99999999", "\x1b[2J\u202e", "/dev/zero", "nan", None, True, [], {}, [[]], [1e308] * 3)
TOKENS = ("inf", "nan", "-1", "1e999", "9" * 5000, "true", '"\\u0000"', "[", "[[[[", "a.b.c = 1", "é", "=")


class Outcome(NamedTuple):
    """The outcome for an input: "works", "refused", or the fault of its refusal."""

    kind: str
    change: str
    result: str
    seconds: float


def originals(folder: Path) -> None:
    """One good input of each kind."""
    preset = make_preset(folder / "preset")
    write_corpus(preset)
    write_candidates(preset)
    loaded = Preset.load(preset)
    pipeline = Pipeline(loaded)
    samples = sound(0.6)[:, 0]
    pipeline.process(samples[:9000])
    writer = RecordingWriter(folder / "recording")
    writer.begin(pipeline.state(), "samples", {})
    for change in (ControlChange(9000, "rotate", 20.0), ControlChange(12000, "weight/pitch", 2.0)):
        writer.change(pipeline.schedule(change), change)
    writer.change(pipeline.exchange(13000, loaded), loaded)
    writer.sound(samples[9000:])
    writer.end(len(samples))
    direct = make_direct_preset(folder / "direct", toml="[controls]\nrotate = 20\n[direct]\nsize = 64\n")
    recorded = Pipeline(Preset.load(direct))
    writer = RecordingWriter(folder / "direct-recording")
    writer.begin(recorded.state(), "samples", {})
    writer.sound(samples[:9000])
    writer.end(9000)
    shutil.copy(preset / "generator.safetensors", folder / "generator.safetensors")
    shutil.copy(REFERENCE / "edge_t32.pkl", folder / "checkpoint.pkl")


def open_input(kind: str, path: Path, good: Path) -> None:
    """Read everything in an input that commands read."""
    if kind == "preset":
        preset = Preset.load(path)
        _ = preset.candidates, preset.corpus, preset.pairs, preset.generator_sha256
        Pipeline(preset).process(np.zeros(5000, np.float32))
    elif kind == "direct":
        preset = Preset.load(path)
        painter = Painter()
        painter.load(preset)
        for tick in Pipeline(preset).process(np.zeros(5000, np.float32)):
            painter.paint(tick.picture)
    elif kind in ("recording", "direct-recording"):
        recording = Recording(path, Preset.load(good / "preset"))
        for _ in islice(recording.ticks(Fraction(30)), 20):
            pass
    elif kind == "generator":
        read_checkpoint(path, draws_on_cpu=True)
    else:
        convert(path, path.with_suffix(".safetensors"))


def damage(path: Path, rng: random.Random) -> str:
    """Change a file, or one in a folder; return the kind of damage."""
    file = path
    if path.is_dir():
        file = rng.choice(sorted(each for each in path.rglob("*") if each.is_file()))
    kinds = {".toml": (text, token), ".jsonl": (line, text), ".safetensors": (header, header, header, sparse)}
    change = rng.choice([*kinds.get(file.suffix, ()), *kinds.get(file.suffix, ()), bytes_changed, cut, special])
    return f"{change.__name__} {file.name}: {change(file, rng)}"


def bytes_changed(file: Path, rng: random.Random) -> str:
    """Change some bytes."""
    content = bytearray(file.read_bytes())
    for _ in range(rng.choice([1, 3, 30])):
        place = rng.randrange(min(len(content), 4000)) if rng.random() < 0.7 else rng.randrange(len(content))
        content[place] = rng.randrange(256)
    file.write_bytes(content)
    return "bytes"


def cut(file: Path, rng: random.Random) -> str:
    """Truncate or lengthen it."""
    content = file.read_bytes()
    length = rng.randrange(len(content))
    file.write_bytes(content[:length] if rng.random() < 0.7 else content + content[:length])
    return str(length)


def special(file: Path, rng: random.Random) -> str:
    """Replace the file by a pipe, a folder or a link."""
    file.unlink()
    what = rng.choice(["pipe", "folder", "loop", "zero", "nothing", "empty"])
    if what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "empty":
        file.touch()
    elif what != "nothing":
        file.symlink_to(file if what == "loop" else "/dev/zero")
    return what


def text(file: Path, rng: random.Random) -> str:
    """Replace a word."""
    words = file.read_text("utf-8").split(" ")
    words[rng.randrange(len(words))] = rng.choice(TOKENS)
    file.write_text(" ".join(words), "utf-8")
    return "word"


def token(file: Path, rng: random.Random) -> str:
    """Add a setting."""
    name = rng.choice(
        ["inputs", "generator.file", "generator.sha256", "training.epochs", "controls.smoothing", "x." * 5000 + "y"]
    )
    value = rng.choice([*TOKENS, json.dumps(rng.choice(EXTREMES))])
    with file.open("a", encoding="utf-8") as end:
        end.write(f"\n{name} = {value}\n")
    return f"{name[:20]} = {value[:20]}"


def line(file: Path, rng: random.Random) -> str:
    """Make a value in a line of a log extreme."""
    lines = [json.loads(each) for each in file.read_text("utf-8").splitlines()]
    chosen = rng.choice(lines)
    name = rng.choice(list(chosen))
    chosen[name] = rng.choice(EXTREMES)
    if rng.random() < 0.1:
        lines[1:1] = [lines[1]] * 3000
    file.write_text("".join(json.dumps(each) + "\n" for each in lines), "utf-8")
    return f"{name} = {str(chosen[name])[:20]}"


def header(file: Path, rng: random.Random) -> str:
    """Make a value in the header of a safetensors file, or in its tables, extreme."""
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    metadata = table["__metadata__"]
    inner = rng.choice([name for name in metadata if metadata[name].startswith("{")])
    facts = json.loads(metadata[inner])
    where = rng.random()
    if where < 0.6:
        name = extreme_somewhere(facts, rng)
        metadata[inner] = json.dumps(facts)
    elif where < 0.8:
        name = extreme_somewhere(table, rng)
    else:
        name = rng.choice(list(table))
        table[rng.choice(["surplus", rng.choice(list(table))])] = table.pop(name)
    new = json.dumps(table).encode()
    file.write_bytes(len(new).to_bytes(8, "little") + new + content[8 + length :])
    return name


def extreme_somewhere(value: dict | list, rng: random.Random) -> str:
    """Replace an entry of nested tables and lists; returns its key."""
    key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if isinstance(value[key], dict | list) and value[key] and rng.random() < 0.7:
        return f"{key}/{extreme_somewhere(value[key], rng)}"
    value[key] = rng.choice(EXTREMES)
    return f"{key} = {str(value[key])[:20]}"


def sparse(file: Path, rng: random.Random) -> str:
    """Add a sparse tensor of 4 GB."""
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    stop = len(content) - 8 - length
    table["surplus"] = {"dtype": "F32", "shape": [1 << 30], "data_offsets": [stop, stop + (4 << 30)]}
    new = json.dumps(table).encode()
    with file.open("wb") as out:
        out.write(len(new).to_bytes(8, "little") + new + content[8 + length :])
        out.truncate(8 + len(new) + stop + (4 << 30))
    return "4 GB"


def run(count: int, seed: int, folder: Path) -> list[Outcome]:
    """Damage and open `count` inputs; the same seed gives the same ones."""
    good = folder / "good"
    good.mkdir()
    originals(good)
    outcomes = []
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        kind, name = rng.choice(
            [
                ("preset", "preset"),
                ("recording", "recording"),
                ("direct", "direct"),
                ("direct-recording", "direct-recording"),
                ("generator", "generator.safetensors"),
                ("pickle", "checkpoint.pkl"),
            ]
        )
        path = folder / "damaged" / name
        shutil.rmtree(folder / "damaged", ignore_errors=True)
        (folder / "damaged").mkdir()
        shutil.copytree(good / name, path) if (good / name).is_dir() else shutil.copy(good / name, path)
        change = damage(path, rng)
        outcomes.append(attempt(kind, path, good, change))
    return outcomes


def attempt(kind: str, path: Path, good: Path, change: str) -> Outcome:
    """Open an input and judge the outcome."""
    start = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        open_input(kind, path, good)
        result = "works"
    except PonticelloError as error:
        result = "refused"
        shown = one_line(error)
        if not isinstance(error, UserError):
            result = f"not the user's mistake: {shown}"
        elif path.parent.name not in shown or not shown.isprintable():
            result = f"without the file's name, or unprintable: {shown[:300]}"
    except Exception as error:
        result = f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return Outcome(kind, change, result, time.monotonic() - start)


def hang(*_: object) -> None:
    raise TimeoutError(f"more than {LIMIT_S} s")


def main(count: int = 350, seed: int = 1) -> int:
    signal.signal(signal.SIGALRM, hang)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run(count, seed, Path(folder))
    wrong = [outcome for outcome in outcomes if outcome.result not in ("works", "refused")]
    for outcome in wrong:
        print(*outcome)
    tally = Counter((outcome.kind, outcome.result if outcome not in wrong else "wrong") for outcome in outcomes)
    for (kind, result), number in sorted(tally.items()):
        print(f"{kind:<10} {result:<8} {number}")
    slowest = max(outcomes, key=lambda outcome: outcome.seconds)
    print(f"slowest {slowest.seconds:.2f} s: {slowest.kind}, {slowest.change}")
    print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])) > 0)
