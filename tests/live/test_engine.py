"""The engine with a source that the test controls, and its ticks."""

import math
import threading
from itertools import pairwise

import numpy as np
import pytest

from live.show.engine import Engine
from live.show.notices import Notices
from live.show.recorder import Recorder
from live.sound.source import FrameBlock, Source
from shared.audio.framing import tail
from shared.mapping.decimation import ticks_within
from shared.pipeline import Pipeline
from shared.preset import Preset
from shared.recording.reader import Recording
from shared.stage import HOP, SAMPLE_RATE
from tests.live.osc_client import until
from tests.small import make_preset, sound

pytestmark = pytest.mark.slow


class Hand(Source):
    """Delivers the test's samples; sample s is at the microphone at second s / 44100."""

    def __init__(self):
        super().__init__("hand", lambda: 0.0)
        self._given = []
        self._lock = threading.Lock()

    def put(self, *samples):
        with self._lock:
            self._given += [self._block(each) for each in samples]

    def put_frames(self, frames):
        with self._lock:
            self._given.append(FrameBlock(self.position, frames))
            self.position += len(frames) * HOP

    def start(self):
        pass

    def close(self):
        pass

    def read(self, timeout=0.0):
        with self._lock:
            given, self._given = self._given, []
        if not given:
            threading.Event().wait(0.002)
        return given

    def sample_at(self, time):
        return time * SAMPLE_RATE

    def time_of(self, sample):
        return sample / SAMPLE_RATE


class FramesHand(Hand):
    gives = "frames"


class Running:
    """An engine at work, and the ticks it has handed on."""

    def __init__(self, preset, source):
        self.source, self.handed, self.notices = source, [], Notices()
        self.pipeline = Pipeline(preset)
        self.engine = Engine(self.pipeline, source, self.handed.append, self.notices)
        self.engine.start()

    def hear(self, *samples):
        """Put sound in, and wait until it has been analysed."""
        self.source.put(*samples)
        wanted = self.source.position
        assert until(lambda: self.pipeline.samples == wanted, 10)

    @property
    def pictures(self):
        return [handed.tick.picture for handed in self.handed]


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return Preset.load(make_preset(tmp_path_factory.mktemp("preset") / "p"))


@pytest.fixture
def running(preset):
    made = Running(preset, Hand())
    yield made
    made.engine.close()


def test_the_level_meter_follows_in_ten_hops(running):
    assert running.engine.level_db == pytest.approx(-160)
    for hops in (1, 9, 90):
        running.hear(np.full(hops * HOP, 0.5, np.float32))
        heard = running.pipeline.samples // HOP
        assert running.engine.level_db == pytest.approx(10 * math.log10(0.25 * (1 - 0.9**heard)), abs=1e-6)


def test_ticks_carry_the_state_at_their_time(running, preset):
    samples = sound(0.5)[:, 0]
    running.hear(samples)
    ticks = Pipeline(preset).process(samples)
    assert [handed.tick.number for handed in running.handed] == [tick.number for tick in ticks]
    assert running.engine.ticks == len(ticks)
    assert running.engine.frames == running.pipeline.frames
    assert running.engine.gate_open
    latents = [tick.picture.latent for tick in ticks]
    speeds = [0.0, *(30 * float(np.linalg.norm(b - a)) for a, b in pairwise(latents))]
    assert [handed.latent_speed for handed in running.handed] == pytest.approx(speeds)
    assert all(handed.arrived <= handed.ready for handed in running.handed)
    assert len({handed.descriptors.tobytes() for handed in running.handed}) == len(ticks)  # per hop, not per block


def test_the_last_tick_comes_when_the_show_ends_as_in_a_render(running, preset):
    samples = sound(0.6)[:22100, 0]
    running.hear(samples)
    before = len(running.handed)
    running.engine.close()
    assert len(running.handed) == running.engine.ticks == ticks_within(len(samples), running.pipeline.fps) > before
    whole = Pipeline(preset)
    expected = whole.process(samples) + whole.process(np.zeros(tail(len(samples)), np.float32))
    assert [h.tick.picture.latent.tobytes() for h in running.handed] == [
        tick.picture.latent.tobytes() for tick in expected[: len(running.handed)]
    ]


