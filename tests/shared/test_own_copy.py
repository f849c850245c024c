"""The artist's own copy of a shipped preset: complete or absent, and independent of the original."""

import shutil

import pytest

from shared.errors import UserError
from shared.preset.preset import Preset, sha256_of
from tests.small import make_preset

pytestmark = pytest.mark.slow


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.preset.places.SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr("shared.preset.places.OWN", tmp_path / "own")
    folder = make_preset(tmp_path / "shipped" / "glassy")
    (folder / "make").mkdir()
    return tmp_path


def test_a_generator_that_presets_share_comes_along(places):
    shared = places / "shipped" / "glassy" / "generator.safetensors"
    folder = make_preset(places / "shipped" / "other")
    (folder / "generator.safetensors").unlink()
    (folder / "preset.toml").write_text(
        f'# mine\nversion = 1\n[generator]\nfile = "../glassy/generator.safetensors"\nsha256 = "{sha256_of(shared)}"\n'
    )
    own = Preset.load("other").own_copy()
    assert own.folder == places / "own" / "other"
    assert own.generator_path == own.folder / "generator.safetensors"  # shipped ones may change
    assert sha256_of(own.generator_path) == sha256_of(shared)
    assert (own.folder / "preset.toml").read_text().startswith("# mine\n")


def test_nothing_is_left_of_a_copy_that_breaks_off(places, monkeypatch):
    real = shutil.copytree

    def stopping(*arguments, **options):
        real(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copytree", stopping)
    with pytest.raises(KeyboardInterrupt):
        Preset.load("glassy").own_copy()
    assert list((places / "own").iterdir()) == []
    monkeypatch.setattr(shutil, "copytree", real)
    own = Preset.load("glassy").own_copy()
    assert not (own.folder / "make").exists()
    assert own.pairs.digest == Preset.load(places / "shipped" / "glassy").pairs.digest
    assert [path.name for path in (places / "own").iterdir()] == ["glassy"]


def test_an_unwritable_place_is_reported(places):
    (places / "own").write_text("a file")
    with pytest.raises(UserError, match="cannot copy the shipped preset glassy to "):
        Preset.load("glassy").own_copy()


def test_a_folder_that_hides_a_shipped_preset_is_reported_once(places, monkeypatch, caplog):
    (places / "here").mkdir()
    monkeypatch.chdir(places / "here")
    (places / "here" / "glassy").mkdir()
    assert Preset.load("glassy").folder == places / "shipped" / "glassy"  # the folder is no preset
    assert caplog.messages == []
    make_preset(places / "here" / "glassy")
    for _ in range(2):
        assert Preset.load("glassy").folder == places / "here" / "glassy"
    assert caplog.messages == [
        f"glassy: the folder {places / 'here' / 'glassy'} is used, not the preset of that name in {places / 'shipped'}; "
        "rename the folder, or give a path"
    ]
    assert Preset.load("./glassy/../glassy").folder == places / "here" / "glassy"
