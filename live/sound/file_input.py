"""A sound file as the input: played through the sound card at the same time, or paced by the clock alone."""

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
MARGIN = round(0.1 * SAMPLE_RATE)  # samples that it reads further than is needed at the moment


class FileInput(Source):
    """A tape whose sample n is heard at `time_of(n)`, and read by the engine `ahead_samples` before.

    With a speaker that time is the sound card's own (a line through its stamps), else the clock's. Sound and analysis come
    from the same stream, in which play, pause, seek and loop happen: both stay together to the sample, and a command is
    heard as late as the engine reads ahead (or the sound card, if that is more: about 0.2 s). The stream goes on in
    silence at the end and in a pause.
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
        self.ahead_samples = ahead_samples
        """How far before the ear the engine reads; it may be changed at any time."""
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
        """Begin to play. Where the sound card cannot be opened, the clock paces the file and `errors` tells why."""
        if self._speaker is not None:
            try:
                self._speaker.start()
            except Failure as error:
                self._speaker = None
                self.tell(f"not played, but paced by the clock: {error}")
        self._clock.start(0, self._now())
        self._work()
        if self._background:
            self._thread = threading.Thread(target=self._run, name="sound file", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop, and free the sound card."""
        self._closed.set()
        if self._speaker is not None:
            self._speaker.close()
        if self._thread is not None:
            self._thread.join()
        self._tape.close()

    def read(self, timeout: float = 0.0) -> list[Block]:
        """The sound that is heard within `ahead_samples` from now, in hops."""
        deadline = self._now() + timeout
        while True:
            if not self._background:
                self._work()
            with self._lock:
                blocks = self._release()
            now = self._now()
            if blocks or now >= deadline:
                return blocks
            due = self._clock.time_of(self.position + HOP - self.ahead_samples)
            time.sleep(min(max(due - now, 0.001), deadline - now))

    def sample_at(self, time: float) -> float:
        """The sample that is heard at this time."""
        return self._clock.sample_at(time)

    def time_of(self, sample: float) -> float:
        """When this sample is heard."""
        return self._clock.time_of(sample)

    @property
    def ended(self) -> bool:
        """Whether the file's last sound has been read."""
        return self.ended_at is not None and self.position >= self.ended_at

    @property
    def ended_at(self) -> int | None:
        """The count of samples up to the file's end, once the tape has come to it."""
        frames = self._tape.ended_at
        return None if frames is None else math.floor(frames * SAMPLE_RATE / self._tape.rate + 0.5)

    @property
    def playing(self) -> bool:
        """Whether there is sound to come and nobody has paused it."""
        return not self._chase.paused and self._tape.ended_at is None

    @property
    def duration_s(self) -> float:
        """Length of the file."""
        return self._tape.length / self._tape.rate

    @property
    def place_s(self) -> float:
        """The part of the file that is heard now, in seconds from its beginning."""
        with self._lock:
            frame = math.floor(self._clock.sample_at(self._now()) * self._tape.rate / SAMPLE_RATE)
            return self._tape.place_at(max(0, frame)).frame / self._tape.rate

    @property
    def loop(self) -> bool:
        """Whether the file begins again at its end."""
        return self._tape.loop

    @loop.setter
    def loop(self, on: bool) -> None:
        self._tape.loop = on

    def play(self) -> None:
        """Go on; from the beginning, where the file has ended."""
        with self._lock:
            self._chase.paused = False
            self._tape.play()

    def pause(self) -> None:
        """Stand still; the picture that is shown stays."""
        with self._lock:
            self._chase.paused = True
            self._tape.pause()

    def seek(self, seconds: float) -> None:
        """Go to this time of the file."""
        if not math.isfinite(seconds):
            raise SettingError(f"seek {seconds} given; allowed are 0 to {self.duration_s:.3f} s")
        with self._lock:
            self._tape.seek(round(seconds * self._tape.rate))

    def chase(self, seconds: float, at: float | None = None) -> None:
        """A tape that plays elsewhere is at `seconds` at this time of the clock (now, if none is given): be there too."""
        if not math.isfinite(seconds):
            raise SettingError(f"time {seconds} given; allowed are seconds from the beginning of the tape")
        now = self._now()
        with self._lock:
            self._chase.follow(self._tape, seconds, now if at is None else at, now, self._speaker is None)

    def errors(self) -> list[str]:
        """What has happened since the last call, a line each."""
        if self._tape.damage != self._damage:
            self._damage = self._tape.damage
            self.tell(f"{self._damage}; record or export it again")
        return super().errors()

    def _run(self) -> None:
        while not self._closed.wait(PERIOD_S):
            self._work()

    def _work(self) -> None:
        """Read the file as far as it is needed now, and play it."""
        now = self._now()
        with self._lock:
            self._chase.run_free(now)
            needed = self._clock.sample_at(now) + self.ahead_samples + MARGIN * self._background
            if needed - self._queue.end > LONGEST_GAP_S * SAMPLE_RATE:  # the machine has slept, and the tape with it
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
        """Outside of the lock: a sound card may keep us waiting, the engine not."""
        for frame, hop in hops:
            speaker.put(frame, hop)
        rate = self._tape.rate
        for heard in speaker.work(self._clock.sample_at(now) * rate / SAMPLE_RATE, self.counters):
            self._clock.observe(heard.frame * SAMPLE_RATE / rate, heard.time)
        for line in speaker.errors():
            self.tell(line)

    def _release(self) -> list[Block]:
        """What the engine may have by now."""
        until = self._clock.sample_at(self._now()) + self.ahead_samples
        hops = min(math.floor(until) - self.position, len(self._queue)) // HOP
        if hops <= 0:
            return []
        if self._queue.lost > self.counters.gap_samples:  # the engine has stalled for longer than we keep
            self.counters.gaps += 1
            self.counters.gap_samples = self._queue.lost
        return [self._block(self._queue.take(hops * HOP))]
