"""A sound card as the input. The show goes on whatever happens to the device."""

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from live.sound.channels import Channels, average
from live.sound.clock import SampleClock
from live.sound.reconnect import Reconnector, in_background
from live.sound.source import LONGEST_GAP_S, Block, Clock, Source
from shared.audio.cleaning import clean
from shared.audio.resampling import Resampler
from shared.sound_card.client import Recorded
from shared.sound_card.process import BLOCK_FRAMES
from shared.stage import HOP, SAMPLE_RATE

STUCK_S = 3.5  # without a block: longer than the process of the sound card itself waits
ZEROS_S = 2.0  # of exact zeros, which no microphone gives: it is muted or not connected
LOST_S = 0.5 * BLOCK_FRAMES / SAMPLE_RATE  # a jump of the time stamps by so much means a lost block
SAME_S = 1.0  # the sound system may report the same loss within this time
AWAY_MARGIN_S = 0.1  # without a device, silence stays so far behind the clock: a device that returns is never early
DELAY_DECAY = 0.99  # per block: a long delay of a second ago counts half
MIRRORED = 6  # blocks kept for the fade-out, at least two hops
FADE = (np.cos(np.pi / 2 * (np.arange(HOP) + 0.5) / HOP) ** 2).astype(np.float32)


@runtime_checkable
class Microphone(Protocol):
    """An open recording device: `InputStream`, or a replacement in tests."""

    rate: int
    over: bool

    def take(self, timeout: float = 0.0) -> list[Recorded]:
        """The blocks since the last call, waiting up to `timeout` s for one."""

    def close(self) -> None:
        """Close it."""


