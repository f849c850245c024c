"""A clock that tests move, and sound devices that tests control."""

from itertools import pairwise

import numpy as np
import soundfile

from shared.errors import Failure
from shared.sound_card.client import Played, Recorded
from shared.sound_card.process import BLOCK_FRAMES


class StandingClock:
    """Seconds, moved by hand. It begins far from 0, as clocks do."""

    def __init__(self):
        self.seconds = 5000.0

    def __call__(self):
        return self.seconds

    def move(self, seconds):
        self.seconds += seconds


class FakeMicrophone:
    """Gives blocks of 512 frames of `sound`, float32 (n, channels that are wanted), stamped with the first frame's time."""

    def __init__(self, clock, sound, rate=44100, delay=0.0116):
        self.clock, self.sound, self.rate, self.delay = clock, sound, rate, delay
        self.over = self.closed = False
        self.begun = np.inf  # until it is connected
        self.given = 0  # frames
        self.late = 0.0  # s that the device has lost
        self.waiting = []

    def run(self, seconds, overflow=False):
        """Move the clock and record."""
        self.clock.move(seconds)
        while self.block_time(self.given + BLOCK_FRAMES) <= self.clock():
            samples = self.sound[self.given : self.given + BLOCK_FRAMES].astype(np.float32)
            samples = np.concatenate((samples, np.zeros((BLOCK_FRAMES - len(samples), samples.shape[1]), np.float32)))
            self.waiting.append(Recorded(self.given, samples, self.block_time(self.given), self.delay, overflow))
            self.given += BLOCK_FRAMES
            overflow = False

    def block_time(self, frame):
        return self.begun + self.late + frame / self.rate

    def take(self, timeout=0.0):
        taken, self.waiting = self.waiting, []
        return taken

    def close(self):
        self.closed = True


class FakeLoudspeaker:
    """Plays a block for every 512 frames of its rate that the clock moves."""

    def __init__(self, clock, rate=44100, channels=2, latency=0.02):
        self.clock, self.rate, self.channels, self.latency = clock, rate, channels, latency
        self.over = self.closed = False
        self.begun = clock()
        self.callbacks = self.played = 0
        self.waiting = []
        self.sound = [np.zeros((0, channels), np.float32)]

    def send(self, samples):
        assert samples.shape == (BLOCK_FRAMES, self.channels)
        self.waiting.append(samples.copy())

    def reports(self):
        reports = []
        while self.begun + self.callbacks * BLOCK_FRAMES / self.rate <= self.clock():
            heard = self.begun + self.callbacks * BLOCK_FRAMES / self.rate + self.latency
            number = -1
            if self.waiting:
                self.sound.append(self.waiting.pop(0))
                number, self.played = self.played, self.played + BLOCK_FRAMES
            reports.append(Played(number, heard, False))
            self.callbacks += 1
        return reports

    def close(self):
        self.closed = True


class Desk:
    """A socket for devices: `connect` returns the plugged one, or fails."""

    def __init__(self, device=None):
        self.device = device
        self.attempts = 0

    def connect(self):
        self.attempts += 1
        if self.device is None:
            raise Failure("it is not there")
        device, self.device = self.device, None
        device.begun = device.clock() + 0.05  # it takes a while until the first sound comes
        return device


def at_once(job):
    """In place of a thread."""
    job()


def noise(frames, channels=1, seed=0):
    """float32 (frames, channels), nowhere zero."""
    values = np.random.default_rng(seed).uniform(0.01, 0.3, (frames, channels))
    return (values * np.random.default_rng(seed + 1).choice([-1, 1], (frames, channels))).astype(np.float32)


def write(path, samples, rate=44100):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def joined(blocks):
    """The samples of blocks that follow each other without a hole."""
    for before, after in pairwise(blocks):
        assert after.position == before.position + len(before.samples)
    return np.concatenate([np.zeros(0, np.float32), *(block.samples for block in blocks)])
