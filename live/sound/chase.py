"""Follows a tape that plays elsewhere and sends its position about ten times a second."""

from live.sound.clock import SampleClock
from live.sound.tape import Tape
from shared.stage import SAMPLE_RATE

JUMP_S = 0.080  # from this distance on, jump; below it, run slightly faster or slower
SETTLING_S, LARGEST_SLEW = 2.0, 0.03  # time constant of the correction; at most 3 % of speed
FREE_AFTER_S = 0.5  # without a message


class Chase:
    """Keeps a tape at the position of another one.

    Only the time at which samples are heard changes, never the samples, so the pitch stays. If a sound card plays them, it
    sets that time, and only jumps remain. If the other tape stands still, or is outside our file, ours pauses.
    """

    def __init__(self, clock: SampleClock) -> None:
        self.paused = False
        """Whether the player has paused the tape; messages do not start it then."""
        self._clock = clock
        self._last: tuple[float, float] | None = None  # position of the other tape in seconds, and when
        self._slewing = False

    def follow(self, tape: Tape, seconds: float, at: float, now: float, may_slew: bool) -> None:
        """The other tape was at `seconds` at time `at` (s, monotonic)."""
        stands = self._stands(seconds, at)
        self._last = (seconds, at)
        if self.paused:
            return
        if stands or not 0 <= seconds < tape.length / tape.rate:
            tape.pause()
            return
        # when the next samples are heard, and where the other tape is then
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
        """Return to normal speed if no message has arrived for a while."""
        if self._slewing and self._last is not None and now - self._last[1] > FREE_AFTER_S:
            self._clock.start(self._clock.sample_at(now), now)
            self._slewing = False

    def _stands(self, seconds: float, at: float) -> bool:
        """Whether the other tape has barely moved since its last message."""
        if self._last is None:
            return False
        moved, elapsed = seconds - self._last[0], at - self._last[1]
        return 0.02 < elapsed < FREE_AFTER_S and abs(moved) < elapsed / 2
