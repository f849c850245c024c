"""Two classes of pictures become an instrument, by the commands that an artist gives, from the data set to the show."""

import csv
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

import ponticello
from offline.pictures import read_png
from shared.controls import ControlChange
from shared.preset import Preset
from tests.live.osc_client import until
from tests.live.shows import show
from tests.small import write_sound
from tests.training.film import frames, write_film

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # some 30 CPU seconds

SIZE = 32
EMBER, ICE = 0, 1  # in alphabetical order
NETWORKS = (
    "--channel-base 128 --channel-max 8 --num-layers 4 --z-dim 16 --w-dim 16 --d-channel-base 128 --d-channel-max 8"
)
RATES = "--batch 8 --gamma 0.1 --g-rate 0.01 --augment none"
SETTINGS = f"--cond {NETWORKS} {RATES} --kimg 1.2 --tick 9 --threads 1"
TICK = 1470  # samples
PATIENCE = 60  # seconds, for a busy machine


@pytest.fixture(scope="module", autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def ponticello_run(*arguments):
    ponticello.run([str(argument) for argument in arguments])


def coloured(pictures, colour):
    """Threads of a colour over half its light."""
    return ((0.5 + pictures / 510) * np.array(colour)).astype(np.uint8)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A film of embers and a folder of ice, a sound, and the preset that comes out."""
    folder = tmp_path_factory.mktemp("classes")
    ember, ice = folder / "two" / "ember", folder / "two" / "ice"
    ember.mkdir(parents=True)
    ice.mkdir()
    pictures = frames(SIZE, 80)
    write_film(ember / "film.mkv", coloured(pictures[:40], (255, 60, 0)))
    for number, picture in enumerate(coloured(pictures[40:], (0, 100, 255))):
        Image.fromarray(picture).save(ice / f"{number:02}.png")
    write_sound(folder / "sound.wav", 2.0)
    return folder


@pytest.fixture(scope="module")
def preset(material):
    mine = material / "mine"
    ponticello_run("dataset", material / "two", "-o", material / "two.zip", "--size", SIZE, "--labels")
    ponticello_run("train-gan", material / "two.zip", "-o", material / "run", *SETTINGS.split())
    ponticello_run("new", mine, "--generator", material / "run" / "generator.safetensors")
    ponticello_run("analyse", mine, material / "sound.wav")
    ponticello_run("candidates", mine, "-n", 12, "--class", "all")
    ponticello_run("pair", "auto", mine, "kmeans", "--count", 6)
    ponticello_run("train", mine)
    return Preset.load(mine)


def warmth(pictures):
    """Red minus blue, mean over pictures (..., 3) in 0..255: positive for embers, negative for ice."""
    means = np.asarray(pictures, np.float64).reshape(-1, 3).mean(axis=0)
    return means[0] - means[2]


def label_changes(playing):
    """The samples from which the labels hold."""
    return [what.sample for _, what in list(playing.asked) if isinstance(what, ControlChange) and what.name == "label"]


def test_the_classes_of_the_folders_are_those_of_candidates_and_pairs(preset):
    candidates = preset.candidates
    classes = candidates.classes.argmax(axis=1)
    assert classes.tolist() == [EMBER, ICE] * 6
    assert warmth(candidates.thumbnails[classes == EMBER]) > warmth(candidates.thumbnails[classes == ICE]) + 60
    assert set(preset.pairs.classes.argmax(axis=1)) == {EMBER, ICE}


def test_a_show_with_labels_is_rendered_picture_for_picture(material, preset, tmp_path):
    sound, recording, film = material / "sound.wav", tmp_path / "recording", tmp_path / "film"
    with show([preset.folder], sound, tmp_path, loop=True, record=recording) as playing:
        playing.until_tick(5, PATIENCE)
        for number, label in enumerate((EMBER, ICE, 0.5, "sound"), start=1):
            playing.client.send("label", label)
            assert playing.ask("label", PATIENCE) == label
            assert until(lambda number=number: len(label_changes(playing)) == number, PATIENCE)
            playing.until_tick(label_changes(playing)[-1] // TICK + 12, PATIENCE)  # the sound may be ahead of the ticks
    starts = label_changes(playing)

    ponticello_run("render", preset.folder, recording, "-o", film, "--hashes", tmp_path / "hashes.csv")
    with open(tmp_path / "hashes.csv", newline="") as file:
        rendered = {int(row["tick"]): row["sha256"] for row in csv.DictReader(file)}
    assert len(playing.hashes) > 10
    assert playing.hashes.items() <= rendered.items()

    pictures = dict(zip(sorted(rendered), sorted(film.glob("*.png")), strict=True))
    ember, ice, between = (
        warmth([read_png(pictures[number]) for number in range(start // TICK + 2, end // TICK)])
        for start, end in pairwise(starts)
    )
    assert ember > between > ice
    assert ember > ice + 60
