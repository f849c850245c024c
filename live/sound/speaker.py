"""The sound card that plays a file while it is analysed, and the time stamps of its clock."""

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

STUCK_S = 3.5  # without a report: longer than the process of the sound card itself waits
RESERVE_S = 0.15  # of sound buffered at the sound card, by which our threads may be late


@runtime_checkable
class Loudspeaker(Protocol):
    """An open playback device: `OutputStream`, or a replacement in tests."""

    rate: int
    channels: int
    over: bool

    def send(self, samples: Float32[np.ndarray, "512 channels"]) -> None:
        """Append a block."""

    def reports(self) -> list[Played]:
        """Reports of the blocks played since the last call."""

    def close(self) -> None:
        """Close it."""


class FrameTime(NamedTuple):
    """A frame of the stream, and when it is at the ear (s, monotonic)."""

    frame: float
    time: float


class Speaker:
    """Plays a stream of `rate` Hz through a device of any rate. After a failure it continues where the stream is then.

    One thread calls it. Frames are counted at the rate of the stream.
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
        self._lines: list[str] = []

    def start(self) -> None:
        """Open the device. Raises UserError or Failure."""
        self._begin(self._links.open())

    def close(self) -> None:
        """Close the device."""
        self._links.close()

    def _begin(self, link: Loudspeaker) -> None:
        self._newest = self._now()  # time of the last report, or of opening
        self._base: int | None = None  # the frame of the stream at frame 0 of the device
        self._sent = self._played = 0  # frames of the device
        self._resampler: soxr.ResampleStream | None = None
        self._rest = np.empty((0, link.channels), np.float32)

    def wanted(self) -> float:
        """The frame of the stream up to which the device should be filled now."""
        link = self._links.link
        if link is None or self._base is None:
            return 0.0
        return self._base + self._played * self.rate / link.rate + RESERVE_S * self.rate

    def put(self, frame: int, hop: Float32[np.ndarray, "n channels"]) -> None:
        """Append a part of the stream that starts with this frame."""
        self._hops.append((frame, hop))

    def work(self, at_ear: float, counters: SoundCounters) -> list[FrameTime]:
        """Send what the device needs now; return the stamps of what it has played. at_ear: the frame heard now, as far as known."""
        link = self._links.link or self._returned(at_ear, counters)
        if link is None or link.over or self._now() - self._newest > STUCK_S:
            self._hops = deque((frame, hop) for frame, hop in self._hops if frame + len(hop) > at_ear)
            if link is not None:
                self._lines.append(f"output {self.label} is disconnected; the show goes on at the pace of the clock")
                self._links.lose()
            return []
        stamps = []
        for report in link.reports():
            self._newest = self._now()
            started = self._played > 0
            counters.xruns += report.underflow or (started and report.number < 0)
            if report.number >= 0 and self._base is not None:
                self._played = report.number + BLOCK_FRAMES
                stamps.append(FrameTime(self._base + report.number * self.rate / link.rate, report.time))
        while self._hops and self._sent - self._played < RESERVE_S * link.rate:
            self._send(link)
        return stamps

    def errors(self) -> list[str]:
        """Messages since the last call, one line each."""
        lines, self._lines = self._lines, []
        return lines

    def _returned(self, at_ear: float, counters: SoundCounters) -> Loudspeaker | None:
        away_s = self._links.away_s
        link = self._links.poll()
        if link is not None:
            counters.reopened += 1
            self._lines.append(f"output {self.label} is back after {away_s:.1f} s")
            self._begin(link)
            while len(self._hops) > 1 and self._hops[1][0] <= at_ear:
                self._hops.popleft()
        return link

    def _send(self, link: Loudspeaker) -> None:
        """Send one hop of the stream in the format of the device."""
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


def outputs_for(channels: int, available: int) -> int:
    """Channels of a device, of those available, on which a file with `channels` channels is played; mono uses two."""
    return min(available, max(channels, 2))


def spread(samples: Float32[np.ndarray, "n channels"], outputs: int) -> Float32[np.ndarray, "n outputs"]:
    """Map channels to outputs: one to all, otherwise one to one; surplus channels are averaged in turn."""
    channels = samples.shape[1]
    if channels == outputs:
        return np.ascontiguousarray(samples)
    if channels == 1:
        return np.repeat(samples, outputs, axis=1)
    mixed = np.zeros((len(samples), outputs), np.float32)
    for channel in range(channels):
        mixed[:, channel % outputs] += samples[:, channel]
    return mixed / np.float32(-(-channels // outputs))
