"""A sound file as the input, played through the sound card or paced by the clock alone."""

import math
import threading
import time

import numpy as np

from live.sound.channels import Channels, average
from live.sound.chase import Chase
from live.sound.clock import SampleClock
from live.sound.sample_queue import SampleQueue
from live.sound.source import LONGEST_GAP_S, Block, Clock, Source
from live.sound.speaker import Speaker
from live.sound.tape import Tape
from shared.audio.resampling import Resampler
from shared.errors import Failure, SettingError
from shared.stage import HOP, SAMPLE_RATE

PERIOD_S = 0.01  # of the thread that reads the file
MARGIN = round(0.1 * SAMPLE_RATE)  # samples read beyond what is needed now


class FileInput(Source):
    """A tape whose sample n is heard at `time_of(n)`, and read by the engine `ahead_samples` earlier.

    With a speaker, that time follows the sound card (a line through its time stamps), otherwise the clock. Sound and
    analysis use the same stream, in which play, pause, seek and loop happen, so they match to the sample. A command is
    heard with the delay by which the engine, or the sound card (about 0.2 s), reads ahead. At the end and in a pause the
    stream continues with silence.
    """

    def __init__(
        self,
        tape: Tape,
        channels: Channels,
        speaker: Speaker | None = None,
        ahead_samples: int = 0,
        now: Clock = time.monotonic,
        background: bool = True,
    ) -> None:
        super().__init__(f"{tape.path.name}, channel {channels}", now)
        self.file = tape.path
        self.ahead_samples = ahead_samples
        """How far ahead of the ear the engine reads; can be changed at any time."""
        channels.check(tape.channels, str(tape.path))
        self._tape = tape
        self._columns = channels.columns
        self._speaker = speaker
        self._background = background
        self._resampler = Resampler(tape.rate)
        self._queue = SampleQueue(round(LONGEST_GAP_S * SAMPLE_RATE))
        self._clock = SampleClock()
        self._chase = Chase(self._clock)
        self._damage: str | None = None
        self._lock = threading.Lock()  # of tape, queue and chase
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to play. If the sound card cannot be opened, the clock paces the file and `errors` says why."""
        if self._speaker is not None:
            try:
                self._speaker.start()
            except Failure as error:
                self._speaker = None
                self.tell(f"the file is not audible, it is paced by the clock: {error}")
        self._clock.start(0, self._now())
        self.work()
        if self._background:
            self._thread = threading.Thread(target=self._run, name="sound file", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop and free the sound card."""
        self._closed.set()
        if self._speaker is not None:
            self._speaker.close()
        if self._thread is not None:
            self._thread.join()
        self._tape.close()

    def read(self, timeout: float = 0.0) -> list[Block]:
        """The sound up to `ahead_samples` from now, in hops."""
        deadline = self._now() + timeout
        while True:
            if not self._background:
                self.work()
            with self._lock:
                blocks = self._release()
            now = self._now()
            if blocks or now >= deadline:
                return blocks
            due = self._clock.time_of(self.position + HOP - self.ahead_samples)
            time.sleep(min(max(due - now, 0.001), deadline - now))

    def sample_at(self, time: float) -> float:
        """The sample heard at this time."""
        return self._clock.sample_at(time)

    def time_of(self, sample: float) -> float:
        """The time at which this sample is heard."""
        return self._clock.time_of(sample)

    @property
    def ended(self) -> bool:
        """Whether the file has been read to its end."""
        return self.ended_at is not None and self.position >= self.ended_at

    @property
    def ended_at(self) -> int | None:
        """The number of samples up to the end of the file; None before the tape has reached it."""
        frames = self._tape.ended_at
        return None if frames is None else math.floor(frames * SAMPLE_RATE / self._tape.rate + 0.5)

    @property
    def playing(self) -> bool:
        """Whether it plays: neither paused nor at its end."""
        return not self._chase.paused and self._tape.ended_at is None

    @property
    def duration_s(self) -> float:
        """Duration of the file."""
        return self._tape.length / self._tape.rate

    @property
    def place_s(self) -> float:
        """The position in the file that is heard now, in seconds."""
        with self._lock:
            frame = math.floor(self._clock.sample_at(self._now()) * self._tape.rate / SAMPLE_RATE)
            return self._tape.place_at(max(0, frame)).frame / self._tape.rate

    @property
    def loop(self) -> bool:
        """Whether the file repeats."""
        return self._tape.loop

    @loop.setter
    def loop(self, on: bool) -> None:
        self._tape.loop = on

    def play(self) -> None:
        """Continue; from the beginning if the file has ended."""
        with self._lock:
            self._chase.paused = False
            self._tape.play()

    def pause(self) -> None:
        """Pause; the picture stays."""
        with self._lock:
            self._chase.paused = True
            self._tape.pause()

    def seek(self, seconds: float) -> None:
        """Jump to this position in the file."""
        if not math.isfinite(seconds):
            raise SettingError(f"seek {seconds} given; allowed are 0 to {self.duration_s:.3f} s")
        with self._lock:
            self._tape.seek(round(seconds * self._tape.rate))

    def chase(self, seconds: float, at: float | None = None) -> None:
        """Follow a tape that plays elsewhere and is at `seconds` at time `at` of the clock (default: now)."""
        if not math.isfinite(seconds):
            raise SettingError(f"time {seconds} given; allowed are seconds from the start of the tape")
        now = self._now()
        with self._lock:
            self._chase.follow(self._tape, seconds, now if at is None else at, now, self._speaker is None)

    def errors(self) -> list[str]:
        """Messages since the last call, one line each."""
        if self._tape.damage != self._damage:
            self._damage = self._tape.damage
            self.tell(f"{self._damage}; record or export it again")
        return super().errors()

    def _run(self) -> None:
        while not self._closed.wait(PERIOD_S):
            self.work()

    def work(self) -> None:
        """Read the file as far as needed now, and play it."""
        now = self._now()
        with self._lock:
            self._chase.run_free(now)
            needed = self._clock.sample_at(now) + self.ahead_samples + MARGIN * self._background
            if (
                needed - self._queue.end > LONGEST_GAP_S * SAMPLE_RATE
            ):  # the machine was suspended, and the tape with it
                self._clock.start(self._queue.end - self.ahead_samples, now)
                needed = self._queue.end
            to_frame = self._speaker.wanted() if self._speaker is not None else 0.0
            hops = []
            while self._queue.end < needed or self._tape.frames < to_frame:
                frame = self._tape.frames
                hop = self._tape.next()
                hops.append((frame, hop))
                self.counters.nonfinite = self._tape.nonfinite
                self._queue.put(self._resampler.process(average(hop[:, self._columns])))
        if self._speaker is not None:
            self._play(self._speaker, hops, now)

    def _play(self, speaker: Speaker, hops: list[tuple[int, np.ndarray]], now: float) -> None:
        """Play outside the lock: a sound card may block, the engine must not wait."""
        for frame, hop in hops:
            speaker.put(frame, hop)
        rate = self._tape.rate
        for stamp in speaker.work(self._clock.sample_at(now) * rate / SAMPLE_RATE, self.counters):
            self._clock.observe(stamp.frame * SAMPLE_RATE / rate, stamp.time)
        for line in speaker.errors():
            self.tell(line)

    def _release(self) -> list[Block]:
        """What the engine can have now."""
        until = self._clock.sample_at(self._now()) + self.ahead_samples
        hops = min(math.floor(until) - self.position, len(self._queue)) // HOP
        if hops <= 0:
            return []
        if self._queue.lost > self.counters.gap_samples:  # the engine stalled for longer than the queue holds
            self.counters.gaps += 1
            self.counters.gap_samples = self._queue.lost
        return [self._block(self._queue.take(hops * HOP))]
