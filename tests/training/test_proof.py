"""A small training from a film to a generator: the images come near the film's, and stay apart from each other."""

import json
import subprocess
import sys

import pytest

from shared.image.generator import load_generator
from tests.training.film import frames, write_film
from tests.training.runs import environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # some 100 CPU seconds

NETWORKS = (
    "--channel-base 512 --channel-max 32 --num-layers 5 --z-dim 64 --w-dim 64 --d-channel-base 512 --d-channel-max 32"
)
RATES = "--gamma 4 --g-rate 0.0015 --d-rate 0.001"
SETTINGS = f"--recipe laptop {NETWORKS} {RATES} --augment none --kimg 4 --tick 0.5 --threads 1"


def ponticello(*arguments):
    command = [sys.executable, "-m", "ponticello", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_film_becomes_a_generator_of_its_images(tmp_path):
    film, data, run = write_film(tmp_path / "film.mkv", frames(32)), tmp_path / "data.zip", tmp_path / "run"
    ponticello("dataset", film, "-o", data, "--size", 32)
    ponticello("train-gan", data, "-o", run, *SETTINGS.split())
    first, *reports = (json.loads(line)["scores"] for line in (run / "log.jsonl").read_text().splitlines())
    best = min(reports, key=lambda scores: scores["gabor_frechet"])  # small batches swing: the run keeps its best
    assert best["gabor_frechet"] * 10 <= first["gabor_frechet"]
    assert best["sliced_wasserstein"] * 2 <= first["sliced_wasserstein"]
    assert best["recall"] >= 0.1
    assert 0.5 <= best["diversity"] <= 1.5
    assert load_generator(run / "best.safetensors").img_resolution == 32
