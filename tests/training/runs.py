"""Small training runs: a data set of a few pictures, and the command in a process of its own."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from PIL import Image

from tests.training.film import frames

ROOT = Path(__file__).parents[2]
TINY = "--channel-base 64 --channel-max 8 --num-layers 4 --z-dim 16 --w-dim 16 --d-channel-base 64 --d-channel-max 8"
SETTINGS = [*TINY.split(), "--batch", "8", "--tick", "0.04", "--threads", "1", "--augment-p", "0.3"]
COMMAND = [sys.executable, "-m", "ponticello", "train-gan"]


def write_data(path, pictures=None, labels=None, classes=()):
    """A data set of pictures (n, s, s, 3), by default 40 of 16 x 16, with the labels of dataset.json."""
    pictures = frames(16, 40) if pictures is None else pictures
    names = [f"00000/img{number:08d}.png" for number in range(len(pictures))]
    with zipfile.ZipFile(path, "w") as archive:
        for name, picture in zip(names, pictures, strict=True):
            content = io.BytesIO()
            Image.fromarray(picture).save(content, "PNG")
            archive.writestr(name, content.getvalue())
        listing = None if labels is None else [list(pair) for pair in zip(names, labels, strict=True)]
        archive.writestr("dataset.json", json.dumps({"labels": listing, "classes": list(classes)}))
    return path


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def start(data, run, *options, prefix=COMMAND, variables=()):
    """The command as a process with these environment variables, too; its lines go to its stdout and stderr."""
    command = [*prefix, str(data), "-o", str(run), *SETTINGS, *map(str, options)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), **dict(variables)},
        cwd=run.parent,
    )


def finish(process):
    """Wait for the end: status, stdout, stderr."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def newest(run):
    """The newest snapshot."""
    return max(run.glob("state-*.safetensors"))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def outcome(run):
    """What must be the same after any interruptions: hashes of the networks' files, and the log without its times."""
    files = {path.name: digest(path) for path in (newest(run), run / "generator.safetensors", run / "best.safetensors")}
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("time"), line.pop("seconds_per_kimg")
    return files, lines
