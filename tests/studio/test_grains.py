"""The grain engine against a direct overlap-add, and on a real sound system."""

import time

import numpy as np
import pytest
import soxr

from shared.sound_card.client import list_devices
from shared.sound_card.devices import find_device
from shared.sound_card.grain_player import CardPlayer, SilentPlayer
from shared.sound_card.grains import GRAIN, HOP, SPREAD, TAPER, Grains, GrainVoice
from tests import rig
from tests.small import sound

SOUND = sound(2.0)[:, 0]


def heard(grains, blocks):
    return np.concatenate([grains.block() for _ in range(blocks)])


def overlap_add(starts, blocks):
    """Grains of SOUND at these samples, one every HOP samples, added in their order."""
    padded = np.pad(SOUND, 4 * GRAIN)
    out = np.zeros(blocks * HOP + GRAIN, np.float32)
    for k, start in enumerate(starts):
        out[k * HOP : k * HOP + GRAIN] += TAPER * padded[start + 4 * GRAIN : start + 4 * GRAIN + GRAIN]
    return out[: blocks * HOP]


def test_four_tapers_add_up_to_one():
    total = TAPER.reshape(-1, HOP).sum(axis=0, dtype=np.float64)
    assert np.abs(total - 1).max() < 1e-7


def test_from_the_beginning_at_speed_one_the_sound_is_itself():
    grains = Grains(SOUND)
    grains.play(0)
    blocks = len(SOUND) // HOP
    assert np.abs(heard(grains, blocks) - SOUND[: blocks * HOP]).max() < 2e-7


@pytest.mark.parametrize("speed", [1.0, 0.7, 0.5, 0.125])
def test_playing_equals_a_direct_overlap_add_bit_for_bit(speed):
    grains = Grains(SOUND)
    grains.speed = speed
    grains.play(10_000)
    positions = np.cumsum([10_000.0, *([HOP * speed] * 59)])
    starts = [int(position - GRAIN / 2 * (1 - speed)) for position in positions]
    assert np.array_equal(heard(grains, 60), overlap_add(starts, 60))


def test_scrubbing_stays_within_its_spread_and_is_an_overlap_add():
    grains = Grains(SOUND)
    grains.scrub(30_000)
    out = heard(grains, 200)
    golden = (np.sqrt(5) - 1) / 2
    starts = [int(30_000 - GRAIN / 2 + ((k * golden) % 1 - 0.5) * 2 * SPREAD) for k in range(1, 201)]
    assert np.array_equal(out, overlap_add(starts, 200))
    assert max(starts) - min(starts) > 1.9 * SPREAD
    assert np.abs(out[GRAIN:]).max() > 0.01


def test_slow_motion_keeps_the_pitch():
    t = np.arange(3 * 44100) / 44100
    grains = Grains(np.sin(2 * np.pi * 441 * t).astype(np.float32))
    grains.speed = 0.25
    grains.play(20_000)
    out = heard(grains, 200)[GRAIN:]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    assert abs(np.argmax(spectrum) * 44100 / len(out) - 441) < 45  # within the 86 Hz of the grains
    assert grains.position == 20_000 + 200 * HOP * 0.25


def test_it_stops_within_35_ms_without_a_click():
    grains = Grains(SOUND)
    grains.play(5000)
    heard(grains, 10)
    grains.stop()
    tail = heard(grains, 4)
    assert np.abs(tail[3 * HOP :]).max() == 0
    assert grains.is_silent
    assert grains.position == 5000 + 10 * HOP


def test_a_loop_keeps_its_length_on_the_average():
    grains = Grains(SOUND)
    grains.loop = (10_000, 15_000)
    grains.play(10_000)
    positions = []
    for _ in range(1000):
        positions.append(grains.position)
        grains.block()
    assert min(positions) >= 10_000
    assert max(positions) < 15_000
    assert grains.position == 10_000 + (1000 * HOP) % 5000


def test_playing_ends_with_the_sound():
    grains = Grains(SOUND)
    grains.play(len(SOUND) - 3 * HOP)
    heard(grains, 10)
    assert grains.mode == "stopped"
    assert grains.position == len(SOUND) - 1


def test_without_a_sound_card_the_playhead_moves_by_the_clock(tmp_path):
    now = [0.0]
    player = SilentPlayer(lambda: now[0])
    player.load(tmp_path / "none", 88200)
    player.play(4410)
    now[0] = 0.5
    assert player.playhead() == (4410 + 22050, True)
    player.set_speed(0.5)
    now[0] = 1.5
    assert player.playhead() == (4410 + 22050 + 22050, True)
    player.set_loop((22050, 44100))
    now[0] = 1.6
    assert 22050 <= player.playhead().position < 44100
    player.set_loop(None)
    now[0] = 9.0
    assert player.playhead() == (88199, False)


@pytest.mark.slow
def test_on_a_sound_card_commands_move_the_playhead(tmp_path, monkeypatch):
    file = tmp_path / "sound.f32"
    SOUND.tofile(file)
    with rig.jack() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        player = CardPlayer(find_device("system", "output", list_devices()))
        try:
            player.load(file, len(SOUND))
            player.play(0.0)
            began = time.monotonic()
            while player.playhead().position < 22050:
                assert time.monotonic() - began < 5
                time.sleep(0.01)
            player.scrub(11025.0)
            until(lambda: player.playhead() == (11025, True))
            player.stop()
            until(lambda: player.playhead() == (11025, False))
            player.set_loop((0, 4410))
            player.play(0.0)
            time.sleep(0.5)
            assert player.playhead().position < 4410 + 2 * HOP
            assert player.playhead().is_moving
            player.set_loop(None)
            player.play(float(len(SOUND) - HOP))
            until(lambda: player.playhead() == (len(SOUND) - 1, False))
            assert not player.over
        finally:
            player.close()


def until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_a_device_of_another_rate_hears_the_same_sound(tmp_path, rate):
    file = tmp_path / "sound.f32"
    SOUND.tofile(file)
    voice = GrainVoice(rate)
    for number, command in enumerate([{"load": str(file)}, {"volume": 1.0}, {"play": 0.0}]):
        voice.command({"number": number, **command})
    blocks = []
    for _ in range(100):
        block = np.empty((512, 2), np.float32)
        report = voice.fill(block)
        assert report is not None
        assert report[0] == 2
        assert np.array_equal(block[:, 0], block[:, 1])
        blocks.append(block[:, 0])
    heard_there = np.concatenate(blocks)
    expected = SOUND if rate == 44100 else soxr.resample(SOUND, 44100, rate)
    expected = expected[: len(heard_there)]
    assert np.abs(heard_there[: len(expected)] - expected).max() < 2e-3
    voice.command({"number": 3, "stop": True})
    for _ in range(20):
        voice.fill(block)
    assert not block.any()
    assert voice.fill(block) is None  # nothing new


def test_the_volume_changes_without_a_click(tmp_path):
    file = tmp_path / "sound.f32"
    np.full(44100, 0.5, np.float32).tofile(file)
    voice = GrainVoice(44100)
    for number, command in enumerate([{"load": str(file)}, {"play": 0.0}]):
        voice.command({"number": number, **command})
    block = np.empty((512, 1), np.float32)
    voice.fill(block)
    voice.command({"number": 2, "volume": 0.0})
    voice.fill(block)
    assert np.abs(np.diff(block[:, 0])).max() < 0.5 / 512 * 1.01
    voice.fill(block)
    assert not block.any()
