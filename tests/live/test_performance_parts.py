"""Parts of a show: numbers, due times, notices, the hall file."""

import math
import os
import threading
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from live import hall
from live.rate_limit import RateLimit
from live.show.engine import AnalysedTick
from live.show.notices import Notices
from live.show.picture_thread import PaintedImage, same
from live.show.presentation_queue import PresentationQueue
from live.show.silence import SilenceWatch
from live.show.stats import Distribution, Times
from live.show.timing import Timing
from live.sound.channels import Channels
from live.sound.descriptor_input import OscFrames
from live.sound.file_input import FileInput
from live.sound.tape import Tape
from shared.audio.descriptors import DESCRIPTORS
from shared.background import Background
from shared.controls import CONTROLS, defaults
from shared.errors import SettingError, UserError
from shared.picture import Picture
from shared.pipeline import Pipeline, Tick
from shared.preset import Preset
from shared.stage import SAMPLE_RATE
from tests.live.osc_client import until
from tests.small import make_preset, write_sound

VALUES = {name: row.default for name, row in CONTROLS.items() if not row.per_input}


def test_percentiles_are_those_of_the_sorted_values():
    values = np.random.default_rng(0).normal(20, 30, 999)
    distribution = Distribution()
    assert distribution.summary() == {"p50": None, "p95": None, "max": None}
    for value in values:
        distribution.add(float(value))
    for percent in (1, 50, 95, 100):
        exact = np.sort(values)[math.ceil(len(values) * percent / 100) - 1]
        assert distribution.percentile(percent) == pytest.approx(exact, abs=0.11)
    assert distribution.summary()["max"] == pytest.approx(values.max(), abs=0.06)
    assert distribution.recent(50) == pytest.approx(np.median(values[-60:]))
    for value in (-1e9, 1e9):
        distribution.add(value)
    assert distribution.count == 1001


@pytest.mark.usefixtures("unchecked")
def test_the_stages_of_a_picture_add_up_to_its_excess():
    times = Times()
    tick = Tick(3, np.zeros(23), None, "", 0.0)
    picture = PaintedImage(
        np.zeros((2, 2, 3), np.uint8), AnalysedTick(tick, 10.0, 10.001, np.zeros(23), 0.0), 0.02, 0.004, 10.025
    )
    times.add(picture, 9.9, -math.inf, 10.026, 10.029, 0.002)
    times.add(picture, 9.9, 10.1, 10.101, 10.104)  # it had to wait until 10.1
    for distribution, ms in (
        (times.latency, (129, 204)),
        (times.excess, (29, 29)),
        (times.analysis, (1, 1)),
        (times.turn, (4, 4)),
        (times.generator, (20, 20)),
        (times.hand_over, (1, 1)),
        (times.display, (3, 3)),
        (times.copy, (4, 4)),
        (times.swap, (0, 2)),
    ):
        assert [distribution.percentile(percent) for percent in (50, 100)] == pytest.approx(ms, abs=0.11)
    assert times.summary()["stages_ms"].keys() == {"analysis", "turn", "hand_over", "display", "copy", "swap"}


def file_timing(tmp_path, generator_s=0.02):
    source = FileInput(Tape(write_sound(tmp_path / "s.wav", 1.0)), Channels(), None, 0, lambda: 100.0, False)
    source.start()
    pipeline = Pipeline(Preset.load(make_preset(tmp_path / "p")))
    return source, pipeline, Timing(source, pipeline.fps, pipeline.latency, generator_s)


