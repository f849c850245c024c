"""Messages that would harm: paths, floods, a training that never ends. The show goes on, and nothing is given away."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from live import hall
from shared.pipeline.exchanges import UseMapping
from shared.preset import Preset
from shared.recording.reader import Recording
from tests import rig
from tests.live.osc_client import Client, until
from tests.live.shows import show
from tests.small import make_preset, write_sound

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LONG = "version = 1\n[training]\nepochs = 1000000\n"


@pytest.fixture
def sound(tmp_path):
    return write_sound(tmp_path / "s.wav", 1.0)


def answers(client):
    """Whether a ping is answered soon."""
    client.send("ping")
    return any((client.hear(0.5) or [""])[0] == "pong" for _ in range(50))


def error(playing, address):
    """The text of the next error for an address."""
    while True:
        heard = playing.hear("error")
        if heard[1] == f"/ponticello/{address}":
            return heard[2]


def test_a_hall_is_saved_nowhere_but_in_its_folder(tmp_path, sound):
    folder = make_preset(tmp_path / "mine")
    before = (folder / "preset.toml").read_text("utf-8")
    room = tmp_path / "halls"
    room.mkdir()
    (room / "cellar.toml").write_text("gain = 3.0\n", "utf-8")
    (room / "preset.toml").write_text(before, "utf-8")
    with show([folder], sound, tmp_path, loop=True, hall=hall.read(room / "cellar.toml")) as playing:
        playing.until_tick(2)
        for name in (str(folder / "preset.toml"), "../mine/preset.toml", "/tmp/new.toml", "a/b"):
            playing.client.send("hall/save", name)
            assert "allowed is a bare name" in error(playing, "hall/save")
        playing.client.send("hall/save", "preset")
        assert "unknown key 'version'" in error(playing, "hall/save")
        playing.client.send("gate", -45)
        playing.client.send("hall/save", "loft")
        assert until((room / "loft.toml").is_file, 10)
        playing.client.send("hall/save")
        assert until(lambda: "gate = -45" in (room / "cellar.toml").read_text("utf-8"), 10)
    assert (folder / "preset.toml").read_text("utf-8") == before == (room / "preset.toml").read_text("utf-8")
    assert hall.read(room / "loft.toml").controls["gate"] == -45
    assert sorted(path.name for path in room.iterdir()) == ["cellar.toml", "loft.toml", "preset.toml"]


def test_without_a_hall_nothing_is_saved(tmp_path, sound):
    with show([make_preset(tmp_path / "mine")], sound, tmp_path) as playing:
        playing.client.send("hall/save")
        assert "no hall file is in use" in error(playing, "hall/save")
        playing.client.send("hall/save", "cellar")
        assert "no folder for hall files" in error(playing, "hall/save")


def test_presets_are_called_by_name_and_all_else_gets_one_answer(tmp_path, sound, own):
    make_preset(own / "night", seed=2)
    folder, other = make_preset(tmp_path / "mine"), make_preset(tmp_path / "hidden", seed=1)
    paths = [
        str(other),
        str(folder),
        "/etc/passwd",
        "/root",
        "/no/such",
        str(tmp_path / "s.wav"),
        "..",
        ".",
        "~",
        "../hidden",
        "night/",
    ]
    with show([folder], sound, tmp_path, loop=True) as playing:
        playing.until_tick(2)
        answers = set()
        for path in paths:
            playing.client.send("preset", path)
            answers.add(error(playing, "preset").replace(path, "PATH", 1))
            time.sleep(0.35)  # requests that wait are replaced
        assert len(answers) == 1
        assert answers.pop().startswith("no preset 'PATH'; give the name of one of your own, or: mine, ")
        playing.client.send("preset", "night")
        assert until(lambda: playing.ask("preset") == "night", 10)


def test_a_hundred_trainings_do_not_delay_a_preset(tmp_path, sound, capsys):
    folder, other = make_preset(tmp_path / "mine", toml=LONG), make_preset(tmp_path / "other", seed=1)
    with show([folder, other], sound, tmp_path, loop=True) as playing:
        playing.until_tick(2)
        for _ in range(100):
            playing.client.send("train")
        playing.client.send("preset", 2)
        assert until(lambda: playing.ask("preset") == "other", 20)  # a million epochs take minutes
        playing.client.send("train")  # of this one: the one before is stopped, and this one is done
        assert until(lambda: any(isinstance(change, UseMapping) for _, change in playing.asked), 60)
        playing.until_tick(playing.ticks + 5)
    err = capsys.readouterr().err
    assert "training of mine stopped" in err
    assert "trained: 6 pairs" in err


def test_a_flood_of_pairs_and_saves_is_held_back(tmp_path, sound):
    folder = make_preset(tmp_path / "mine")
    with show([folder], sound, tmp_path, loop=True) as playing:
        playing.until_tick(5)
        for number in range(3000):
            playing.client.send("pair")
            playing.client.send("save")
            if number % 50 == 0:
                time.sleep(0.02)
        assert "more than 20 pairs a second" in error(playing, "pair")
        assert until(lambda: answers(playing.client), 20)
        playing.until_tick(playing.ticks + 5)
    assert playing.numbers["pictures"] > 3
    assert len(list((folder / "history").glob("pairs-*"))) < 100
    assert 6 < len(Preset.load(folder).pairs) < 1000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_show_in_the_middle_of_a_long_training(tmp_path, sound, number):
    folder = make_preset(tmp_path / "mine", toml=LONG)
    live = [sys.executable, str(ROOT / "ponticello.py"), "live", str(folder), "--input", str(sound), "--no-play"]
    options = ["--loop", "--offscreen", "--osc-port", "0", "--record", str(tmp_path / "r")]
    with rig.Program([*live, *options, "--stats", str(tmp_path / "stats.json")], {}) as program:
        port = int(program.expect("plays:", 90).split("OSC port ")[1].split(";")[0])
        with Client(port) as client:
            for name in ("pair", "train"):
                time.sleep(1)
                client.send(name)
            program.expect("training mine")
            time.sleep(0.2)
            program.process.send_signal(number)
            assert program.wait(30) == 0, program.output()
        assert "unsaved pairs and training are kept in" in program.output()
    assert '"line":"end"' in (tmp_path / "r" / "log.jsonl").read_text("utf-8").splitlines()[-1]
    assert not Recording(tmp_path / "r", Preset.load(folder)).remarks  # whole
    assert json.loads((tmp_path / "stats.json").read_text("utf-8"))["ticks"] > 0