def test_a_change_acts_on_the_sample_that_sounded_when_it_arrived(running):
    running.engine.change("rotate", 30.0, 1470 * 7 / SAMPLE_RATE)
    running.engine.change("rotate", 40.0, 1470 * 3 / SAMPLE_RATE)  # asked later: acts no earlier than the one before
    running.hear(sound(0.5)[:, 0])
    assert [picture.rotate for picture in running.pictures[:8]] == [0.0] * 6 + [40.0] * 2


def test_a_change_from_a_clock_that_runs_ahead_acts_within_a_second(running):
    running.hear(sound(0.1)[:, 0])
    running.engine.change("rotate", 30.0, 1000.0)
    running.hear(sound(1.5)[:, 0])
    first = next(handed.tick.number for handed in running.handed if handed.tick.picture.rotate)
    assert first == math.ceil((4410 + SAMPLE_RATE) / 1470) - 1


def test_a_change_that_is_not_allowed_is_reported_and_the_show_goes_on(running):
    running.engine.change("smoothing", 7.0, 0.0)
    running.hear(sound(0.2)[:, 0])
    (notice,) = running.notices.take()
    assert "smoothing" in notice.text
    assert running.handed


def test_a_failing_listener_does_not_stop_the_sound(running):
    heard = []
    running.engine.listener = heard.append
    running.hear(sound(0.1)[:, 0])
    assert sum(len(block.samples) for block in heard) == 4410

    def fail(block):
        raise ValueError("no\nreason")

    running.engine.listener = fail
    running.source.put(sound(0.1)[:, 0])
    notices = []
    assert until(lambda: notices.extend(running.notices.take()) or notices, 10)
    assert notices[0].text == "analysis: no reason; the show goes on with the next sound"
    running.engine.listener = None
    before = len(running.handed)
    running.source.put(sound(0.2)[:, 0])
    assert until(lambda: len(running.handed) > before, 10)


def test_what_fails_at_the_end_is_reported_and_the_thread_ends(running, tmp_path, monkeypatch):
    recorder = Recorder(tmp_path / "r", {}, running.notices)
    running.engine.record(recorder)
    running.hear(sound(0.6)[:22100, 0])

    def fail(*_):
        raise ValueError("no reason")

    running.engine.listener = fail  # of the zeros that complete the last frame
    monkeypatch.setattr(recorder, "end", fail)
    running.engine.close()  # pytest reports what escapes a thread
    texts = [notice.text for notice in running.notices.take()]
    assert texts == [
        "the last tick: no reason; the show ends without it",
        "recording: no reason; it has no end mark",
    ]
    recorder.wait()


def test_a_recorder_that_cannot_begin_and_a_change_that_fails_leave_the_show_as_it_is(running, tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("no reason")

    running.hear(sound(0.1)[:, 0])
    recorder = Recorder(tmp_path / "r", {}, running.notices)
    monkeypatch.setattr(recorder, "begin", fail)
    running.engine.record(recorder)
    monkeypatch.setattr(running.pipeline, "schedule", fail)
    running.engine.change("rotate", 30.0, 0.0)
    before = len(running.handed)
    running.hear(sound(0.2)[:, 0])
    assert len(running.handed) > before
    texts = [notice.text for notice in running.notices.take()]
    assert texts == ["recording: no reason; the show goes on without it", "no reason"]
    recorder.wait()


def test_frames_from_elsewhere_are_handed_on_one_by_one(preset):
    running = Running(preset, FramesHand())
    frames = np.random.default_rng(0).standard_normal((30, 23)) * 100
    frames[:, 22] = -20.0
    running.source.put_frames(frames)
    assert until(lambda: running.pipeline.frames == 30, 10)
    running.engine.close()
    assert len(running.handed) == len(Pipeline(preset).process_frames(frames))
    assert running.handed[-1].descriptors.tobytes() in {frame.tobytes() for frame in frames}


def test_a_recording_ends_with_the_show_and_replays_it(running, preset, tmp_path):
    recorder = Recorder(tmp_path / "r", {}, running.notices)
    running.engine.record(recorder)
    running.engine.change("rotate", 30.0, 0.2)
    running.hear(sound(0.5)[:, 0])
    running.engine.close()
    recorder.wait()
    recording = Recording(tmp_path / "r", preset)
    assert not recording.remarks  # its end has been written
    again = [tick.picture for tick in recording.ticks(running.pipeline.fps)]
    assert [(p.rotate, p.latent.tobytes()) for p in again] == [
        (p.rotate, p.latent.tobytes()) for p in running.pictures[: len(again)]
    ]
    assert len(again) == ticks_within(22050, running.pipeline.fps)
