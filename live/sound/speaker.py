"""The sound card that a file plays through while it is analysed, and what its clock says."""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import soxr
from jaxtyping import Float32
from numpy.typing import NDArray

from live.sound.reconnect import Reconnector, in_background
from live.sound.source import Clock, SoundCounters
from shared.sound_card.client import Played
from shared.sound_card.process import BLOCK_FRAMES

STUCK_S = 3.5  # without a report or an end: longer than the sound card's process itself waits
RESERVE_S = 0.15  # of sound that waits at the sound card: what our threads may be late by


@runtime_checkable
class Loudspeaker(Protocol):
    """What plays: `OutputStream`, or what a test puts in its place."""

    rate: int
    channels: int
    over: bool

    def send(self, samples: Float32[np.ndarray, "512 channels"]) -> None:
        """One block behind the others."""

    def reports(self) -> list[Played]:
        """What has been played since the last call."""

    def close(self) -> None:
        """End it."""


class FrameTime(NamedTuple):
    """A frame of the stream, and when it is at the ear (s)."""

    frame: float
    time: float


class Speaker:
    """Plays a stream of `rate` Hz through a device of any rate, and takes the stream up again where it is after a failure.

    One thread calls it. Frames are counted at the stream's own rate.
    """

    def __init__(
        self,
        label: str,
        rate: int,
        connect: Callable[[], Loudspeaker],
        now: Clock = time.monotonic,
        spawn: Callable[[Callable[[], None]], None] = in_background,
    ) -> None:
        self.label, self.rate = label, rate
        self._links = Reconnector(connect, now, spawn)
        self._now = now
        self._hops: deque[tuple[int, NDArray[np.float32]]] = deque()
        self._told: list[str] = []

    def start(self) -> None:
        """Open the device. Raises UserError or Failure."""
        self._begin(self._links.open())

    def close(self) -> None:
        """Free the device."""
        self._links.close()

    def _begin(self, link: Loudspeaker) -> None:
        self._newest = self._now()  # when the last report came, or the device was opened
        self._base: int | None = None  # the stream's frame that is the device's frame 0
        self._sent = self._played = 0  # frames of the device
        self._resampler: soxr.ResampleStream | None = None
        self._rest = np.empty((0, link.channels), np.float32)

    def wanted(self) -> float:
        """Up to which frame of the stream the device should have it now."""
        link = self._links.link
        if link is None or self._base is None:
            return 0.0
        return self._base + self._played * self.rate / link.rate + RESERVE_S * self.rate

    def put(self, frame: int, hop: Float32[np.ndarray, "n channels"]) -> None:
        """The next part of the stream, which begins with its frame of this number."""
        self._hops.append((frame, hop))

    def work(self, at_ear: float, counters: SoundCounters) -> list[FrameTime]:
        """Send what the device needs now; what it has played since. `at_ear` is the frame that is heard now, as far as is known."""
        link = self._links.link or self._returned(at_ear, counters)
        if link is None or link.over or self._now() - self._newest > STUCK_S:
            self._hops = deque((frame, hop) for frame, hop in self._hops if frame + len(hop) > at_ear)
            if link is not None:
                self._told.append(f"output {self.label} is gone; the show goes on in the time of the clock")
                self._links.lose()
            return []
        heard = []
        for report in link.reports():
            self._newest = self._now()
            begun = self._played > 0
            counters.xruns += report.underflow or (begun and report.number < 0)
            if report.number >= 0 and self._base is not None:
                self._played = report.number + BLOCK_FRAMES
                heard.append(FrameTime(self._base + report.number * self.rate / link.rate, report.time))
        while self._hops and self._sent - self._played < RESERVE_S * link.rate:
            self._send(link)
        return heard

    def errors(self) -> list[str]:
        """What has happened since the last call, a line each."""
        told, self._told = self._told, []
        return told

    def _returned(self, at_ear: float, counters: SoundCounters) -> Loudspeaker | None:
        away_s = self._links.away_s
        link = self._links.poll()
        if link is not None:
            counters.reopened += 1
            self._told.append(f"output {self.label} is back after {away_s:.1f} s")
            self._begin(link)
            while len(self._hops) > 1 and self._hops[1][0] <= at_ear:
                self._hops.popleft()
        return link

    def _send(self, link: Loudspeaker) -> None:
        """One hop of the stream, as the device wants it."""
        frame, hop = self._hops.popleft()
        if self._base is None:
            self._base = frame
            if link.rate != self.rate:
                self._resampler = soxr.ResampleStream(
                    self.rate, link.rate, link.channels, dtype="float32", quality="HQ"
                )
        samples = spread(hop, link.channels)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        self._rest = np.concatenate((self._rest, samples))
        while len(self._rest) >= BLOCK_FRAMES:
            link.send(self._rest[:BLOCK_FRAMES])
            self._rest = self._rest[BLOCK_FRAMES:]
            self._sent += BLOCK_FRAMES


def outputs_for(channels: int, there: int) -> int:
    """How many channels of a device with so many `there` a file's `channels` are played on: mono on two."""
    return min(there, max(channels, 2))


def spread(samples: Float32[np.ndarray, "n channels"], outputs: int) -> Float32[np.ndarray, "n outputs"]:
    """Channels onto outputs: one on all, else one to one; more channels than outputs are averaged in turns."""
    channels = samples.shape[1]
    if channels == outputs:
        return np.ascontiguousarray(samples)
    if channels == 1:
        return np.repeat(samples, outputs, axis=1)
    mixed = np.zeros((len(samples), outputs), np.float32)
    for channel in range(channels):
        mixed[:, channel % outputs] += samples[:, channel]
    return mixed / np.float32(-(-channels // outputs))
