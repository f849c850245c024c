"""Follow a tape that plays elsewhere, from the times it tells about ten times a second."""

from live.sound.clock import SampleClock
from live.sound.tape import Tape
from shared.stage import SAMPLE_RATE

JUMP_S = 0.080  # off by so much, we jump there; below, we run a little faster or slower
SETTLING_S, LARGEST_SLEW = 2.0, 0.03  # a distance shrinks by 1/e in so long; 3 % of speed is the most
FREE_AFTER_S = 0.5  # without a message


class Chase:
    """Keeps a tape at the time of another.

    Only the time at which samples are heard bends: the samples stay the file's own, so pitch and all else stay. Where a sound
    card plays them this time is the sound card's, and only jumps are left. Another tape that stands still, or is before our beginning
    or behind our end, holds ours.
    """

    def __init__(self, clock: SampleClock) -> None:
        self.paused = False
        """Whether somebody has paused the tape: then no message starts it."""
        self._clock = clock
        self._last: tuple[float, float] | None = None  # seconds of the other tape, and when
        self._slewing = False

    def follow(self, tape: Tape, seconds: float, at: float, now: float, may_slew: bool) -> None:
        """The other tape was at `seconds` at time `at` (s)."""
        stands = self._stands(seconds, at)
        self._last = (seconds, at)
        if self.paused:
            return
        if stands or not 0 <= seconds < tape.length / tape.rate:
            tape.pause()
            return
        # what is read next is heard at this time; the other tape will then be here
        heard = self._clock.time_of(tape.frames * SAMPLE_RATE / tape.rate)
        target = seconds + heard - at
        off = target - tape.place / tape.rate
        tape.plays = True
        if not tape.runs or abs(off) >= JUMP_S:
            tape.seek(round(target * tape.rate))
        elif may_slew:
            speed = 1 + max(-LARGEST_SLEW, min(off / SETTLING_S, LARGEST_SLEW))
            self._clock.start(self._clock.sample_at(now), now, speed)
            self._slewing = True

    def run_free(self, now: float) -> None:
        """Back to our own speed where no message has come for a while."""
        if self._slewing and self._last is not None and now - self._last[1] > FREE_AFTER_S:
            self._clock.start(self._clock.sample_at(now), now)
            self._slewing = False

    def _stands(self, seconds: float, at: float) -> bool:
        """Whether the other tape has hardly moved since its last message."""
        if self._last is None:
            return False
        moved, elapsed = seconds - self._last[0], at - self._last[1]
        return 0.02 < elapsed < FREE_AFTER_S and abs(moved) < elapsed / 2
