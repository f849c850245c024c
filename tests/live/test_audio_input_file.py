"""A file as the input: the tape, its pacing, its speaker, and chasing an external tape. The test moves the clock."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from live.sound.channels import Channels
from live.sound.file_input import FileInput
from live.sound.speaker import Speaker, outputs_for, spread
from live.sound.tape import Tape, TapePosition
from shared.audio.descriptors import Analyzer
from shared.audio.files import SoundReader
from shared.audio.resampling import Resampler
from shared.errors import Failure, SettingError, SoundError, UserError
from tests.live.sound_fakes import Desk, FakeLoudspeaker, StandingClock, at_once, joined, noise, write

pytestmark = pytest.mark.slow

# The tape


def hops(tape, count):
    return np.concatenate([tape.next() for _ in range(count)])


@pytest.mark.parametrize("rate", [44100, 48000, 22050, 96000])
def test_tape_gives_the_file_and_then_silence(tmp_path, rate):
    sound = noise(rate // 3, 2)
    tape = Tape(write(tmp_path / "a.wav", sound, rate))
    stream = hops(tape, 50)
    assert len(stream) == tape.frames == 50 * 512 * rate // 44100
    assert np.array_equal(stream[: len(sound)], sound)
    assert not stream[len(sound) :].any()
    assert tape.ended_at == len(sound)
    assert tape.place_at(1000) == TapePosition(1000, True)
    assert tape.place_at(len(sound) + 5) == TapePosition(len(sound), False)
    tape.close()


def test_tape_pauses_on_a_hop_with_a_fade_and_loses_nothing(tmp_path):
    sound = noise(44100)
    tape = Tape(write(tmp_path / "a.wav", sound))
    before = hops(tape, 4)
    tape.pause()
    fading, silence = tape.next(), hops(tape, 5)
    tape.play()
    rising, after = tape.next(), hops(tape, 3)
    place = 4 * 512
    assert np.array_equal(np.concatenate((before, after)), sound[[*range(place), *range(place + 512, place + 2048)]])
    assert not silence.any()
    # out and in again over the same hop: together it is whole
    assert np.abs(fading + rising - sound[place : place + 512]).max() < 1e-6
    assert abs(fading[-1]) < 1e-5 > abs(rising[0])
    assert tape.place_at(place + 512 * 3) == TapePosition(place, False)
    assert tape.place_at(place + 512 * 6 + 7) == TapePosition(place + 7, True)


def test_tape_jumps_across_a_hop(tmp_path):
    sound = noise(44100)
    tape = Tape(write(tmp_path / "a.wav", sound))
    hops(tape, 2)
    tape.seek(30000)
    across, after = tape.next(), tape.next()
    weights = np.linspace(0, 1, 512)[:, None]
    mixed = sound[1024:1536] * np.cos(np.pi / 2 * weights) ** 2 + sound[30000:30512] * np.sin(np.pi / 2 * weights) ** 2
    assert np.abs(across - mixed).max() < 0.002
    assert np.array_equal(after, sound[30512:31024])
    assert tape.place_at(1024 + 600) == TapePosition(30600, True)


def test_tape_loops_without_a_seam(tmp_path):
    sound = noise(1000)
    tape = Tape(write(tmp_path / "a.wav", sound), loop=True)
    assert np.array_equal(hops(tape, 10), np.tile(sound, (6, 1))[:5120])
    assert tape.ended_at is None
    assert tape.place_at(3456) == TapePosition(456, True)
    tape.loop = False
    stream = hops(tape, 10)
    assert tape.ended_at == 6000
    assert not stream[880:].any()


def test_tape_is_taken_up_again_after_its_end(tmp_path):
    sound = noise(2000)
    tape = Tape(write(tmp_path / "a.wav", sound))
    hops(tape, 6)
    assert (tape.ended_at, tape.plays, tape.runs) == (2000, True, False)
    tape.play()
    assert np.array_equal(tape.next(), sound[:512])  # from the beginning, without a fade
    hops(tape, 6)
    assert tape.ended_at == 6 * 512 + 2000
    tape.seek(1500)
    hops(tape, 1)
    assert tape.ended_at == 13 * 512 + 500
    tape.seek(10**9)
    hops(tape, 1)
    assert tape.ended_at == 14 * 512
    tape.seek(-5)
    tape.pause()
    assert not hops(tape, 2).any()
    assert tape.place == 0
    tape.play()
    assert np.array_equal(tape.next(), sound[:512])


def test_commands_at_the_last_hop_of_a_file(tmp_path):
    sound = noise(1000)
    tape = Tape(write(tmp_path / "a.wav", sound))
    tape.next()
    tape.pause()
    fading = tape.next()
    assert not fading[488:].any()
    assert tape.ended_at is None
    tape.play()
    assert np.abs(fading + tape.next())[:488] == pytest.approx(np.abs(sound[512:1000]), abs=1e-6)
    assert tape.ended_at == 1024 + 488


def test_tape_of_a_file_that_disappears_ends_and_says_so(tmp_path):
    path = write(tmp_path / "a.wav", noise(44100 * 4))
    tape = Tape(path)
    tape.next()
    path.unlink()
    tape.seek(1000)
    hops(tape, 3)
    assert not tape.next().any()
    assert tape.ended_at is not None
    assert "no file" in tape.damage


def test_tape_counts_nonfinite_samples(tmp_path):
    sound = noise(3000, 2)
    sound[5, 0] = sound[2000, 1] = np.nan
    tape = Tape(write(tmp_path / "a.wav", sound), loop=True)
    assert np.isfinite(hops(tape, 5)).all()
    assert tape.nonfinite == 2
    hops(tape, 5)
    assert tape.nonfinite == 4


# The input, paced by the clock


def paced(path, ahead=0, channels=(1,), loop=False):
    clock = StandingClock()
    source = FileInput(Tape(path, loop), Channels(channels), ahead_samples=ahead, now=clock, background=False)
    source.start()
    return source, clock


def run(source, clock, seconds, step=0.01):
    blocks = []
    for _ in range(round(seconds / step)):
        clock.move(step)
        blocks += source.read()
    return blocks


@pytest.mark.parametrize("rate", [44100, 48000])
def test_samples_are_the_studios(tmp_path, rate):
    path = write(tmp_path / "a.wav", noise(rate, 2), rate)
    with SoundReader(path, 2) as reader:
        expected = np.concatenate(list(reader.blocks()))
    source, clock = paced(path, channels=(2,))
    heard = joined(run(source, clock, 1.2, 0.007))
    # but for the resampler's last ones: behind the end the studio has nothing, the stage silence
    assert np.array_equal(heard[: len(expected) - 1000], expected[:-1000])
    assert np.abs(heard[: len(expected)] - expected).max() < 1e-4
    assert not heard[len(expected) + 2000 :].any()
    assert source.ended_at == len(expected)
    assert source.ended
    assert source.duration_s == 1.0
    assert not source.playing
    assert vars(source.counters) == dict.fromkeys(vars(source.counters), 0)


@pytest.mark.parametrize("ahead", [0, 5000])
def test_blocks_come_in_time_and_so_far_ahead(tmp_path, ahead):
    source, clock = paced(write(tmp_path / "a.wav", noise(44100 * 3)), ahead)
    began = clock()
    for _ in range(300):
        clock.move(0.0073)
        source.read()
        heard = (clock() - began) * 44100
        assert source.sample_at(clock()) == pytest.approx(heard, abs=0.01)
        assert source.position % 512 == 0
        assert 0 <= heard + ahead - source.position < 512.01
    assert source.time_of(44100) == pytest.approx(began + 1.0)
    assert source.place_s == pytest.approx(300 * 0.0073, abs=1e-4)
    source.ahead_samples += 8192
    position = source.position
    assert source.read()[0].samples.size in (8192 - 512, 8192)
    source.ahead_samples = ahead
    assert source.read() == []
    clock.move(0.1)
    assert source.read() == []
    assert source.position >= position


def test_play_pause_seek_and_loop(tmp_path):
    sound = noise(44100 * 2)
    source, clock = paced(write(tmp_path / "a.wav", sound), ahead=2048)
    run(source, clock, 0.5)
    source.pause()
    assert not source.playing
    paused = joined(run(source, clock, 0.5))
    assert not paused[-15000:].any()
    place = source.place_s
    assert place == pytest.approx(0.5 + 2048 / 44100, abs=0.03)  # it paused where the engine had read to
    source.play()
    source.seek(1.0)
    heard = joined(run(source, clock, 0.3))
    assert np.array_equal(heard[-5000:], sound[:, 0][_find(sound, heard[-5000:])])
    assert source.place_s == pytest.approx(1.0 + 0.3 - 2048 / 44100, abs=0.03)
    source.loop = True
    run(source, clock, 2.0)
    assert not source.ended
    assert source.loop
    assert source.place_s < 2.0
    for nonsense in (float("nan"), float("inf")):
        with pytest.raises(SettingError, match="allowed are 0 to"):
            source.seek(nonsense)


def _find(sound, piece):
    """The position of `piece` in `sound`."""
    starts = np.flatnonzero(sound[:, 0] == piece[0])
    assert len(starts) == 1
    return slice(starts[0], starts[0] + len(piece))


def test_a_pause_holds_a_picture_of_the_sound_and_not_of_a_click(tmp_path):
    sound = (0.3 * np.sin(2 * np.pi * 440 * np.arange(88200) / 44100)).astype(np.float32)
    source, clock = paced(write(tmp_path / "a.wav", sound))
    blocks = run(source, clock, 0.777)
    source.pause()
    frames = Analyzer().process(joined(blocks + run(source, clock, 0.5)))
    steady, last = frames[40], frames[frames[:, 22] > -60][-1]
    assert abs(last[0] - steady[0]) < 0.35 * steady[0]
    assert last[22] > steady[22] - 10


def test_an_engine_that_stalls_loses_the_oldest_but_not_the_count(tmp_path):
    sound = noise(44100 * 20)
    clock = StandingClock()
    source = FileInput(Tape(write(tmp_path / "a.wav", sound)), Channels(), now=clock, background=False)
    source.start()
    for _ in range(150):
        clock.move(0.1)
        source.work()  # the thread that reads the file goes on
    heard = joined(source.read())
    assert len(heard) == pytest.approx(15 * 44100, abs=512)
    lost = source.counters.gap_samples
    assert lost == pytest.approx(5 * 44100, abs=2048)
    assert source.counters.gaps == 1
    assert not heard[:lost].any()
    assert np.array_equal(heard[lost:], sound[lost : len(heard), 0])


def test_a_machine_that_slept(tmp_path):
    source, clock = paced(write(tmp_path / "a.wav", noise(44100 * 3)), ahead=1000)
    run(source, clock, 1.0)
    clock.move(3600)
    source.read()
    assert source.place_s == pytest.approx(1.0, abs=0.05)
    run(source, clock, 1.0)
    assert source.place_s == pytest.approx(2.0, abs=0.05)


def test_problems_of_a_file_are_reported(tmp_path):
    with pytest.raises(SoundError, match="no file"):
        Tape(tmp_path / "none.wav")
    path = write(tmp_path / "a.wav", noise(44100 * 3, 2))
    with pytest.raises(UserError, match="has 2 channels, --channel 3 given"):
        paced(path, channels=(3,))
    path.write_bytes(path.read_bytes()[:-44100])
    source, _ = paced(path)
    (line,) = source.errors()
    assert "header promises" in line
    assert source.errors() == []


def test_real_time_in_a_thread(tmp_path):
    sound = noise(22050)
    source = FileInput(Tape(write(tmp_path / "a.wav", sound)), Channels(), ahead_samples=2000)
    source.start()
    blocks = []
    while not source.ended:
        blocks += source.read(0.1)
    source.close()
    heard = joined(blocks)
    assert np.array_equal(heard[:22050], sound[:, 0])


# Through a sound card


def played(path, rate=44100, channels=2, ahead=0, latency=0.02):
    clock = StandingClock()
    device = FakeLoudspeaker(clock, rate, channels, latency)
    desk = Desk(device)
    tape = Tape(path)
    speaker = Speaker("0 Box (API)", tape.rate, desk.connect, clock, at_once)
    source = FileInput(tape, Channels(), speaker, ahead, clock, background=False)
    source.start()
    return source, clock, device, desk


@pytest.mark.parametrize("ahead", [0, 6000, 30000])
def test_reading_follows_the_sound_that_is_heard(tmp_path, ahead):
    sound = noise(44100 * 3, 2)
    source, clock, device, _ = played(write(tmp_path / "a.wav", sound), ahead=ahead, latency=0.08)
    blocks = run(source, clock, 2.0)
    assert np.array_equal(joined(blocks), sound[: source.position, 0])
    heard = np.concatenate(device.sound)
    assert np.array_equal(heard, sound[: len(heard)])
    # sample 0 is at the ear when the device says so
    first = clock() + source.sample_at(clock()) / -44100
    assert first == pytest.approx(device.begun + device.latency, abs=0.012)
    assert source.time_of(44100) == pytest.approx(first + 1.0, abs=1e-3)
    assert 0 <= source.sample_at(clock()) + ahead - source.position < 513
    assert source.counters.xruns <= 1
    assert len(device.waiting) * 512 <= 0.15 * 44100 + 1024


def test_a_device_of_another_rate(tmp_path):
    sound = noise(44100 * 2, 2)
    source, clock, device, _ = played(write(tmp_path / "a.wav", sound), rate=48000)
    blocks = run(source, clock, 1.5)
    assert np.array_equal(joined(blocks), sound[: source.position, 0])
    heard = np.concatenate(device.sound)
    back = Resampler(48000).process(np.ascontiguousarray(heard[:, 1]))
    n = len(back) - 500
    error = np.sqrt(np.mean((back[500:n] - _band_limited(sound[:, 1])[500:n]) ** 2))
    assert error < 0.003  # of 0.17
    assert source.sample_at(clock()) == pytest.approx((clock() - device.begun - device.latency) * 44100, abs=600)


def _band_limited(x):
    """Without what a resampler may take away, above 20 kHz; the ends are not looked at."""
    there = Resampler(44100).process(x)
    import soxr

    return soxr.resample(soxr.resample(there, 44100, 48000, "HQ"), 48000, 44100, "HQ").astype(np.float32)


def test_a_device_that_is_gone_and_back(tmp_path):
    sound = noise(44100 * 6, 2)
    source, clock, device, desk = played(write(tmp_path / "a.wav", sound))
    blocks = run(source, clock, 1.0)
    device.over = True
    blocks += run(source, clock, 2.0)
    assert device.closed
    began = device.begun + device.latency
    assert source.place_s == pytest.approx(clock() - began, abs=0.01)  # it ran on
    desk.device = again = FakeLoudspeaker(clock)
    blocks += run(source, clock, 2.5)
    assert np.array_equal(joined(blocks), sound[: source.position, 0])
    heard = np.concatenate(again.sound)
    assert len(heard) > 20000
    assert np.array_equal(heard, sound[_find(sound, heard[:, 0])])
    # it went in where the tape was, and the reported position is the one heard
    first = np.flatnonzero(sound[:, 0] == heard[0, 0])[0]
    assert abs(first - (again.begun - 0.05 - began) * 44100) < 1024
    assert source.place_s * 44100 == pytest.approx(first + (clock() - again.begun - again.latency) * 44100, abs=600)
    assert source.counters.reopened == 1
    gone, back = source.errors()
    assert "output 0 Box (API) is disconnected" in gone
    assert "is back after" in back


def test_a_device_that_delivers_nothing_is_lost(tmp_path):
    source, clock, device, _ = played(write(tmp_path / "a.wav", noise(44100 * 9)))
    run(source, clock, 1.0)
    device.reports = list
    run(source, clock, 4.0)
    assert device.closed
    assert "is disconnected" in source.errors()[0]
    assert source.place_s == pytest.approx(5.0, abs=0.1)


def test_a_device_that_cannot_be_opened_leaves_the_clock(tmp_path):
    clock = StandingClock()
    tape = Tape(write(tmp_path / "a.wav", noise(44100)))
    source = FileInput(tape, Channels(), Speaker("0 Box", 44100, Desk().connect, clock, at_once), 0, clock, False)
    source.start()
    assert "paced by the clock: it is not there" in source.errors()[0]
    assert len(joined(run(source, clock, 0.5))) == pytest.approx(22050, abs=600)


def test_channels_onto_outputs():
    assert [outputs_for(c, there) for c, there in ((1, 8), (2, 8), (6, 2), (6, 8), (1, 1))] == [2, 2, 2, 6, 1]
    one, six = noise(10), noise(10, 6)
    assert np.array_equal(spread(one, 2), np.hstack((one, one)))
    assert np.array_equal(spread(six, 6), six)
    left = (six[:, 0] + six[:, 2] + six[:, 4]) / 3
    assert np.abs(spread(six, 2)[:, 0] - left).max() < 1e-7
    assert np.abs(spread(np.ones((5, 5), np.float32), 2)).max() <= 1


# Anything at any time

COMMANDS = st.one_of(
    st.tuples(st.just("seek"), st.floats(-1, 3)),
    st.tuples(st.just("chase"), st.floats(-1, 3)),
    st.tuples(st.just("move"), st.floats(0, 0.3)),
    st.tuples(st.just("ahead"), st.integers(0, 20000)),
    st.tuples(st.sampled_from(["play", "pause", "loop", "unloop", "gone", "back"]), st.none()),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # what it finds is short enough
)
@given(st.lists(COMMANDS, max_size=30), st.sampled_from([1, 700, 44100]), st.booleans())
def test_whatever_is_asked_the_sound_goes_on(tmp_path, commands, frames, with_speaker):
    path = write(tmp_path / "a.wav", noise(frames))
    source, clock, device, desk = played(path) if with_speaker else (*paced(path), None, None)
    blocks, began = [], clock()
    for name, value in commands:
        if name in ("seek", "chase"):
            getattr(source, name)(value)
        elif name in ("play", "pause"):
            getattr(source, name)()
        elif name in ("loop", "unloop"):
            source.loop = name == "loop"
        elif name == "ahead":
            source.ahead_samples = value
        elif name == "move":
            clock.move(value)
        elif device is not None and name == "gone":
            device.over = True
        elif device is not None and device.closed:
            desk.device = device = FakeLoudspeaker(clock)
        blocks += source.read()
        assert 0 <= source.place_s <= frames / 44100
    clock.move(1.0)
    blocks += source.read()
    assert np.isfinite(joined(blocks)).all()
    passed = clock() - began
    assert source.position / 44100 > 0.9 * passed - 0.5
    assert source.position / 44100 < 1.1 * passed + 0.7


# Chasing


class OtherTape:
    """An external tape that sends its time ten times a second."""

    def __init__(self, clock, seconds, speed=1.0):
        self.clock, self.at, self.seconds, self.speed = clock, clock(), seconds, speed

    def now(self):
        return self.seconds + (self.clock() - self.at) * self.speed


def follow(source, clock, other, seconds, every=0.1):
    offs, blocks = [], []
    for _ in range(round(seconds / every)):
        source.chase(other.now())
        blocks += run(source, clock, every)
        offs.append(other.now() - source.place_s)
    return offs, blocks


def test_far_off_it_jumps(tmp_path):
    sound = noise(44100 * 30)
    source, clock = paced(write(tmp_path / "a.wav", sound), ahead=4000)
    run(source, clock, 1.0)
    other = OtherTape(clock, 20.0)
    offs, blocks = follow(source, clock, other, 1.0)
    assert abs(offs[-1]) < 0.002
    heard = joined(blocks)[-5000:]
    assert np.array_equal(heard, sound[_find(sound, heard), 0])  # and then it runs straight on
    back = OtherTape(clock, 3.0)
    assert abs(follow(source, clock, back, 0.5)[0][-1]) < 0.002


@pytest.mark.parametrize("off", [0.07, -0.07, 0.02])
def test_near_by_it_slews_gently_and_without_touching_the_sound(tmp_path, off):
    sound = noise(44100 * 20)
    source, clock = paced(write(tmp_path / "a.wav", sound))
    blocks = run(source, clock, 1.0)
    other = OtherTape(clock, source.place_s + off)
    offs, followed = follow(source, clock, other, 10.0)
    assert np.array_equal(joined(blocks + followed), sound[: source.position, 0])
    assert abs(offs[-1]) < 0.003
    steps = np.abs(np.diff([off, *offs]))
    assert steps.max() <= 0.1 * 0.03 + 1e-4
    assert all(abs(later) < abs(sooner) + 1e-6 for sooner, later in pairwise(offs))


def test_a_tape_that_runs_a_little_slow_is_kept_up_with(tmp_path):
    source, clock = paced(write(tmp_path / "a.wav", noise(44100 * 30)))
    offs, _ = follow(source, clock, OtherTape(clock, 0.0, speed=0.995), 20.0)
    assert max(np.abs(offs)) < 0.015


def test_messages_that_stop_let_it_run_free(tmp_path):
    source, clock = paced(write(tmp_path / "a.wav", noise(44100 * 20)))
    run(source, clock, 1.0)
    follow(source, clock, OtherTape(clock, source.place_s + 0.07), 0.3)
    run(source, clock, 0.6)
    place = source.place_s
    run(source, clock, 5.0)
    assert source.place_s - place == pytest.approx(5.0, abs=1e-3)


def test_a_tape_that_stands_holds_ours(tmp_path):
    source, clock = paced(write(tmp_path / "a.wav", noise(44100 * 20)))
    other = OtherTape(clock, 5.0)
    follow(source, clock, other, 1.0)
    stands = OtherTape(clock, other.now(), speed=0.0)
    _, blocks = follow(source, clock, stands, 2.0)
    assert not joined(blocks)[-40000:].any()
    assert source.place_s == pytest.approx(stands.now(), abs=0.2)
    offs, blocks = follow(source, clock, OtherTape(clock, stands.now()), 1.0)
    assert abs(offs[-1]) < 0.002
    assert joined(blocks)[-20000:].all()


def test_before_the_beginning_and_behind_the_end_it_waits(tmp_path):
    source, clock = paced(write(tmp_path / "a.wav", noise(44100 * 4)))
    _, blocks = follow(source, clock, OtherTape(clock, -2.0), 1.8)
    assert not joined(blocks)[512:].any() or not joined(blocks)[5000:].any()
    offs, blocks = follow(source, clock, OtherTape(clock, -0.2), 1.5)
    assert abs(offs[-1]) < 0.002
    _, blocks = follow(source, clock, OtherTape(clock, 9.0), 1.0)
    assert not joined(blocks)[10000:].any()
    with pytest.raises(SettingError):
        source.chase(float("nan"))


def test_somebody_who_pauses_is_stronger(tmp_path):
    source, clock = paced(write(tmp_path / "a.wav", noise(44100 * 9)))
    run(source, clock, 0.5)
    source.pause()
    _, blocks = follow(source, clock, OtherTape(clock, 3.0), 1.0)
    assert not joined(blocks)[2000:].any()
    source.play()
    offs, _ = follow(source, clock, OtherTape(clock, 4.0), 0.5)
    assert abs(offs[-1]) < 0.002


def test_with_a_sound_card_only_jumps_are_followed(tmp_path):
    source, clock, _, _ = played(write(tmp_path / "a.wav", noise(44100 * 20, 2)))
    run(source, clock, 1.0)
    near = OtherTape(clock, source.place_s + 0.05)
    offs, _ = follow(source, clock, near, 1.0)
    assert offs[-1] == pytest.approx(0.05, abs=0.01)
    offs, _ = follow(source, clock, OtherTape(clock, 10.0), 1.5)
    assert abs(offs[-1]) < 0.02


def test_no_sound_at_all_is_an_error_before_the_show(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    with pytest.raises(SoundError, match="is empty"):
        Tape(tmp_path / "empty.wav")
    with pytest.raises(Failure, match="it is not there"):
        Speaker("0 Box", 44100, Desk().connect, StandingClock(), at_once).start()
