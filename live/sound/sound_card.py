"""The live input: a sound card, or whatever the system calls one. The show goes on whatever happens to it."""

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

STUCK_S = 3.5  # without a block or an end: longer than the sound card's process itself waits
ZEROS_S = 2.0  # of exact zeros, which no microphone gives: something is not connected
LOST_S = 0.5 * BLOCK_FRAMES / SAMPLE_RATE  # stamps that jump so far: the sound system has lost a block
SAME_S = 1.0  # it may also say so itself, about now
AWAY_MARGIN_S = (
    0.1  # while a device is away, silence stays so far behind the clock: what comes back never comes too early
)
DELAY_DECAY = 0.99  # a block: a delay that was long a second ago counts half
MIRRORED = 6  # blocks that are kept, at least two hops
FADE = (np.cos(np.pi / 2 * (np.arange(HOP) + 0.5) / HOP) ** 2).astype(np.float32)
NO_SAMPLES = np.empty(0, np.float32)


@runtime_checkable
class Microphone(Protocol):
    """What a sound card is to us: `InputStream`, or what a test puts in its place."""

    rate: int
    over: bool

    def take(self, timeout: float = 0.0) -> list[Recorded]:
        """The blocks that have come since, waiting up to `timeout` s for one."""

    def close(self) -> None:
        """End it."""


class DeviceSession:
    """What belongs to one opening of the device, at `rate` Hz."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.resampler = Resampler(rate)
        self.base: int | None = None  # our sample at its frame 0; None until its first block comes
        self.frames = 0  # of it so far, those in between that never reached us too
        self.zeros = 0
        self.told_zeros = False


class SoundCard(Source):
    """A recording device: its channels cleaned, averaged, resampled to 44.1 kHz, its gaps filled with silence.

    A device that fails is opened again as soon as it is back. Until then silence comes in the time of the clock, so that
    the pictures go on; the sound that broke off is faded out over its own mirror image, since the loudness gate holds the
    last frame that sounded and that should not be a click. Where the engine stalled so long that sound had to go, silence
    of that length takes its place. What the sound system itself loses is counted, from its word and from its stamps, and
    nothing is put in: a hole would be two clicks where a splice is one.
    """

    def __init__(
        self,
        label: str,
        connect: Callable[[], Microphone],
        channels: Channels,
        now: Clock = time.monotonic,
        spawn: Callable[[Callable[[], None]], None] = in_background,
    ) -> None:
        super().__init__(f"{label}, channel {channels}", now)
        self._name = label
        self._links = Reconnector(connect, now, spawn)
        self._clock = SampleClock()
        self._session = DeviceSession(SAMPLE_RATE)
        self._newest_blocks: deque[Block] = deque(maxlen=MIRRORED)
        self._delay_s = 0.0
        self._newest = 0.0  # when the last block came, or the device was opened
        self._said_lost = -math.inf  # when the sound system last said that it lost sound

    def start(self) -> None:
        """Open the device; UserError or Failure where that is impossible."""
        self._session = DeviceSession(self._links.open().rate)
        self._newest = self._now()
        self._clock.start(0, self._newest)

    def close(self) -> None:
        """Free the device."""
        self._links.close()

    @property
    def delay_samples(self) -> int:
        """What the device's buffers, a block and the resampler hold back at most, as the stamps of late tell it."""
        return math.ceil(self._delay_s * SAMPLE_RATE) + self._session.resampler.delay

    def sample_at(self, time: float) -> float:
        """The sample at the microphone at this time."""
        return self._clock.sample_at(time)

    def time_of(self, sample: float) -> float:
        """When this sample was, or will be, at the microphone."""
        return self._clock.time_of(sample)

    def read(self, timeout: float = 0.0) -> list[Block]:
        """What the device has given, or silence while it is away."""
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
        """A block of the device as samples at 44.1 kHz, and before it silence for what is missing."""
        session, pieces = self._session, []
        if session.base is None:
            if self.position:  # it is back: the rest of the silence
                pieces.append(self._silence(self._clock.sample_at(block.time) - self.position))
            session.base = self.position + sum(len(piece) for piece in pieces)
            self._clock.start(session.base, block.time)
        gap = max(0, block.number - session.frames)
        missing = self._silence(gap, session.rate)
        self.counters.gaps += gap > 0
        session.base -= round((gap - len(missing)) * SAMPLE_RATE / session.rate)
        heard, bad = clean(block.samples)
        self.counters.nonfinite += bad
        self._delay_s = max(block.delay, DELAY_DECAY * self._delay_s)
        self._notice_zeros(heard)
        self._notice_loss(session.base + block.number * SAMPLE_RATE / session.rate, block)
        session.frames = block.number + len(heard)
        return pieces + [session.resampler.process(piece) for piece in (missing, average(heard))]

    def _notice_loss(self, sample: float, block: Recorded) -> None:
        jump = self._clock.observe(sample, block.time)
        said = self._said_lost
        self._said_lost = block.time if block.overflow else said
        self.counters.overflows += block.overflow or (jump > LOST_S and block.time - said > SAME_S)

    def _silence(self, missing: float, rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
        """Silence for that many missing samples, counted: none for a negative number, and not for all of a very long gap."""
        filled = max(0, min(round(missing), round(LONGEST_GAP_S * rate)))
        self.counters.gap_samples += round(filled * SAMPLE_RATE / rate)
        return np.zeros(filled, np.float32)

    def _notice_zeros(self, heard: NDArray[np.float32]) -> None:
        session = self._session
        session.zeros = 0 if heard[0, 0] or heard.any() else session.zeros + len(heard)
        if session.zeros >= ZEROS_S * session.rate and not session.told_zeros:
            session.told_zeros = True
            self.tell(
                f"input {self._name} gives nothing but zeros: it is muted or not plugged in; on a Mac, give the terminal the "
                "microphone permission (System Settings, Privacy & Security, Microphone)"
            )

    def _lose(self) -> list[NDArray[np.float32]]:
        """The device has failed: the rest of its sound and, ending on a hop, its fading."""
        self.tell(f"input {self._name} is gone; the show goes on in silence and takes it up again when it is back")
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
        most = round(LONGEST_GAP_S * SAMPLE_RATE)
        if self._clock.sample_at(until) - self.position > most:  # the machine has slept
            self._clock.start(self.position + most, until)
        return [self._silence(int(self._clock.sample_at(until) - self.position) // HOP * HOP)]
