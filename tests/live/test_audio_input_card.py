"""The sound card's input, with a device and a clock that the test controls."""

import numpy as np
import pytest

from live.sound.channels import Channels
from live.sound.sound_card import SoundCard
from shared.audio.descriptors import Analyzer
from shared.audio.resampling import Resampler
from shared.errors import Failure
from tests.live.sound_fakes import Desk, FakeMicrophone, StandingClock, at_once, joined, noise

pytestmark = pytest.mark.slow


def opened(sound, rate=44100, channels=(1,)):
    """A started input, its device, the device's socket, and the clock."""
    clock = StandingClock()
    microphone = FakeMicrophone(clock, sound[:, Channels(channels).columns], rate)
    desk = Desk(microphone)
    source = SoundCard("0 Box (API)", desk.connect, Channels(channels), clock, at_once)
    source.start()
    return source, microphone, desk, clock


def test_samples_pass_bit_for_bit():
    sound = noise(44100, 2)
    source, microphone, _, clock = opened(sound, channels=(2,))
    blocks = []
    for _ in range(200):
        microphone.run(0.005)
        blocks += source.read()
    heard = joined(blocks)
    assert len(heard) == microphone.given > 40000
    assert np.array_equal(heard, sound[: len(heard), 1])
    assert source.position == len(heard)
    assert source.time_of(0) == pytest.approx(microphone.begun, abs=1e-6)
    assert source.sample_at(clock()) == pytest.approx((clock() - microphone.begun) * 44100, abs=1)
    assert vars(source.counters) == dict.fromkeys(vars(source.counters), 0)
    assert source.errors() == []
    assert not source.ended
    assert source.level_db == pytest.approx(20 * np.log10(np.abs(blocks[-1].samples).max()))
    source.close()
    assert microphone.closed


def test_channels_are_averaged():
    sound = noise(10000, 3)
    source, microphone, _, _ = opened(sound, channels=(1, 3))
    microphone.run(0.25)
    heard = joined(source.read())
    mean = (sound[:, 0].astype(float) + sound[:, 2]) / 2
    assert np.abs(heard - mean[: len(heard)]).max() < 1e-7


def test_another_rate_is_resampled_and_its_delay_counted():
    sound = noise(48000)
    source, microphone, _, _ = opened(sound, rate=48000)
    blocks = []
    for _ in range(90):
        microphone.run(0.01)
        blocks += source.read()
    heard = joined(blocks)
    expected = Resampler(48000).process(sound[: microphone.given, 0])
    assert np.array_equal(heard, expected)
    assert source.delay_samples == np.ceil(0.0116 * 44100) + Resampler(48000).delay
    assert microphone.given * 0.91875 - len(heard) <= Resampler(48000).delay
    assert source.time_of(0) == pytest.approx(microphone.begun, abs=1e-4)


def test_nonfinite_samples_become_zero_and_are_counted():
    sound = noise(5120)
    sound[700:703, 0] = [np.nan, np.inf, -np.inf]
    source, microphone, _, _ = opened(sound)
    microphone.run(0.17)
    heard = joined(source.read())
    assert np.isfinite(heard).all()
    assert (heard[700:703] == 0).all()
    assert source.counters.nonfinite == 3


def test_overflows_are_counted_from_flags_and_from_stamps_but_once():
    source, microphone, _, _ = opened(noise(44100 * 12))
    for _ in range(20):
        microphone.run(0.1)
        source.read()
    microphone.run(0.1, overflow=True)
    source.read()
    assert source.counters.overflows == 1
    microphone.late += 0.05  # the flag spoke of this one
    for _ in range(30):
        microphone.run(0.1)
        source.read()
    assert source.counters.overflows == 1
    microphone.late += 0.2  # and nobody speaks of this one
    for _ in range(30):
        microphone.run(0.1)
        source.read()
    assert source.counters.overflows == 2
    assert source.counters.gaps == 0  # nothing is put in
    assert source.time_of(source.position) == pytest.approx(microphone.block_time(microphone.given), abs=1e-3)


def test_samples_missed_by_a_stalled_engine_are_silence_of_that_length():
    sound = noise(44100 * 4)
    source, microphone, _, _ = opened(sound)
    microphone.run(1.0)
    before = joined(source.read())
    microphone.run(1.0)
    del microphone.waiting[:20]  # the link's queue is bounded, and lets the oldest go
    microphone.run(1.0)
    heard = np.concatenate((before, joined(source.read())))
    assert len(heard) == microphone.given
    missing = np.arange(len(before), len(before) + 20 * 512)
    assert (heard[missing] == 0).all()
    heard[missing] = sound[missing, 0]
    assert np.array_equal(heard, sound[: len(heard), 0])
    assert (source.counters.gaps, source.counters.gap_samples) == (1, 20 * 512)