def test_ahead_shows_a_tick_when_its_sound_is_heard_less_the_smoothing(tmp_path):
    source, pipeline, timing = file_timing(tmp_path)
    timing.follow(VALUES)
    smoothing_s = 0.8 / 0.2 * 512 / SAMPLE_RATE  # 46 ms, the mean delay of the leaky integrator
    chain_s = smoothing_s + 0.5 / 30 + pipeline.latency / SAMPLE_RATE + 0.02
    assert timing.lead_s == pytest.approx(chain_s)
    assert source.ahead_samples == round(chain_s * SAMPLE_RATE)
    # heard from time 100 on; the middle of tick 30 is at 30.5 / 30 s
    assert timing.due(30) == pytest.approx(100 + 30.5 / 30 - smoothing_s)
    assert timing.interval_end(30) == pytest.approx(100 + 31 / 30)
    # the last sound that it needs is read in time for the generator
    read_at = 100 + (Fraction(31 * SAMPLE_RATE, 30) + pipeline.latency) / SAMPLE_RATE - timing.lead_s
    assert timing.due(30) - float(read_at) == pytest.approx(0.02)
    timing.measured(0.05)
    assert timing.lead_s == pytest.approx(chain_s + 0.03)
    timing.measured(0.051)
    assert timing.lead_s == pytest.approx(chain_s + 0.03)


@pytest.mark.parametrize(
    ("sync", "advance", "lead"),
    [
        ("natural", 0.0, 0.0),
        ("natural", 100.0, 0.1),
        ("natural", -100.0, -0.1),
        (250.0, 0.0, 0.25),
        (250.0, 50.0, 0.3),
        (900.0, 500.0, 1.0),
    ],
)
def test_sync_and_advance_add_up(tmp_path, sync, advance, lead):
    source, pipeline, timing = file_timing(tmp_path)
    timing.follow(VALUES | {"sync": sync, "advance": advance})
    assert timing.lead_s == pytest.approx(lead)
    assert source.ahead_samples == max(0, round(lead * SAMPLE_RATE))
    ready = 100 + 1 / 30 + pipeline.latency / SAMPLE_RATE + 0.02
    assert timing.due(0) == (-math.inf if lead == 0 else pytest.approx(ready - lead))


def test_smoothing_close_to_one_reads_no_further_than_a_second(tmp_path):
    source, _, timing = file_timing(tmp_path)
    timing.follow(VALUES | {"smoothing": 0.999})
    assert source.ahead_samples == SAMPLE_RATE


def test_without_a_file_pictures_are_shown_when_made_and_never_earlier():
    source = OscFrames(lambda: 50.0)
    source.start()
    timing = Timing(source, Fraction(30), 1000, 0.02)
    for advance, lead in ((0.0, 0.0), (200.0, 0.0), (-200.0, -0.2)):
        timing.follow(VALUES | {"advance": advance})
        assert timing.lead_s == lead
    assert timing.due(0) == pytest.approx(50 + 1 / 30 + 1000 / SAMPLE_RATE + 0.02 + 0.2)


def made(number):
    tick = Tick(number, np.zeros(23), None, "", 0.0)
    return PaintedImage(np.zeros((2, 2, 3), np.uint8), AnalysedTick(tick, 0.0, 0.0, np.zeros(23), 0.0), 0.0, 0.0, 0.0)


@pytest.mark.usefixtures("unchecked")
def test_the_newest_that_is_due_is_shown():
    waiting = PresentationQueue()
    assert waiting.take(5.0) is None
    assert waiting.next_due() == math.inf
    images = [made(number) for number in range(4)]
    for image, due in zip(images, (1.0, 2.0, 3.0, 4.0), strict=True):
        waiting.put(image, due)
    assert waiting.next_due() == 1.0
    assert waiting.take(0.5) is None
    assert waiting.take(2.5) == (2.0, images[1])
    assert waiting.next_due() == 3.0
    assert waiting.take(9.0) == (4.0, images[3])
    assert waiting.take(9.0) is None
    waiting.put(made(4), 20.0)
    waiting.put(made(5), -math.inf)  # `advance` was changed between the two
    assert waiting.take(10.0)[1].analysed.tick.number == 5
    assert waiting.take(30.0) is None  # an older picture never comes after a newer one


