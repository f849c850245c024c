"""The small parts of the sound input: channels, clock, queue, reconnection, OSC frames."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live.sound.channels import Channels, average
from live.sound.clock import SampleClock
from live.sound.descriptor_input import OscFrames
from live.sound.reconnect import Reconnector
from live.sound.sample_queue import SampleQueue
from shared.errors import Failure, SettingError, UserError
from shared.sound_card.process import StampClock
from tests.live.sound_fakes import Desk, FakeMicrophone, StandingClock, at_once, noise


@pytest.mark.parametrize(("text", "numbers"), [("1", (1,)), ("2", (2,)), ("1+2", (1, 2)), ("12+3+1", (12, 3, 1))])
def test_channels_are_numbers_from_one(text, numbers):
    assert Channels.parse(text).numbers == numbers
    assert str(Channels.parse(text)) == text


@pytest.mark.parametrize("text", ["", "0", "-1", "1+0", "+1", "1+", "1,2", "left", "1.0", " 1", "01", "²"])
def test_other_channels_are_refused(text):
    with pytest.raises(UserError, match="as in 1\\+2"):
        Channels.parse(text)


def test_a_channel_beyond_the_device_is_refused():
    Channels((2, 1)).check(2, "input 0 Box")
    with pytest.raises(UserError, match=r"input 0 Box has 2 channels, --channel 1\+3 given; allowed is 1 to 2"):
        Channels((1, 3)).check(2, "input 0 Box")


def test_one_channel_passes_and_several_are_averaged():
    sound = noise(100, 3)
    assert np.array_equal(average(sound[:, :1]), sound[:, 0])
    expected = sound.astype(np.float64).mean(axis=1)
    assert np.abs(average(sound) - expected).max() < 1e-7


def test_clock_draws_a_line_through_stamps_that_jitter():
    clock, rng = SampleClock(), np.random.default_rng(0)
    rate = 44100 * (1 + 2e-4)  # a sound card's quartz
    for block in range(600):
        clock.observe(512 * block, 100 + 512 * block / rate + rng.normal(0, 0.0005))
    for sample in (512 * 500, 512 * 599, 512 * 680):  # up to a second later
        assert clock.time_of(sample) == pytest.approx(100 + sample / rate, abs=0.0004)
        assert clock.sample_at(clock.time_of(sample)) == pytest.approx(sample)


def test_clock_leaves_out_a_late_stamp_and_believes_several():
    clock = SampleClock()
    for block in range(100):
        assert clock.observe(512 * block, 512 * block / 44100) == 0
    before = clock.time_of(0)
    clock.observe(512 * 100, 512 * 100 / 44100 + 0.03)
    assert clock.time_of(0) == before
    jumps = [clock.observe(512 * block, 512 * block / 44100 + 0.05) for block in range(101, 120)]
    assert [round(jump, 6) for jump in jumps if jump] == [0.05]
    assert clock.time_of(512 * 200) == pytest.approx(512 * 200 / 44100 + 0.05, abs=1e-4)


def test_clock_follows_stamps_that_never_agree():
    clock = SampleClock()
    for block in range(100):
        clock.observe(512 * block, 512 * block / 44100)
    for block in range(100, 200):
        clock.observe(512 * block, 512 * block / 44100 + 0.1 + (block % 2) * 0.02)
    assert clock.time_of(512 * 200) == pytest.approx(512 * 200 / 44100 + 0.11, abs=0.015)


@pytest.mark.parametrize(
    "stamps",  # (converter, callback) of blocks that come in pairs; what follows has seen them all
    [
        [(0.0, 0.0), (0.0116, 0.0)],  # as JACK has it where it records a program: later than can be
        [(-0.0232, 0.0), (-0.0116, 0.0)],  # and where it records a card
        [(-0.0332, 0.0), (-0.0216, 0.0)],  # a card with a delay of its own
    ],
)
def test_stamps_of_blocks_that_come_in_pairs(stamps):
    block = 0.0116
    clock = StampClock(usual=-block, latest=-block)
    pairs = [100 + 2 * block * i for i in range(30)]
    times = [clock.stamp(100 + t + a, 100 + t + b, 5000 + t + 0.0001).time for t in pairs for a, b in stamps]
    assert np.diff(times[2:]) == pytest.approx(block)
    delay = stamps[1][1] - min(stamps[1][0], -block)
    assert times[-1] == pytest.approx(5000 + pairs[-1] - delay + 0.0001)


def test_stamps_that_make_no_sense():
    clock = StampClock(usual=0.02, latest=math.inf)
    assert clock.stamp(0.0, 7.0, 5000.0) == pytest.approx((5000.02, 0.02))
    assert clock.stamp(97391.0, 7.0, 5000.0) == pytest.approx((5000.02, 0.02))
    assert clock.stamp(7.1, 7.0, 5000.003) == pytest.approx((5000.1, 0.1))  # this callback was late
    assert StampClock(usual=0.02, latest=math.inf).stamp(0.0, 0.0, 5000.0) == pytest.approx((5000.02, 0.02))


def test_clock_without_stamps_runs_by_itself():
    clock = SampleClock()
    clock.start(1000, 50.0)
    assert clock.sample_at(51.0) == 1000 + 44100
    clock.start(clock.sample_at(51.0), 51.0, 1.03)
    assert clock.sample_at(51.0) == pytest.approx(45100)
    assert clock.time_of(45100 + 44100 * 1.03) == pytest.approx(52.0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=60))
def test_queue_keeps_the_count_of_what_it_drops(steps):
    queue = SampleQueue(50)
    put, taken = [], []
    for is_put, n in steps:
        if is_put:
            piece = np.arange(len(put) + 1, len(put) + 1 + n, dtype=np.float32)
            put += piece.tolist()
            queue.put(piece)
        else:
            taken += queue.take(n).tolist()
        assert queue.end == len(put)
        assert len(queue) == len(put) - len(taken)
    taken += queue.take(10**6).tolist()
    assert len(taken) == len(put)
    assert all(a in (0, b) for a, b in zip(taken, put, strict=True))
    assert taken.count(0) == queue.lost
    assert put[-11:] == taken[-11:]  # the newest never go: no piece here is longer than 40 of the 50


def test_reconnection_waits_longer_each_time_and_restarts_after_a_steady_while():
    clock = StandingClock()
    desk = Desk(FakeMicrophone(clock, noise(10)))
    links = Reconnector(desk.connect, clock, at_once)
    links.open()
    assert links.poll() is None
    lost = links.link
    clock.move(60)
    links.lose()
    assert lost.closed
    began, attempts = clock(), []
    while clock() - began < 20:
        before = desk.attempts
        links.poll()
        if desk.attempts > before:
            attempts.append(round(clock() - began, 1))
        clock.move(0.1)
    assert attempts == pytest.approx([0.5, 1.5, 3.5, 7.5, 12.5, 17.5], abs=0.6)
    desk.device = FakeMicrophone(clock, noise(10))
    found = None
    while found is None:
        clock.move(0.1)
        found = links.poll()
    assert found is links.link
    clock.move(60)
    links.lose()
    clock.move(0.4)
    before = desk.attempts
    links.poll()
    assert desk.attempts == before
    clock.move(0.2)
    links.poll()
    assert desk.attempts == before + 1


def test_a_device_found_after_the_end_is_closed_again():
    clock = StandingClock()
    first, second = FakeMicrophone(clock, noise(10)), FakeMicrophone(clock, noise(10))
    desk, jobs = Desk(first), []
    links = Reconnector(desk.connect, clock, jobs.append)
    links.open()
    links.lose()
    clock.move(1)
    links.poll()
    desk.device = second
    links.close()
    for job in jobs:
        job()
    assert first.closed
    assert second.closed
    assert links.poll() is None


def test_the_first_opening_reports_why_it_fails():
    with pytest.raises(Failure, match="it is not there"):
        Reconnector(Desk().connect, StandingClock()).open()


def test_osc_frames_come_with_the_clock_whenever_messages_come():
    clock = StandingClock()
    source = OscFrames(clock)
    source.start()
    assert source.gives == "frames"
    clock.move(512 * 3 / 44100 + 1e-6)
    (silent,) = source.read()
    assert silent.position == 0
    assert silent.frames.shape == (3, 23)
    assert (silent.frames[:, 22] < -100).all()
    first, second = [float(i) for i in range(23)], [-float(i) for i in range(23)]
    source.hold(second)
    source.hold(first)
    clock.move(512 / 44100)
    (block,) = source.read()
    assert (block.position, block.frames.tolist()) == (3 * 512, [first])
    clock.move(1.0)
    blocks = source.read()
    assert sum(len(block.frames) for block in blocks) == (4 * 512 + 44100) // 512 - 4
    assert source.read() == []
    assert source.sample_at(clock()) == pytest.approx(4 * 512 + 44100, abs=1)


def test_osc_frames_refuse_other_messages_and_replace_nonfinite_numbers():
    clock = StandingClock()
    source = OscFrames(clock)
    source.start()
    source.hold([1.0] * 23)
    with pytest.raises(SettingError, match="22 descriptors given; allowed are 23"):
        source.hold([0.0] * 22)
    source.hold([float("nan"), float("inf"), *[2.0] * 21])
    clock.move(0.02)
    (block,) = source.read()
    assert block.frames[0].tolist() == [1.0, 1.0, *[2.0] * 21]
    assert source.counters.nonfinite == 2


def test_osc_frames_after_a_sleep_of_the_machine():
    clock = StandingClock()
    source = OscFrames(clock)
    source.start()
    clock.move(3600)
    (block,) = source.read()
    assert len(block.frames) == 441000 // 512
    clock.move(513 / 44100)
    (block,) = source.read()
    assert len(block.frames) == 1
