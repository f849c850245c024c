"""The shape of a show's pictures: asked for, taken from the window, chosen by measuring, changed while playing."""

import os
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from live.display.base import OffscreenDisplay
from live.show.picture_shape import SETTLED_S, PictureShape, first_shape, window_shape
from offline.rendering.hashes import Hashes
from offline.rendering.render import Job, render
from shared.preset import Preset
from shared.recording.reader import Recording
from tests import rig
from tests.live.osc_client import until
from tests.live.shows import show
from tests.small import make_preset, write_sound

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


class Window(OffscreenDisplay):
    """A display with an area of any size."""

    def __init__(self, area):
        super().__init__()
        self.size = area

    @property
    def area(self):
        return self.size


@pytest.mark.parametrize(
    ("area", "shape"),
    [
        ((1920, 1080), "16:9"),
        ((1080, 1920), "9:16"),
        ((512, 512), "square"),
        ((1366, 683), "2:1"),
        ((0, 0), "square"),
        ((40000, 16), "16:1"),
        ((3, 900), "1:16"),
    ],
)
def test_the_shape_of_a_window(area, shape):
    assert window_shape(Window(area)) == shape


def test_a_shape_that_is_asked_for_is_kept_however_long_it_takes():
    slow = {"16:9": "16:9", "square": "square", "window": "2:1"}
    for wanted, drawn in slow.items():
        assert first_shape(wanted, Window((200, 100)), lambda _: 9.0, 30) == (wanted, drawn, "")


@pytest.mark.parametrize(
    ("per_area", "chosen"), [(0.01, "2:1"), (0.017, "3:2"), (0.021, "4:3"), (0.026, "square"), (1.0, "square")]
)
def test_auto_takes_the_widest_shape_that_is_fast_enough_and_reports_it(per_area, chosen):
    value, drawn, line = first_shape("auto", Window((200, 100)), lambda aspect: per_area * float(aspect), 30)
    assert value == drawn == chosen
    assert line.startswith(f"shape auto: {chosen} was chosen (a picture takes: 2:1 {per_area * 2000:.0f} ms")


def test_auto_in_a_tall_window():
    value, *_ = first_shape("auto", Window((100, 200)), lambda aspect: 0.02 * float(1 / aspect), 30)
    assert value == "2:3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("show")
    make_preset(folder / "a")
    write_sound(folder / "s.wav", 2.5)
    return folder


def test_a_show_changes_its_shape_and_its_recording_keeps_it(folder, tmp_path):
    recording = tmp_path / "take"
    with show(
        [folder / "a"], folder / "s.wav", tmp_path, loop=True, record=recording, controls={"shape": "2:1"}
    ) as playing:
        playing.until_tick(8)
        assert playing.display.picture.shape == (16, 32, 3)
        assert playing.ask("shape") == "2:1"
        playing.client.send("shape", "9:18")
        assert until(lambda: playing.display.picture.shape == (32, 16, 3), 5)
        assert playing.ask("shape") == "1:2"
        playing.client.send("shape", "window")
        assert until(lambda: playing.display.picture.shape == (16, 16, 3), 5)
        playing.client.send("shape", "17:1")
        assert "allowed are square, window, auto or a ratio" in playing.hear("error")[2]
        playing.until_tick(playing.ticks + 5)
    kept = Hashes()
    job = Job(Preset.load(folder / "a"), recording)
    render(job, tmp_path / "film.mkv", log=kept)
    again = dict(kept.rows)
    assert len(playing.hashes) > 10
    assert playing.hashes.items() <= again.items()
    assert Recording(recording, job.preset).aspect_at(0) == 2
    assert Recording(recording, job.preset).aspect_at(10**7) == 1


class Library:
    """Stands for a preset library: notes what it prepares."""

    def __init__(self):
        self.prepared = []

    def prepare(self, aspect):
        self.prepared.append(aspect)


class Context:
    """Stands for a show's context: jobs run at once, changes are noted."""

    class Lanes:
        loading = None

    def __init__(self):
        self.lanes, self.engine, self.changes = self.Lanes(), self, []

    def run(self, lane, call, work, kind="", every_s=0):
        work()()

    def change(self, name, value, arrived):
        self.changes.append((name, value))


@pytest.mark.usefixtures("unchecked")
def test_the_window_is_followed_once_it_has_settled():
    context, library, window = Context(), Library(), Window((200, 100))
    shape = PictureShape(context, library, window, "window", "2:1")
    for now in (0.0, 1.0, 2.0):
        shape.step(now)
    assert context.changes == []
    for now, size in ((3.0, (300, 100)), (3.3, (400, 100)), (3.6, (400, 100)), (3.9, (400, 100)), (9.0, (400, 100))):
        window.size = size
        shape.step(now)
    assert context.changes == [("shape", "4:1")]
    assert library.prepared == [Fraction(4)]
    window.size = (0, 0)  # minimised
    shape.step(20.0)
    shape.step(30.0)
    shape.change("16:9")
    window.size = (100, 100)
    shape.step(40.0)
    shape.step(50.0)
    assert context.changes == [("shape", "4:1"), ("shape", "16:9")]


def xdotool(screen, *arguments):
    done = subprocess.run(
        ["xdotool", *map(str, arguments)], env={**os.environ, **screen}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_real_window_that_is_resized_moved_and_fills_the_screen(folder, tmp_path):
    rig.require("openbox", "xdotool")
    recording, hashes = tmp_path / "take", tmp_path / "hashes.csv"
    program = [sys.executable, str(ROOT / "ponticello.py"), "live", str(folder / "a"), "--input", str(folder / "s.wav")]
    options = ["--loop", "--no-play", "--osc-port", "0", "--record", str(recording), "--hashes", str(hashes)]

    def shapes():
        """The shapes that the recording has got so far."""
        log = recording / "log.jsonl"
        return re.findall(r'"name":"shape","value":"([^"]+)"', log.read_text("utf-8")) if log.is_file() else []

    with (
        rig.xvfb("1280x720") as screen,
        rig.Program(["openbox"], screen),
        rig.Program([*program, *options, "--shape", "window"], screen) as playing,
    ):
        playing.expect("plays:", 90)
        (window,) = xdotool(screen, "search", "--sync", "--onlyvisible", "--name", "^Ponticello$")
        for act, shape in (
            (("windowsize", "--sync", window, 300, 600), "1:2"),
            (("windowmove", window, 700, 60), None),
            (("windowsize", "--sync", window, 600, 200), "3:1"),
            (("key", "--window", window, "f"), "16:9"),
        ):
            before = len(shapes())
            xdotool(screen, *act)
            if shape is None:
                time.sleep(2 * SETTLED_S)
                assert shapes()[before:] == []
            else:
                assert until(lambda shape=shape: shapes()[-1:] == [shape], 10), shapes()
        time.sleep(0.5)  # some pictures of the last shape
        playing.process.send_signal(signal.SIGTERM)
        assert playing.wait() == 0, playing.output()
    kept = Hashes()
    render(Job(Preset.load(folder / "a"), recording), tmp_path / "film.mkv", log=kept)
    shown = dict(line.split(",") for line in hashes.read_text("utf-8").splitlines()[1:])
    again = {str(tick): digest for tick, digest in kept.rows}
    assert len(shown) > 30
    assert shown.items() <= again.items()