def test_equal_pictures_are_not_painted_twice():
    one = Picture("g", np.zeros(3, np.float32), "z", 1.0, 0.0, (0.0, 0.0), 1.0)
    assert same(one, replace(one, latent=one.latent.copy()))
    for other in ({"level": 0.5}, {"rotate": 1.0}, {"latent": np.ones(3, np.float32)}, {"under": one}, {"space": "w"}):
        assert not same(one, replace(one, **other))
    assert same(replace(one, under=one), replace(one, under=replace(one)))


def test_a_repeated_line_is_reported_once_in_a_while():
    notices = Notices()
    for _ in range(3):
        notices.tell("two\nlines", "/ponticello/fade")
    notices.tell("good", wrong=False)
    assert [(notice.line, notice.wrong) for notice in notices.take()] == [
        ("/ponticello/fade: two lines", True),
        ("good", False),
    ]
    notices.tell("two lines", "/ponticello/fade")
    assert notices.take() == []


def test_background_does_jobs_in_their_order_and_survives_them():
    background, happened = Background(), []

    def fail():
        raise MemoryError("too much")

    background.start()
    for number in range(3):
        background.do(fail, happened.append)
        background.do(lambda number=number: lambda: happened.append(number), happened.append)

    def settled():
        for then in background.done():
            then()
        return len(happened) == 6

    assert until(settled)
    background.close()
    assert happened == ["too much", 0, "too much", 1, "too much", 2]


def test_of_jobs_of_one_kind_the_newest_counts():
    background, happened, go = Background(), [], threading.Event()

    def job(name):
        return lambda: lambda: happened.append(name)

    background.start()
    background.do(lambda: (go.wait(10), lambda: None)[1], happened.append)
    for number in range(100):
        background.do(job(f"train {number}"), happened.append, "train")
        background.do(job(f"save {number}"), happened.append, "save")
    background.do(job("other"), happened.append)
    go.set()

    def settled():
        for then in background.done():
            then()
        return happened[-1:] == ["other"]

    assert until(settled)
    background.close()
    assert happened == ["train 99", "save 99", "other"]


def test_jobs_of_a_kind_keep_their_distance_but_not_at_the_end():
    background, starts = Background(), []

    def job():
        starts.append(time.monotonic())
        return lambda: None

    background.start()
    for count in (1, 2):
        background.do(job, starts.append, "save", every_s=0.3)
        assert until(lambda count=count: len(starts) == count)
    assert starts[1] - starts[0] >= 0.3
    background.do(job, starts.append, "save", every_s=1000.0)
    background.close()
    assert len(starts) == 3


def test_a_rate_limit_lets_a_burst_pass_and_then_a_steady_stream():
    now = [0.0]
    limit = RateLimit(20, lambda: now[0])
    assert [limit.allow() for _ in range(30)].count(True) == 20
    passed = 0
    for _ in range(2000):
        now[0] += 0.001
        passed += limit.allow()
    assert passed in (39, 40)


def test_notices_are_limited_and_escaped():
    notices = Notices()
    for number in range(100):
        notices.tell(f"line {number} \x1b[2J", "/ponticello/\x07")
    lines = [notice.line for notice in notices.take()]
    assert 20 <= len(lines) <= 25
    assert lines[0] == "/ponticello/\\x07: line 0 \\x1b[2J"


@pytest.mark.parametrize(("peak", "is_reported"), [(0.0, True), (2.0**-16, True), (0.01, False)])
def test_a_silent_input_is_reported_once_after_five_seconds(peak, is_reported):
    notices = Notices()
    watch = SilenceWatch(OscFrames(), notices)
    for second in range(12):
        watch.take(np.full(SAMPLE_RATE, peak, np.float32))
        assert bool(notices.take()) == (is_reported and second == 4)