def test_a_very_long_stall_is_not_made_up_for():
    source, microphone, _, _ = opened(np.zeros((44100 * 40, 1)) + 0.1)
    microphone.run(1.0)
    source.read()
    before = source.position
    microphone.run(30.0)
    del microphone.waiting[:-10]
    source.read()
    assert source.position - before == 441000 + 5120
    for _ in range(20):
        microphone.run(0.1)
        source.read()
    assert source.time_of(source.position) == pytest.approx(microphone.block_time(microphone.given), abs=1e-3)


def test_two_seconds_of_zeros_name_the_permission_once():
    sound = noise(44100 * 12)
    sound[44100 : 44100 * 7] = 0
    sound[44100 * 8 :] = 0
    source, microphone, _, _ = opened(sound)
    lines = []
    for second in range(1, 12):
        microphone.run(1.0)
        source.read()
        lines += [(second, line) for line in source.errors()]
    assert [second for second, _ in lines] == [4]
    assert "microphone permission" in lines[0][1]
    assert "muted or not plugged in" in lines[0][1]


def sine(frames):
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(frames) / 44100)).astype(np.float32)[:, None]


@pytest.mark.parametrize("seconds", [1.0, 1.0037, 1.009])
def test_a_lost_device_fades_into_silence_and_the_clock_goes_on(seconds):
    source, microphone, desk, clock = opened(sine(44100 * 3))
    microphone.run(seconds)
    blocks = source.read()
    lost_at = source.position
    microphone.over = True
    for _ in range(100):
        clock.move(0.02)
        blocks += source.read()
    assert "0 Box (API) is disconnected" in source.errors()[0]
    assert microphone.closed
    assert desk.attempts >= 2
    heard = joined(blocks)
    # two seconds of clock are two seconds of sound, less the margin
    assert len(heard) / 44100 == pytest.approx(seconds + 2.0 - 0.05 - 0.1, abs=0.03)
    end = np.flatnonzero(heard)[-1] + 1
    assert lost_at < end <= lost_at + 1024
    assert -10 < end % -512 <= 0 or end % 512 == 0  # the fade ends on a hop
    frames = Analyzer().process(heard)
    sounding = frames[frames[:, 22] > -60]
    steady, last = frames[40], sounding[-1]
    assert abs(last[0] - steady[0]) < 0.35 * steady[0]  # Hz: a click would have a centroid of thousands
    assert last[20] == pytest.approx(440, rel=0.03)
    assert last[22] > steady[22] - 15
    assert source.counters.gaps == 1
    assert source.counters.gap_samples > 60000


def test_sound_that_returns_is_taken_up_at_its_time():
    source, first, desk, clock = opened(noise(44100 * 3))
    first.run(1.0)
    blocks = source.read()
    first.over = True
    for _ in range(50):
        clock.move(0.02)
        blocks += source.read()
    again = noise(44100 * 3, seed=9)
    desk.device = second = FakeMicrophone(clock, again, 48000)  # it has come back at another rate
    for _ in range(300):
        second.run(0.01)
        blocks += source.read()
    assert (source.counters.reopened, source.counters.gaps) == (1, 1)
    assert [line.split(" after ")[0] for line in source.errors()][1:] == ["input 0 Box (API) is back"]
    heard = joined(blocks)
    start = round((second.begun - first.begun) * 44100)
    expected = Resampler(48000).process(again[: second.given, 0])
    assert len(heard) == pytest.approx(start + len(expected), abs=2)
    begin = len(heard) - len(expected)
    assert np.array_equal(heard[begin:], expected)
    assert (heard[begin - 100 : begin] == 0).all()
    assert source.time_of(begin) == pytest.approx(second.begun, abs=1e-3)


def test_a_device_that_delivers_nothing_is_lost():
    source, microphone, _, clock = opened(noise(44100))
    microphone.run(0.5)
    source.read()
    clock.move(3.0)
    assert source.read() == []
    clock.move(1.0)
    source.read()
    assert microphone.closed
    assert "is disconnected" in source.errors()[0]


def test_a_machine_that_slept_without_its_device_goes_on_from_there():
    source, microphone, _, clock = opened(noise(44100))
    microphone.run(0.5)
    source.read()
    microphone.over = True
    source.read()
    clock.move(3600)
    assert sum(len(block.samples) for block in source.read()) <= 441000
    clock.move(1)
    assert sum(len(block.samples) for block in source.read()) == pytest.approx(44100, abs=512)


def test_reading_after_the_end_is_harmless():
    source, microphone, _, clock = opened(noise(44100))
    microphone.run(0.5)
    source.close()
    source.close()
    microphone.over = True
    clock.move(1)
    source.read()
    source.read()


def test_a_device_that_cannot_be_opened_at_all():
    source = SoundCard("0 Box (API)", Desk().connect, Channels(), StandingClock(), at_once)
    with pytest.raises(Failure, match="it is not there"):
        source.start()
