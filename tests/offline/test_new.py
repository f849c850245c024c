"""`ponticello new`: a preset around a generator, complete or not made."""

import pytest
import tomlkit
import typer

from offline import new
from shared.errors import ModelError, UserError
from shared.preset.preset import Preset, sha256_of
from tests.small import make_preset, write_generator

pytestmark = pytest.mark.slow


def run(*arguments):
    return typer.main.get_command(new.app)([str(a) for a in arguments], standalone_mode=False)


@pytest.mark.parametrize("name", ["g.safetensors", 'a "b" c.safetensors'])
def test_a_generator_nearby_is_named_relative_to_the_preset(tmp_path, name):
    write_generator(tmp_path / name)
    run(tmp_path / "mine", "--generator", tmp_path / name)
    preset = Preset.load(tmp_path / "mine")
    assert preset.settings.generator.file == f"../{name}"
    assert preset.settings.generator.sha256 == sha256_of(tmp_path / name)
    (tmp_path / "mine").rename(tmp_path / "yours")
    assert Preset.load(tmp_path / "yours").generator_path == tmp_path / name
    assert [file.name for file in (tmp_path / "yours").iterdir()] == ["preset.toml"]


def test_a_generator_elsewhere_by_its_whole_path(tmp_path, monkeypatch):
    write_generator(tmp_path / "g.safetensors")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run("mine", "-g", "../g.safetensors")
    assert Preset.load("mine").settings.generator.file == str(tmp_path / "g.safetensors")
    assert Preset.load("mine").generator_path == tmp_path / "g.safetensors"


def test_a_copied_generator_belongs_to_the_preset(tmp_path):
    write_generator(tmp_path / "g.safetensors")
    (tmp_path / "mine").mkdir()  # empty is as good as none
    run(tmp_path / "mine", "-g", tmp_path / "g.safetensors", "--copy")
    (tmp_path / "g.safetensors").unlink()
    assert Preset.load(tmp_path / "mine").generator_path == tmp_path / "mine" / "generator.safetensors"


def test_again_it_does_nothing_and_another_generator_is_refused(tmp_path, capsys):
    write_generator(tmp_path / "g.safetensors")
    run(tmp_path / "mine", "-g", tmp_path / "g.safetensors")
    (tmp_path / "mine" / "preset.toml").write_text((tmp_path / "mine" / "preset.toml").read_text() + "# mine\n")
    run(tmp_path / "mine", "-g", tmp_path / "g.safetensors")
    assert "is a preset with this generator already; nothing to do" in capsys.readouterr().err
    assert (tmp_path / "mine" / "preset.toml").read_text().endswith("# mine\n")
    write_generator(tmp_path / "other.safetensors", seed=3)
    with pytest.raises(UserError, match="exists and is not empty; name a new folder"):
        run(tmp_path / "mine", "-g", tmp_path / "other.safetensors")


def test_every_line_that_is_commented_out_may_be_used(tmp_path):
    write_generator(tmp_path / "g.safetensors")
    run(tmp_path / "mine", "-g", tmp_path / "g.safetensors")
    file = tmp_path / "mine" / "preset.toml"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(line.removeprefix("# ") if " = " in line else line for line in lines))
    used = tomlkit.parse(file.read_text())
    assert {"inputs", "generator", "training", "controls"} < set(used)
    assert Preset.load(tmp_path / "mine").settings.training.layers == (40,)


@pytest.mark.parametrize(
    ("place", "generator", "error", "words"),
    [
        ("there", "g.safetensors", UserError, "exists and is not empty; name a new folder"),
        ("there/file", "g.safetensors", UserError, "exists and is not empty"),
        ("no/mine", "g.safetensors", UserError, "no folder .*/no; make it first"),
        ("mine", "none.safetensors", UserError, "no file .*none.safetensors; name a generator"),
        ("mine", "nowhere", UserError, "--generator: no file .*nowhere, and no preset .*nowhere"),
        ("mine", "there/file", ModelError, "there/file"),
    ],
)
def test_mistakes(tmp_path, place, generator, error, words):
    write_generator(tmp_path / "g.safetensors")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("an artist's work")
    with pytest.raises(error, match=words):
        run(tmp_path / place, "-g", tmp_path / generator)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.safetensors", "there"]
    assert (tmp_path / "there" / "file").read_text() == "an artist's work"


def test_nothing_is_left_of_one_that_is_broken_off(tmp_path, monkeypatch):
    write_generator(tmp_path / "g.safetensors")
    monkeypatch.setattr(new, "sha256_of", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        new.new(tmp_path / "mine", tmp_path / "g.safetensors", copy=True)
    assert [path.name for path in tmp_path.iterdir()] == ["g.safetensors"]


def test_the_generator_of_a_preset_by_its_path_or_name(tmp_path, monkeypatch):
    make_preset(tmp_path / "here" / "theirs")
    run(tmp_path / "here" / "mine", "-g", tmp_path / "here" / "theirs")
    assert Preset.load(tmp_path / "here" / "mine").settings.generator.file == "../theirs/generator.safetensors"
    monkeypatch.chdir(tmp_path)
    for name in ("glass", "violin"):  # violin has that of glass
        run(f"my-{name}", "-g", name)
        assert Preset.load(f"my-{name}").generator_path == tmp_path / f"my-{name}" / "generator.safetensors"
        assert Preset.load(f"my-{name}").generator_sha256 == Preset.load(name).generator_sha256
