"""`ponticello train --direct`: a decoder learned from pairs, from pictures between them, and from files."""

import csv
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tomlkit
import torch
import typer
from PIL import Image

from offline import new, train
from offline.corpus import analyse
from offline.direct import examples
from offline.direct.examples import from_files, from_generator, new_architecture, pairs_to_learn, sounds_between
from offline.direct.fit import batched, difference
from offline.direct.moments import Moment, read_picture
from offline.direct.training import train_directly
from offline.pairing.session import Pairing
from offline.rendering import render
from shared.errors import ModelError, PresetError, SettingError, UserError
from shared.painter import Painter, resized
from shared.picture import Picture
from shared.preset import Preset
from shared.preset.direct import DirectPictures, DirectTraining
from shared.preset.pairs import Pairs
from tests.small import make_unpaired, write_corpus, write_sound

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
QUICK = "[direct]\nsize = 32\nsteps = 30\nbetween = 20\n"


def run(app, *arguments):
    return typer.main.get_command(app)([str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def folder(tmp_path):
    folder = make_unpaired(tmp_path / "p")
    (folder / "preset.toml").write_text("version = 1 # mine\n" + QUICK)
    Pairing(Preset.load(folder)).auto("kmeans", 5)
    return folder


@pytest.fixture
def trained(folder):
    run(train.app, folder)
    return folder


def hashes(folder, tmp_path, *options):
    run(
        render.app,
        folder,
        tmp_path / "a.wav",
        "-o",
        tmp_path / "f.mkv",
        "--hashes",
        tmp_path / "h.csv",
        "--force",
        *options,
    )
    with (tmp_path / "h.csv").open() as file:
        return [row["sha256"] for row in csv.DictReader(file)]


def test_the_preset_draws_directly_from_then_on_and_can_go_back(trained, tmp_path, capsys):
    write_sound(tmp_path / "a.wav")
    by_generator = hashes(trained, tmp_path)
    mapping, pairs = ((trained / f"{name}.safetensors").read_bytes() for name in ("mapping", "pairs"))
    run(train.app, trained, "--direct")
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("5 pairs, pictures of 32 x 32 pixels: mean error ") for line in lines)
    assert "at pictures between" in "".join(lines)
    preset = Preset.load(trained)
    assert preset.is_direct
    assert preset.is_trained
    assert preset.direct.names == preset.for_pairing.pairs.names
    assert "# mine" in (trained / "preset.toml").read_text()
    direct = hashes(trained, tmp_path)
    assert len(direct) == len(by_generator) == 30
    assert not set(direct) & set(by_generator)
    assert (mapping, pairs) == tuple((trained / f"{name}.safetensors").read_bytes() for name in ("mapping", "pairs"))
    run(train.app, trained)
    assert "still draws directly" in capsys.readouterr().err
    assert hashes(trained, tmp_path) == direct
    run(train.app, trained, "--no-direct")
    assert hashes(trained, tmp_path) == by_generator


def test_the_same_pairs_and_seed_give_the_same_file(trained):
    file = trained / "direct.safetensors"
    run(train.app, trained, "--direct")
    first = file.read_bytes()
    run(train.app, trained, "--direct")
    assert file.read_bytes() == first
    document = tomlkit.parse((trained / "preset.toml").read_text())
    document["direct"]["seed"] = 5
    (trained / "preset.toml").write_text(tomlkit.dumps(document))
    run(train.app, trained, "--direct")
    assert file.read_bytes() != first


def test_the_pairs_are_met_better_the_longer_it_learns(folder):
    preset = Preset.load(folder)
    short, long = (
        train_directly(preset, DirectTraining(size=32, between=0, steps=steps)).at_pairs.mean() for steps in (1, 150)
    )
    assert long < 0.4 * short


def test_options_are_written_to_the_preset(trained):
    run(train.app, trained, "--direct", "--between", 0, "--size", 48, "--shape", "16:9")
    settings = Preset.load(trained).settings
    assert (settings.direct.between, settings.direct.size, settings.direct.shape) == (0, 48, "16:9")
    architecture = Preset.load(trained).direct.architecture
    assert (architecture.rows, architecture.columns) == (48, 86)


def test_between_needs_a_mapping_and_pairs_alone_do_not(folder):
    with pytest.raises(PresetError, match=r"no mapping yet.*--between 0"):
        run(train.app, folder, "--direct")
    assert not (folder / "direct.safetensors").exists()
    assert not Preset.load(folder).is_direct
    run(train.app, folder, "--direct", "--between", 0)
    assert Preset.load(folder).is_direct


def test_pictures_between_need_a_mapping_of_these_pairs(trained):
    file = trained / "pairs.safetensors"
    pairs = Pairs.load(file)
    moved = pairs.descriptors.copy()
    moved[0] += 1
    in_w = replace(pairs, space="w")
    for stale in (replace(pairs, descriptors=moved), in_w, replace(pairs, latents=pairs.latents[:, :8])):
        stale.save(file)
        with pytest.raises(
            PresetError, match=r"trained on other pairs; train it first: ponticello train .*--between 0"
        ):
            train_directly(Preset.load(trained), DirectTraining(size=32, between=5, steps=1))
        assert not (trained / "direct.safetensors").exists()
    in_w.save(file)
    train_directly(Preset.load(trained), DirectTraining(size=32, between=0, steps=1))
    advice = Preset.load(trained).training_advice
    assert f"run `ponticello train {trained} --direct`" in advice
    run(train.app, trained, "--direct", "--between", 0)
    toml = (trained / "preset.toml").read_text()
    (trained / "preset.toml").write_text(toml.replace("between = 0", "between = 9"))
    advice = Preset.load(trained).training_advice
    assert f"run `ponticello train {trained}`, then `ponticello train {trained} --direct`" in advice


def weighted(folder, controls):
    """The preset with these controls, and the examples that its decoder learns from."""
    toml = (folder / "preset.toml").read_text()
    (folder / "preset.toml").write_text(f"{toml}\n[controls]\n{controls}")
    preset, training = Preset.load(folder), DirectTraining(size=32, between=6)
    pairs = pairs_to_learn(preset, training)
    return preset, pairs, from_generator(preset, pairs, training, new_architecture(training, 23), "cpu")


def drawn(preset, latent):
    """The generator's picture of a latent vector, as examples hold it."""
    painter = Painter("cpu")
    painter.load_untrained(preset)
    picture = Picture(preset.generator_sha256, latent, "z", 1.0, 0.0, (0.0, 0.0), 1.0)
    return (resized(painter.paint(picture).float(), (32, 32)) + 0.5).clamp(0, 255).to(torch.uint8).numpy()


def test_examples_agree_with_the_mapping_after_more_sounds_were_analysed(trained):
    before = Preset.load(trained)
    old = before.corpus.scaler
    write_corpus(trained, frames=(60, 40, 80), seed=3)
    preset, pairs, learned = weighted(trained, "weight = {pitch = 2.0}\noffset = {loudness = 0.5}\n")
    assert not preset.corpus.scaler.equals(old)
    assert pairs.digest == before.mapping.pairs_digest
    raw = np.concatenate([preset.corpus.descriptors[preset.corpus.frames_of(sound)] for sound in range(3)])
    smooth = np.concatenate(train.played(preset.corpus, 0.8))
    assert len(raw) == len(smooth)
    weight, offset = np.ones(23), np.zeros(23)
    weight[preset.settings.inputs.index("pitch")], offset[preset.settings.inputs.index("loudness")] = 2, 0.5
    heard = before.mapping.scaler.process(preset.corpus.scaler.undone(smooth)) * weight + offset
    for number in (5, 7):  # the first and the last moment of the preset's own sounds
        row = heard[0 if number == 5 else -1]
        assert np.allclose(learned.descriptors[number], row, rtol=0, atol=1e-9)
        assert np.array_equal(
            learned.images[number], drawn(preset, before.mapping.predict(learned.descriptors[number]))
        )


def test_with_weights_a_pair_is_learned_where_show_finds_it(trained):
    preset, pairs, learned = weighted(trained, "weight = {pitch = 3.0, loudness = 0.0}\n")
    assert np.array_equal(learned.descriptors[:5], pairs.descriptors)
    assert np.array_equal(learned.images[0], drawn(preset, pairs.latents[0]))
    run(train.app, trained, "--direct")
    shown = Preset.load(trained).pairs.latents  # what /ponticello/show draws
    assert np.array_equal(shown, learned.descriptors[:5].astype(np.float32))


def test_an_unknown_device_ends_it_before_any_work(trained, tmp_path):
    for options in ([], ["--pictures", tmp_path / "nowhere"]):
        with pytest.raises(SettingError, match="abacus given; this machine has"):
            run(train.app, trained, "--direct", "--device", "abacus", *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--between", 5], "--between given without --direct"),
        (["--direct", "--regressor", "rbf"], "--regressor given with --direct"),
        (["--direct", "--compare"], "--direct given with --compare"),
        (["--direct", "--size", 31], "size = 31 given"),
        (["--direct", "--shape", "wide"], "wide"),
        (["--direct", "--shape", "1:16", "--size", 512], "rows = 8192 given"),
        (["--direct", "--between", 5, "--pictures", "."], "--between and --pictures given"),
        (["--direct", "--pictures", "nowhere"], "no such folder"),
    ],
)
def test_options_that_do_not_fit_are_one_line(trained, options, message):
    before = (trained / "preset.toml").read_text()
    with pytest.raises((SettingError, UserError, ModelError), match=message):
        run(train.app, trained, *options)
    assert (trained / "preset.toml").read_text() == before


