"""Sound in and out of a real sound server (JACK without a sound card), with a violin and a hall as its clients."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from live.sound.open_input import open_input
from shared.audio.resampling import Resampler
from shared.sound_card.client import list_devices
from tests import rig
from tests.live.sound_fakes import joined, noise, write

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    """The variables of a running server."""
    with rig.jack(period=1024) as variables:  # long enough for a busy machine
        yield variables


@pytest.fixture
def at_server(server, monkeypatch):
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    return server


def read_for(source, seconds):
    """The blocks of a number of seconds, and the delay of each block's last sample (s)."""
    blocks, ages = [], []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for block in source.read(0.05):
            blocks.append(block)
            ages.append(time.monotonic() - source.time_of(block.position + len(block.samples)))
    return blocks, ages


def retried(attempt):
    """On a busy machine, JACK loses samples and reports it: try once more."""
    for _ in range(3):
        if attempt():
            return
    pytest.skip("the machine is too busy for JACK: samples were lost three times")


def test_a_violin_arrives_bit_for_bit(at_server, tmp_path):
    sound = noise(44100)
    wav = write(tmp_path / "violin.wav", sound)

    def attempt():
        with rig.jack_mic(wav, at_server, lead=0.25) as violin:
            source = open_input("violin")
            assert "violin (JACK Audio Connection Kit), channel 1" in source.label
            source.start()
            blocks, ages = read_for(source, 1.6)
            source.close()
            if violin.expect("xruns") != "xruns 0" or source.counters.overflows:
                return False
        heard = joined(blocks)
        begin = 11025
        assert not heard[:begin].any()
        assert np.array_equal(heard[begin : begin + 44100], sound[:, 0])
        assert not heard[begin + 44100 :].any()
        assert min(ages[30:]) > -0.001  # nothing is here before it was recorded
        assert 512 <= source.delay_samples < 4096
        assert source.counters.gaps == 0
        return True

    retried(attempt)


def test_a_file_is_played_bit_for_bit_at_the_reported_time(at_server, tmp_path):
    sound = noise(44100, 2)
    path, heard_file = write(tmp_path / "tape.wav", sound), tmp_path / "hall.npy"
    recorder = [sys.executable, str(Path(__file__).with_name("jack_recorder.py")), "hall", "1.8", str(heard_file)]

    def attempt():
        with rig.Program(recorder, at_server) as hall:
            hall.expect("ready")
            source = open_input(str(path), output="hall", ahead_samples=6000)
            source.start()
            blocks, ages = read_for(source, 1.5)
            ended = source.ended
            lost = hall.expect("xruns") != "xruns 0" or source.counters.xruns > 0
            source.close()
            if lost:
                return False
        assert ended
        assert source.errors() == []
        assert np.array_equal(joined(blocks)[:44100], sound[:, 0])
        heard = np.load(heard_file)
        begin = np.flatnonzero(heard.any(axis=1))[0]
        assert np.array_equal(heard[begin : begin + 44100], sound)
        # read before it was heard, and no more so than was asked for (6000 samples: 0.136 s)
        assert -0.15 < min(ages[20:]) < -0.05
        return True

    retried(attempt)


class Server:
    """A JACK server of another rate that can be killed and started again.

    One that was killed keeps a place in a list of eight, which the next one of its name frees when it ends in good order.
    """

    def __init__(self, monkeypatch):
        rig.require("jackd", "jack_wait")
        self.name = f"restarted{time.monotonic_ns()}"
        variables = {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    def start(self):
        command = ["jackd", "-n", self.name, "-r", "-d", "dummy", "-r", "48000", "-p", "1024", "-C", "2", "-P", "2"]
        self.program = rig.Program(command)
        with rig.Program(["jack_wait", "-s", self.name, "-w", "-t", "5"]) as waiter:
            assert waiter.wait() == 0

    def kill(self):
        self.program.process.kill()
        self.program.end()

    def end(self):
        if self.program.process.poll() is not None:
            self.start()
        self.program.end()


def expect(source, text, seconds):
    """Read until the source reports this text; return all reported lines, and the blocks."""
    lines, blocks = [], []
    until = time.monotonic() + seconds
    while not any(text in line for line in lines):
        assert time.monotonic() < until, lines
        blocks += source.read(0.05)
        lines += source.errors()
    return blocks


def test_a_server_that_is_killed_and_started_again(monkeypatch, tmp_path):
    server = Server(monkeypatch)
    server.start()
    sound = noise(48000 * 20)
    live = open_input("system")
    tape = open_input(str(write(tmp_path / "tape.wav", sound, 48000)))
    try:
        live.start()
        tape.start()
        blocks = read_for(live, 0.5)[0]
        began, before = time.monotonic(), live.position
        server.kill()
        blocks += expect(live, "is disconnected; the show goes on in silence", 5)
        blocks += read_for(live, 0.5)[0]
        server.start()
        blocks += expect(live, "is back after", 20)
        blocks += read_for(live, 0.5)[0]
        # the count has gone on with the clock
        passed = (time.monotonic() - began) * 44100
        assert live.position - before == pytest.approx(passed, abs=0.5 * 44100)
        assert len(joined(blocks)) == live.position
        assert live.counters.reopened == 1
        taped = joined(expect(tape, "is back after", 20))
        assert tape.counters.reopened == 1
        assert np.array_equal(taped, Resampler(48000).process(sound[:, 0])[: len(taped)])
    finally:
        live.close()
        tape.close()
        server.end()
    assert list_devices() == []
