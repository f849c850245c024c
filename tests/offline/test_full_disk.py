"""A full disk: one line that says what to do, and everything as it was before, in every command that writes."""

import errno
import importlib
import os
import shutil
from pathlib import Path

import pytest
import typer

from offline.pairing.session import Pairing
from shared.errors import PonticelloError, one_line
from shared.preset import Preset
from tests.small import make_preset, make_unpaired, write_sound

pytestmark = pytest.mark.slow

REFERENCE = Path(__file__).parents[1] / "reference" / "stylegan3" / "t64.pkl"
COMMANDS = {
    "new": ("offline.new", "new -g p"),
    "new --copy": ("offline.new", "new -g p --copy"),
    "analyse to a table": ("offline.corpus.analyse", "a.wav -o a.csv"),
    "analyse to an array": ("offline.corpus.analyse", "a.wav -o a.npz"),
    "analyse many": ("offline.corpus.analyse", "a.wav --csv ."),
    "analyse into a preset": ("offline.corpus.analyse", "p a.wav"),
    "analyse into a preset, with a copy": ("offline.corpus.analyse", "p a.wav --copy"),
    "candidates": ("offline.candidates.command", "p -n 3"),
    "candidates --keep": ("offline.candidates.command", "u --keep 1"),
    "pair place": ("offline.pairing.command", "place u 1 0.3 0.4"),
    "pair auto": ("offline.pairing.command", "auto u kmeans --count 4"),
    "pair undo": ("offline.pairing.command", "undo u"),
    "train": ("offline.train", "u"),
    "convert": ("offline.convert", "t64.pkl -o g.safetensors"),
    "render": ("offline.rendering.render", "p a.wav -o f.mkv"),
    "render to pictures": ("offline.rendering.render", "p a.wav -o pictures"),
    "render --hashes": ("offline.rendering.render", "p a.wav -o f.mkv --hashes h.csv"),
}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("material")
    make_preset(folder / "p")
    make_unpaired(folder / "u")
    Pairing(Preset.load(folder / "u")).auto("kmeans", 9)
    write_sound(folder / "a.wav", 0.6)
    shutil.copyfile(REFERENCE, folder / "t64.pkl")
    return folder


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_so_in_one_line_and_leaves_the_rest_as_it_was(command, material, tmp_path, monkeypatch):
    shutil.copytree(material, tmp_path / "m")
    monkeypatch.chdir(tmp_path / "m")
    before = files(tmp_path / "m")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    for refusing in ("os.fsync", "shutil.copyfile", "pathlib.Path.write_text"):
        monkeypatch.setattr(refusing, full)
    module, arguments = COMMANDS[command]
    app = typer.main.get_command(importlib.import_module(module).app)
    with pytest.raises(PonticelloError) as caught:
        app(arguments.split(), standalone_mode=False)
    line = one_line(caught.value)
    assert "the disk is full; free some space" in line
    assert caught.value.exit_status == 1
    after = {name: kept for name, kept in files(tmp_path / "m").items() if ".parts" not in str(name)}  # for --resume
    assert after == before
    assert os.listdir(tmp_path / "m").count("new") == 0
