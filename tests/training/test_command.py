"""What `train-gan` says and refuses, and the generators that it starts from and leaves."""

import re

import numpy as np
import pytest
import torch

import ponticello
from offline.convert import convert
from offline.training.alarm import Alarm
from offline.training.configuration import RECIPES, Configuration
from offline.training.generator import TrainableGenerator
from offline.training.iteration import Progress
from offline.training.network_file import AVERAGED, read_networks
from offline.training.score.scores import Scores
from shared.errors import ModelError, SettingError, UserError
from shared.image.generator import load_generator
from tests.small import write_generator
from tests.training.film import frames
from tests.training.runs import SETTINGS, newest, write_data
from tests.training.test_reference import FOLDER as REFERENCE

pytestmark = pytest.mark.slow

CHECKPOINTS = REFERENCE.parent / "stylegan3"


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.zip")


def train(data, run, *options, settings=SETTINGS):
    ponticello.run(["train-gan", str(data), "-o", str(run), *settings, *map(str, options)])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--recipe", "huge"], SettingError, "--recipe huge given; allowed are laptop, small, paper"),
        (["--gamma", "much"], SettingError, "--gamma much given; allowed are auto and numbers above 0"),
        (["--gamma", "-1"], SettingError, "gamma"),
        (["--augment", "xflip,turn"], SettingError, "--augment turn given; allowed are all, none, or some of xflip"),
        (["--config", "q"], SettingError, "'q'"),
        (["--batch", "6"], SettingError, "--batch 6 given; allowed are 1 to 4 and multiples of 4"),
        (
            ["--batch", "12", "--micro-batch", "8"],
            SettingError,
            "--micro-batch 8 given; it must divide the batch of 12",
        ),
        (["--cond"], UserError, "has no labels"),
        (["--from", "none.safetensors"], ModelError, "none.safetensors"),
        (["--num-layers", "1"], ModelError, "num_critical"),
    ],
)
def test_what_cannot_be_is_one_line(data, tmp_path, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        train(data, tmp_path / "run", *options)
    assert not (tmp_path / "run").exists()


def test_a_folder_with_something_else_is_left_alone(data, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years")
    with pytest.raises(UserError, match="not empty and holds no run"):
        train(data, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_the_plan_measures_and_writes_nothing(data, tmp_path, capsys):
    train(data, tmp_path / "run", "-n", "--kimg", 1000)
    out = capsys.readouterr().out
    assert re.search(r"networks: StyleGAN3-T with [\d,]+ weights, discriminator with [\d,]+", out)
    assert re.search(r"time: [\d.]+ s for a thousand images, .* for 1000 kimg", out)
    assert re.search(r"memory: [\d.]+ GB", out)
    assert re.search(r"disk: [\d.e-]+ GB for 3 snapshots", out)
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_its_own_settings_only(data, tmp_path, capsys):
    run = tmp_path / "run"
    train(data, run, "--kimg", 0.016)
    first = newest(run)
    train(data, run, "--kimg", 0.016)
    assert "has reached its 0.016 kimg; --kimg sets a later end" in capsys.readouterr().err
    for options, message in [
        (["--gamma", "3"], "was started with gamma auto, now 3.0 is given"),
        (["--seed", "1"], "was started with seed 0, now 1 is given"),
        (["--mirror"], "was started with mirror False, now True is given"),
    ]:
        with pytest.raises(SettingError, match=message):
            train(data, run, "--kimg", 0.016, *options)
    with pytest.raises(SettingError, match="another data set"):
        train(write_data(tmp_path / "other.zip", frames(16, 12)), run)
    ponticello.run(["train-gan", str(data), "-o", str(run), "--kimg", "0.032"])  # the folder knows the rest
    assert "going on at 0.016 kimg" in capsys.readouterr().err
    assert newest(run).name == "state-00000004.safetensors"
    assert first.exists()


def test_a_damaged_snapshot_costs_the_way_from_the_one_before(data, tmp_path, capsys):
    run = tmp_path / "run"
    train(data, run, "--kimg", 0.016)
    train(data, run, "--kimg", 0.024)
    newest(run).write_bytes(newest(run).read_bytes()[:-9])
    train(data, run, "--kimg", 0.032)
    assert "going on at 0.016 kimg" in capsys.readouterr().err
    for path in run.glob("state-*"):
        path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="no snapshot can be read"):
        train(data, run, "--kimg", 0.04)


def test_the_generator_of_a_run_is_the_averaged_one(data, tmp_path):
    run = tmp_path / "run"
    train(data, run, "--kimg", 0.016)
    file = read_networks(newest(run))
    trained = TrainableGenerator(file.generator)
    stored = {**trained.parameters_by_name(), **trained.buffers_by_name()}
    with torch.no_grad():
        for name, tensor in stored.items():
            tensor.copy_(torch.from_numpy(file.arrays[f"{AVERAGED}{name}"]))
        z = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
        wanted = trained.synthesize(trained.map(z))
    exported = tmp_path / "exported.safetensors"
    convert(run, exported, half=True)
    assert exported.read_bytes() == (run / "generator.safetensors").read_bytes()
    generator = load_generator(exported)
    given = generator.synthesize_float(generator.map(z))
    assert (given - wanted).abs().max() < 0.02


def test_classes_reach_the_generator(tmp_path):
    """Two classes, dark and bright: their mean colours part, and the file is that of a conditional generator."""
    pictures = frames(16, 40)
    labels = [number % 2 for number in range(40)]
    pictures[::2] = pictures[::2] // 8
    pictures[1::2] = 255 - (255 - pictures[1::2]) // 8
    data = write_data(tmp_path / "data.zip", pictures, labels, ["dark", "bright"])
    settings = [*SETTINGS[: SETTINGS.index("--augment-p")], "--augment", "none", "--g-rate", "0.01"]
    train(data, tmp_path / "run", "--kimg", 1.2, "--cond", "--gamma", 0.1, "--tick", 2, settings=settings)
    generator = load_generator(tmp_path / "run" / "generator.safetensors")
    assert generator.c_dim == 2
    z = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    dark, bright = (
        float(generator.synthesize_float(generator.map(z, torch.eye(2)[label].expand(8, -1))).mean())
        for label in (0, 1)
    )
    assert bright > dark + 0.3


def test_labels_are_not_used_silently(tmp_path, capsys):
    data = write_data(tmp_path / "data.zip", labels=[0] * 20 + [1] * 20)
    train(data, tmp_path / "run", "-n")
    assert "has labels; they are not used without --cond" in capsys.readouterr().err


def test_fine_tuning_starts_from_all_networks(tmp_path, capsys):
    source = tmp_path / "t64.safetensors"
    convert(CHECKPOINTS / "t64.pkl", source, all_networks=True)
    data = write_data(tmp_path / "data.zip", frames(64, 16))
    run = tmp_path / "run"
    ponticello.run(["train-gan", str(data), "-o", str(run), "--from", str(source), "--batch", "4", "--kimg", "0.004"])
    before, after = read_networks(source), read_networks(newest(run))
    assert (after.generator, after.discriminator) == (before.generator, before.discriminator)
    for name in ("G/synthesis.L0_36_16.weight", "D/b64.conv0.weight"):
        if name in before.arrays:
            assert 0 < np.abs(after.arrays[name] - before.arrays[name]).max() < 0.01
    assert np.array_equal(after.arrays["G/synthesis.input.freqs"], before.arrays["G/synthesis.input.freqs"])
    with pytest.raises(SettingError, match=r"--config r given, .* has t; leave --config out"):
        ponticello.run(["train-gan", str(data), "-o", str(tmp_path / "b"), "--from", str(source), "--config", "r"])
    with pytest.raises(SettingError, match="images of 64 pixels, the data set images of 16 pixels"):
        train(write_data(tmp_path / "small.zip"), tmp_path / "b", "--from", source, settings=[])


def test_a_generator_alone_waits_for_its_new_discriminator(data, tmp_path):
    source = tmp_path / "generator.safetensors"
    write_generator(source)
    run = tmp_path / "run"
    train(data, run, "--from", source, "--kimg", 0.016, settings=["--batch", "8"])
    file = read_networks(newest(run))
    assert Configuration(size=16, source="x").warm_up_kimg == 4
    convert(run, tmp_path / "after.safetensors")
    before, after = (load_generator(path) for path in (source, tmp_path / "after.safetensors"))
    z = torch.randn(1, before.z_dim)
    assert torch.equal(before.synthesize_float(before.map(z)), after.synthesize_float(after.map(z)))
    assert "adam_D/b4.fc.weight/exp_avg_sq" in file.arrays
    assert not any(name.startswith("adam_G") for name in file.arrays)


def test_frozen_layers_stay(data, tmp_path):
    run = tmp_path / "run"
    train(data, run, "--kimg", 0.008, "--freeze-d", 4)
    first = read_networks(newest(run)).arrays
    train(data, run, "--kimg", 0.016)
    second = read_networks(newest(run)).arrays
    assert np.array_equal(first["D/b16.conv1.weight"], second["D/b16.conv1.weight"])
    assert not np.array_equal(first["D/b8.conv0.weight"], second["D/b8.conv0.weight"])


def scores(diversity):
    return Scores(1.0, 0.1, 0.5, 0.5, diversity, 20)


def test_the_alarm_warns_once_and_says_what_to_do():
    alarm = Alarm(Configuration(size=64, gamma=1.0))
    assert alarm.warnings(Progress(images=1000), scores(0.01)) == []
    (line,) = alarm.warnings(Progress(images=3000), scores(0.01))
    assert "collapsed" in line
    assert "--gamma 2 or 4" in line
    assert alarm.warnings(Progress(images=4000), scores(0.02)) == []
    (line,) = alarm.warnings(Progress(images=4000, p=0.7), scores(0.9))
    assert "above 0.6" in line
    (line,) = alarm.warnings(Progress(images=4000, p=0.9), scores(0.9))
    assert "above 0.8" in line
    (line,) = alarm.warnings(Progress(losses={"generator": float("nan")}), scores(0.9))
    assert "diverged" in line


@pytest.mark.parametrize(("recipe", "size"), [("laptop", 64), ("small", 256), ("paper", 1024)])
def test_recipes_make_networks(recipe, size):
    configuration = Configuration(size=size, **RECIPES[recipe])
    configuration.check()
    assert configuration.generator_architecture.variant == ("stylegan3-r" if recipe == "paper" else "stylegan3-t")
    assert configuration.discriminator_architecture.shapes()


def test_gamma_is_the_published_table():
    wanted = {128: 0.5, 256: 2, 512: 8, 1024: 32}
    assert {size: Configuration(size=size).gamma_used for size in wanted} == wanted
