"""The studio as a program on a screen with a window manager, used by mouse and keys."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from offline.new import new
from offline.pairing.session import Pairing
from offline.train import train
from shared.preset import Preset
from shared.preset.learned import LearnedMapping
from tests import rig
from tests.small import write_generator, write_sound
from tests.studio.parts import make_studio_preset

pytestmark = pytest.mark.slow

pytest.importorskip("PySide6", reason="the studio window needs PySide6")
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "ponticello.py"), "studio"]
TRAY, ACROSS = (40, 100), 64  # the first candidate of the tray in a window of 1280 x 720, and the next one
MAP = (595, 300)
SECONDS = 100.0  # a generous limit, which only a hang exceeds


@pytest.fixture(scope="module")
def screen():
    with rig.xvfb("1920x1200") as variables:
        rig.require("openbox", "xdotool")
        with rig.Program(["openbox"], variables):
            yield variables


@pytest.fixture
def home(tmp_path):
    """Folders of a new user."""
    memory = tmp_path / "state" / "ponticello"
    memory.mkdir(parents=True)
    (memory / "studio.json").write_text('{"hints_seen": true}')
    return {
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HOME": str(tmp_path),
        "QT_QPA_PLATFORM": "xcb",
    }


class Hand:
    """A window of the studio and the hand that moves mouse and keys in it."""

    def __init__(self, program, variables, title):
        self.program, self._variables = program, variables
        self.number = self.do("search", "--sync", "--onlyvisible", "--name", title).splitlines()[0]
        self.do("windowactivate", "--sync", self.number)

    def do(self, *words):
        done = subprocess.run(
            ["xdotool", *map(str, words)], env={**os.environ, **self._variables}, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        return done.stdout.strip()

    def size(self, width, height):
        self.do("windowsize", "--sync", self.number, width, height)
        time.sleep(0.5)

    def move(self, place):
        self.do("mousemove", "--window", self.number, *place)

    def drag(self, start, end, let_go=True):
        self.keys("Escape")  # a message would push everything down
        time.sleep(0.5)
        self.move(start)
        self.do("mousedown", 1)
        for part in np.linspace(0, 1, 8)[1:]:
            self.move([round(a + (b - a) * part) for a, b in zip(start, end, strict=True)])
            time.sleep(0.03)
        if let_go:
            self.do("mouseup", 1)

    def keys(self, *names):
        for name in names:
            self.do("key", name)
            time.sleep(0.1)

    def write(self, text):
        self.do("type", "--delay", 5, text)

    def window(self, title):
        """Wait for another window, such as a dialog."""
        self.do("search", "--sync", "--onlyvisible", "--name", title)
        time.sleep(0.3)

    def close(self):
        self.keys("ctrl+q")
        return self.program.wait(SECONDS)


@contextmanager
def studio(screen, home, *arguments, title="Ponticello studio", **more):
    variables = {**screen, **home, **more}
    with rig.Program([*COMMAND, *map(str, arguments)], variables) as program:
        yield Hand(program, variables, title)


def until(condition, seconds=SECONDS):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except Exception:  # a file that is not there yet
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline
        time.sleep(0.1)


def names(folder):
    return Preset.load(folder).pairs.names


def is_learned(folder):
    preset = Preset.load(folder)
    return LearnedMapping.load(folder / "mapping.safetensors").pairs_digest == preset.pairs.digest


def test_without_a_display_it_is_one_line(home):
    variables = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(COMMAND, env={**variables, **home}, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no display" in done.stderr


def test_without_qt_it_says_how_to_install_it(home):
    code = "import sys; sys.modules['PySide6'] = None; sys.argv = ['ponticello', 'studio']; import ponticello; ponticello.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **home}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'ponticello[studio]'" in done.stderr


def test_an_afternoon(screen, home, tmp_path):
    """New, sound, candidates, scrub, three images, undo, redo, train, play, colour; reopened it is the same."""
    song = write_sound(tmp_path / "song.wav", 3.0)
    write_generator(tmp_path / "generator.safetensors")
    folder = tmp_path / "mine"
    new(folder, tmp_path / "generator.safetensors")
    with studio(screen, home, folder, title="mine - Ponticello studio") as hand:
        hand.size(1280, 720)
        hand.keys("ctrl+shift+a")
        hand.window("Add sounds")
        hand.write(str(song))
        hand.keys("Return", "Return")  # the first one takes what the dialog proposes
        until(lambda: Preset.load(folder).has_corpus)
        hand.keys("ctrl+shift+m")
        hand.window("Make candidates")
        hand.write("12")
        hand.keys("Return")
        until(lambda: len(Preset.load(folder).candidates) == 12)
        time.sleep(1)
        hand.drag((MAP[0] - 150, MAP[1] + 60), (MAP[0] + 150, MAP[1] - 60))  # hear it
        for number, offset in enumerate((-90, 0, 90)):
            start = TRAY[0] + ACROSS * number, TRAY[1]
            hand.drag(start, (MAP[0] + offset, MAP[1] + offset // 2))
            until(lambda number=number: len(names(folder)) == number + 1)
        placed = names(folder)
        hand.keys("ctrl+z")
        until(lambda: names(folder) == placed[:2])
        hand.keys("ctrl+shift+z")
        until(lambda: names(folder) == placed)
        until(lambda: is_learned(folder))
        hand.keys("space", "1", "ctrl+2")
        time.sleep(1)
        hand.keys("space")
        assert hand.close() == 0
    before = Preset.load(folder)
    with studio(screen, home, folder, title="mine - Ponticello studio") as hand:
        assert hand.close() == 0
    after = Preset.load(folder)
    assert after.pairs.names == placed
    assert after.digest == before.digest


def test_play_live_starts_a_show_that_goes_on_without_the_window(screen, home, tmp_path):
    folder = make_studio_preset(tmp_path / "piece")
    Pairing(Preset.load(folder), draws=False).at("1", 0.5)
    train(Preset.load(folder))
    with rig.jack() as sound, studio(screen, home, folder, title="piece - Ponticello studio", **sound) as hand:
        hand.keys("ctrl+5", "ctrl+l")
        show = hand.do("search", "--sync", "--onlyvisible", "--name", "^Ponticello$").splitlines()[0]
        hand.do("windowactivate", "--sync", hand.number)
        assert hand.close() == 0
        assert "Traceback" not in hand.program.output()
        assert hand.do("search", "--onlyvisible", "--name", "^Ponticello$") == show
        hand.do("windowactivate", "--sync", show)
        hand.keys("shift+Escape")
        until(lambda: not hand.do("search", "--name", "^Ponticello$"))


def test_a_kill_while_dragging_loses_nothing_older(screen, home, tmp_path):
    folder = make_studio_preset(tmp_path / "piece")
    with studio(screen, home, folder, title="piece - Ponticello studio") as hand:
        hand.size(1280, 720)
        time.sleep(1)
        hand.drag(TRAY, MAP)
        until(lambda: len(names(folder)) == 1)
        hand.drag((TRAY[0] + ACROSS, TRAY[1]), MAP, let_go=False)
        os.kill(hand.program.process.pid, signal.SIGKILL)
        hand.program.wait()
        hand.do("mouseup", 1)
    assert len(names(folder)) == 1
    assert not [path for path in folder.rglob("*") if ".tmp" in path.name]


@pytest.mark.parametrize("scale", [1.5, 2])
def test_on_a_dense_screen_and_closed_while_it_trains(screen, home, tmp_path, scale):
    folder = make_studio_preset(tmp_path / "piece")
    with studio(screen, home, folder, title="piece - Ponticello studio", QT_SCALE_FACTOR=str(scale)) as hand:
        hand.size(1900, 1130)
        time.sleep(1)
        hand.drag([round(scale * value) for value in TRAY], [900, 450])
        until(lambda: len(names(folder)) == 1)
        assert hand.close() == 0
        assert "Traceback" not in hand.program.output()
    assert len(names(folder)) == 1