def test_photographs_are_played_without_a_generator(tmp_path, capsys):
    write_sound(tmp_path / "a.wav", 2.0)
    run(new.app, tmp_path / "mine", "--direct")
    run(analyse.app, tmp_path / "mine", tmp_path / "a.wav")
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    colours = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}
    for name, colour in colours.items():
        Image.new("RGB", (90, 60), colour).save(photographs / f"{name}.jpg")
    with pytest.raises(
        UserError, match=r"no moment of sound for blue.jpg, green.jpg, red.jpg; list them in moments.csv"
    ):
        run(train.app, tmp_path / "mine", "--direct", "--pictures", photographs)
    (photographs / "moments.csv").write_text("picture,time\nred.jpg,0.2\ngreen.jpg,0:00.6\nblue.jpg,1.7\n")
    toml = tmp_path / "mine" / "preset.toml"
    toml.write_text(toml.read_text().replace("# size = 128", "size = 32").replace("# steps = 1500", "steps = 200"))
    run(train.app, tmp_path / "mine", "--direct", "--pictures", photographs)
    assert "3 pairs, pictures of 32 x 32 pixels" in capsys.readouterr().out
    preset = Preset.load(tmp_path / "mine")
    assert preset.direct.names == ("red", "green", "blue")
    assert len(set(hashes(tmp_path / "mine", tmp_path))) > 10
    with pytest.raises(PresetError, match=r"names the generator generator\.safetensors, but there is no file"):
        _ = preset.for_pairing.generator_path


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("picture,time\nnone.png,1\n", r"line 2: no file 'none.png'"),
        ("picture,time\n../p/x.png,1\n", r"line 2: no file"),
        ("picture,time,sound\nseed0.png,900,a\n", r"line 2: time 900 given; a has 0 to"),
        ("picture,time,sound\nseed0.png,soon,a\n", r"line 2: time soon given"),
        ("file,at\nseed0.png,1\n", r"the columns are file, at, must be picture,time"),
        ("picture,time\nseed0.png,0.1\n", "which sound"),
        ("picture,time,sound\nseed0.png,0.1,zither\n", "no sound 'zither'"),
    ],
)
def test_a_wrong_line_of_moments_is_named(trained, tmp_path, table, message):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (40, 40)).save(pictures / "seed0.png")
    (pictures / "moments.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        run(train.app, trained, "--direct", "--pictures", pictures)


def test_a_longer_list_of_moments_is_refused_whole(trained, tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "x.png")
    table = tmp_path / "moments.csv"
    table.write_text("picture,time,sound\n" + "x.png,0.1,a\n" * 10_001)
    with pytest.raises(UserError, match="lists 10,001 pictures; up to 10,000 are read"):
        run(train.app, trained, "--direct", "--pictures", tmp_path)
    table.write_text("picture,time,sound\nx.png,0.1,a\n" + "#" * (1 << 20))
    with pytest.raises(UserError, match=r"moments.csv cannot be read: it has more than 1,048,576 bytes"):
        run(train.app, trained, "--direct", "--pictures", tmp_path)


@pytest.mark.parametrize("content", [b"damaged", None])
def test_pictures_need_no_pairs(trained, tmp_path, content):
    if content is None:
        Pairs.load(trained / "pairs.safetensors").at([]).save(trained / "pairs.safetensors")
    else:
        (trained / "pairs.safetensors").write_bytes(content)
    Image.new("RGB", (40, 40), (255, 128, 0)).save(tmp_path / "x.png")
    (tmp_path / "moments.csv").write_text("picture,time,sound\nx.png,0.1,a\n")
    run(train.app, trained, "--direct", "--pictures", tmp_path)
    assert Preset.load(trained).direct.names == ("x",)


def test_pictures_that_do_not_fit_into_the_memory_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(examples, "available_bytes", lambda: 1000)
    moments = [Moment(tmp_path / "missing.png", np.zeros(23))]
    with pytest.raises(SettingError, match=r"1 pictures of 32 x 32 pixels need about .*use fewer pictures"):
        from_files(moments, new_architecture(DirectTraining(size=32), 23))


def test_16_bits_and_alpha_are_read_as_a_data_set_reads_them(tmp_path):
    Image.fromarray(np.full((20, 30), 257 * 100, np.uint16)).save(tmp_path / "deep.png")
    assert np.array_equal(read_picture(tmp_path / "deep.png", 8, 8), np.full((8, 8, 3), 100))
    Image.new("RGBA", (20, 20), (255, 0, 0, 51)).save(tmp_path / "glass.png")
    assert np.array_equal(read_picture(tmp_path / "glass.png", 8, 8), np.full((8, 8, 3), (51, 0, 0)))


def test_a_picture_named_as_a_pair_replaces_the_generators(trained, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    name = Preset.load(trained).pairs.names[0]
    Image.new("RGB", (60, 40), (255, 128, 0)).save(pictures / f"{name}.png")
    run(train.app, trained, "--direct", "--pictures", pictures)
    direct = DirectPictures.load(trained / "direct.safetensors")
    assert direct.names == (name,)
    assert np.array_equal(direct.descriptors[0], Preset.load(trained).for_pairing.pairs.descriptors[0])
    (pictures / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=f"{name}.png cannot be read as a picture"):
        run(train.app, trained, "--direct", "--pictures", pictures)


def test_interrupted_the_present_decoder_stays(trained):
    run(train.app, trained, "--direct")
    file, toml = trained / "direct.safetensors", trained / "preset.toml"
    toml.write_text(toml.read_text().replace("steps = 30", "steps = 1000000"))
    before = file.read_bytes(), toml.read_text()
    command = [sys.executable, "-m", "ponticello", "train", str(trained), "--direct"]
    environment = {**os.environ, "PONTICELLO_PROGRESS": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = next(line for line in process.stderr if line.startswith("steps: "))
    assert " s left" in line
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"stopped; {file} stays as it was" in errors
    assert (file.read_bytes(), toml.read_text()) == before


def test_half_of_the_sounds_between_are_the_presets_own(trained):
    preset = Preset.load(trained)
    rows = sounds_between(preset, preset.pairs, DirectTraining(between=21))
    frames = np.concatenate(train.played(preset.corpus, 0.8))
    distances = np.linalg.norm(rows[:, None] - frames, axis=2).min(axis=1)
    assert np.array_equal(distances[:11], np.zeros(11))
    assert (distances[11:] > 0.5).all()
    (trained / "corpus.safetensors").unlink()
    between = sounds_between(Preset.load(trained), preset.pairs, DirectTraining(between=21))
    assert between.shape == (21, 23)


def test_every_batch_holds_pairs_and_others():
    batches = batched(30, 5, seed=0)
    for _ in range(20):
        chosen = next(batches)
        assert len(chosen) == 8
        assert (chosen < 5).sum() == 2
        assert chosen.max() < 30
    assert sorted(next(batched(5, 5, 0))) == [0, 1, 2, 3, 4]


def test_the_difference_counts_edges_at_three_scales():
    still = torch.zeros(1, 3, 8, 8)
    assert difference(still, still) == 0
    assert difference(still + 0.5, still) == pytest.approx(1.5)  # no edges: half a unit at each scale
    striped = still.clone()
    striped[..., ::2] = 1
    # Full size: mean 0.5 and edges of 1; halved: an even grey of 0.5, twice.
    assert difference(striped, still) == pytest.approx(0.5 + 1 + 0.5 + 0.5)


def test_large_pictures_begin_on_a_map_of_about_16_samples():
    for size, sizes in ((32, (8, 16)), (128, (16, 32, 64)), (256, (16, 32, 64, 128))):
        made = new_architecture(DirectTraining(size=size), 23)
        assert tuple(rows for rows, _ in made.sizes) == sizes