class DeviceSession:
    """State that belongs to one opening of the device, at `rate` Hz."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.resampler = Resampler(rate)
        self.base: int | None = None  # the 44.1 kHz sample at its frame 0; None before its first block
        self.frames = 0  # of the device so far, including those that never arrived
        self.zeros = 0
        self.reported_zeros = False


class SoundCard(Source):
    """A recording device: channels cleaned, averaged, resampled to 44.1 kHz, gaps filled with silence.

    A device that fails is reopened when it is back. Until then silence arrives at the pace of the clock, so that the
    pictures go on; the last sound is faded out over its own mirror image, since the loudness gate holds the last frame
    that sounded and that should not be a click. If the engine stalled and sound was lost, silence of the same length
    replaces it. Losses in the sound system itself are counted, from its reports and from time stamps, but not filled: a
    gap would be two clicks where a splice is one.

    device_name: how `--input` finds the device; default: the label.
    """

    def __init__(
        self,
        label: str,
        connect: Callable[[], Microphone],
        channels: Channels,
        now: Clock = time.monotonic,
        spawn: Callable[[Callable[[], None]], None] = in_background,
        device_name: str = "",
    ) -> None:
        super().__init__(f"{label}, channel {channels}", now)
        self._name = label
        self.device_name = device_name or label
        """What `--input` finds the device by."""
        self._links = Reconnector(connect, now, spawn)
        self._clock = SampleClock()
        self._session = DeviceSession(SAMPLE_RATE)
        self._newest_blocks: deque[Block] = deque(maxlen=MIRRORED)
        self._delay_s = 0.0
        self._newest = 0.0  # time of the last block, or of opening
        self._reported_loss = -math.inf  # when the sound system last reported a loss

    def start(self) -> None:
        """Open the device. Raises UserError or Failure if that is impossible."""
        self._session = DeviceSession(self._links.open().rate)
        self._newest = self._now()
        self._clock.start(0, self._newest)

    def close(self) -> None:
        """Close the device."""
        self._links.close()

    @property
    def rate(self) -> int:
        """The rate at which the device runs, in Hz."""
        return self._session.rate

    @property
    def delay_samples(self) -> int:
        """Delay of the device's buffers, a block and the resampler, at most, according to recent time stamps."""
        return math.ceil(self._delay_s * SAMPLE_RATE) + self._session.resampler.delay

    def sample_at(self, time: float) -> float:
        """The sample at the microphone at this time."""
        return self._clock.sample_at(time)

    def time_of(self, sample: float) -> float:
        """The time at which this sample is at the microphone."""
        return self._clock.time_of(sample)

    def read(self, timeout: float = 0.0) -> list[Block]:
        """Sound from the device, or silence while it is disconnected."""
        link = self._links.link or self._returned()
        if link is None:
            time.sleep(timeout)
            return self._blocks(self._silence_due())
        recorded = link.take(timeout)
        pieces = [piece for block in recorded for piece in self._take(block)]
        if recorded:
            self._newest = self._now()
        elif link.over or self._now() - self._newest > STUCK_S:
            pieces += self._lose()
        return self._blocks(pieces)

    def _blocks(self, pieces: list[NDArray[np.float32]]) -> list[Block]:
        blocks = [self._block(piece) for piece in pieces if len(piece)]
        self._newest_blocks.extend(blocks)
        return blocks

    def _take(self, block: Recorded) -> list[NDArray[np.float32]]:
        """A block of the device at 44.1 kHz, preceded by silence for missing samples."""
        session, pieces = self._session, []
        if session.base is None:
            if self.position:  # the device is back: the rest of the silence
                pieces.append(self._silence(self._clock.sample_at(block.time) - self.position))
            session.base = self.position + sum(len(piece) for piece in pieces)
            self._clock.start(session.base, block.time)
        gap = max(0, block.number - session.frames)
        missing = self._silence(gap, session.rate)
        self.counters.gaps += gap > 0
        session.base -= round((gap - len(missing)) * SAMPLE_RATE / session.rate)
        samples, bad = clean(block.samples)
        self.counters.nonfinite += bad
        self._delay_s = max(block.delay, DELAY_DECAY * self._delay_s)
        self._notice_zeros(samples)
        self._notice_loss(session.base + block.number * SAMPLE_RATE / session.rate, block)
        session.frames = block.number + len(samples)
        return pieces + [session.resampler.process(piece) for piece in (missing, average(samples))]

    def _notice_loss(self, sample: float, block: Recorded) -> None:
        jump = self._clock.observe(sample, block.time)
        reported = self._reported_loss
        self._reported_loss = block.time if block.overflow else reported
        self.counters.overflows += block.overflow or (jump > LOST_S and block.time - reported > SAME_S)

    def _silence(self, missing: float, rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
        """Silence for missing samples, counted; none for a negative number, and at most 10 s."""
        filled = max(0, min(round(missing), round(LONGEST_GAP_S * rate)))
        self.counters.gap_samples += round(filled * SAMPLE_RATE / rate)
        return np.zeros(filled, np.float32)

    def _notice_zeros(self, samples: NDArray[np.float32]) -> None:
        session = self._session
        session.zeros = 0 if samples[0, 0] or samples.any() else session.zeros + len(samples)
        if session.zeros >= ZEROS_S * session.rate and not session.reported_zeros:
            session.reported_zeros = True
            self.tell(
                f"input {self._name} gives nothing but zeros: it is muted or not plugged in; on a Mac, give the terminal the "
                "microphone permission (System Settings, Privacy & Security, Microphone)"
            )

    def _lose(self) -> list[NDArray[np.float32]]:
        """The device has failed: the rest of its sound and a fade-out that ends on a hop."""
        self.tell(f"input {self._name} is disconnected; the show goes on in silence until it is back")
        self.counters.gaps += 1
        self._links.lose()
        rest = self._session.resampler.finish()
        to_hop = -(self.position + len(rest)) % HOP
        fading = np.concatenate((np.ones(to_hop, np.float32), FADE))
        last = [block.samples for block in self._newest_blocks]
        mirrored = np.concatenate((*last, rest))[::-1][: len(fading)]
        return [rest, mirrored * fading[: len(mirrored)]]

    def _returned(self) -> Microphone | None:
        away_s = self._links.away_s
        link = self._links.poll()
        if link is not None:
            self.counters.reopened += 1
            self.tell(f"input {self._name} is back after {away_s:.1f} s")
            self._session = DeviceSession(link.rate)
            self._newest = self._now()
        return link

    def _silence_due(self) -> list[NDArray[np.float32]]:
        """Silence up to the clock, in hops."""
        until = self._now() - AWAY_MARGIN_S
        longest = round(LONGEST_GAP_S * SAMPLE_RATE)
        if self._clock.sample_at(until) - self.position > longest:  # the machine was suspended
            self._clock.start(self.position + longest, until)
        return [self._silence(int(self._clock.sample_at(until) - self.position) // HOP * HOP)]