def test_a_hall_file_is_read_and_written(tmp_path):
    file = tmp_path / "hall.toml"
    file.write_text("input = 'Scarlett'\nchannel = 2\nrate = 48000\ngain = 6\nsync = 120\n", "utf-8")
    read = hall.read(file)
    assert read.options == {"input": "Scarlett", "channel": "2", "rate": "48000"}
    assert read.controls == {"gain": 6.0, "sync": 120.0}
    hall.save(file, {**defaults(()), "gain": -3.0, "gate": -50.0})
    again = hall.read(file)
    assert again.options == read.options
    other = {name: CONTROLS[name].default for name in hall.TECHNICAL}
    assert again.controls == {**other, "gain": -3.0, "gate": -50.0}
    hall.save(tmp_path / "new.toml", defaults(()))
    assert hall.read(tmp_path / "new.toml").controls == {name: CONTROLS[name].default for name in hall.TECHNICAL}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gian = 3", "unknown key 'gian'; allowed are: input, output"),
        ("gain = 99", "gain = 99 given; allowed is a number from -60 to 60 dB"),
        ("smoothing = 0.5", "unknown key 'smoothing'"),
        ("channel = [1]", "channel = [1] given"),
        ("gain = ", "cannot be read"),
    ],
)
def test_a_wrong_hall_file_is_reported(tmp_path, text, message):
    file = tmp_path / "hall.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(SettingError) as error:
        hall.read(file)
    assert message in str(error.value)
    assert str(file) in str(error.value)


def test_a_hall_file_is_saved_by_bare_name_in_its_folder_only(tmp_path):
    file = tmp_path / "cellar.toml"
    file.write_text("gain = 3\n", "utf-8")
    (tmp_path / "loft").mkdir()
    in_use, folder, none = hall.read(file), hall.open_place(tmp_path / "loft"), hall.Hall()
    assert in_use.file_named(None) == file
    assert in_use.file_named("loft") == in_use.file_named("loft.toml") == tmp_path / "loft.toml"
    assert folder.file_named("Großer Saal") == tmp_path / "loft" / "Großer Saal.toml"
    for room, name in ((folder, None), (none, None), (none, "cellar")):
        with pytest.raises(SettingError, match="--hall"):
            room.file_named(name)
    wrong = (
        "../a",
        "/tmp/a.toml",
        "a/b",
        "..",
        ".",
        ".hidden",
        "a\\b",
        "a\0",
        "a\n",
        "C:a",
        "~",
        "a.toml.toml",
        "a.txt",
        "x" * 200,
    )
    for name in wrong:
        with pytest.raises(SettingError, match="allowed is a bare name"):
            in_use.file_named(name)


@pytest.mark.parametrize(
    "text", ["version = 1\ninputs = ['pitch']\n", "[project]\nname = 'x'\n", "not toml at all", "gain = 99"]
)
def test_a_file_that_is_no_hall_file_is_never_overwritten(tmp_path, text):
    file = tmp_path / "preset.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(SettingError):
        hall.save(file, defaults(()))
    assert file.read_text("utf-8") == text
    os.mkfifo(tmp_path / "fifo.toml")
    with pytest.raises(SettingError, match="not a regular file"):
        hall.save(tmp_path / "fifo.toml", defaults(()))


def test_options_of_a_sound_check_are_added_to_a_hall_file(tmp_path):
    file = tmp_path / "hall.toml"
    file.write_text(
        "# the cellar\ndisplay = 1\n[scaler]  # of June\n" + "".join(f"{n} = [0.0, 1.0]\n" for n in DESCRIPTORS),
        "utf-8",
    )
    hall.save(file, {"gain": 2.0}, options={"input": "Scarlett", "channel": "1+2", "rate": 48000})
    room = hall.read(file)
    assert room.options == {"display": "1", "input": "Scarlett", "channel": "1+2", "rate": "48000"}
    assert room.controls == {"gain": 2.0}
    assert file.read_text("utf-8").startswith("# the cellar")


def test_nothing_but_a_hall_file_is_written(tmp_path):
    for name in ("notes.txt", "folder/hall.toml"):
        with pytest.raises(UserError):
            hall.save(tmp_path / name, defaults(()))
    assert not list(tmp_path.iterdir())
