"""A sound-check: 5 s of the hall's silence, then 30 s of playing, counted in samples. `soundcheck_findings` judges them."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from live.sound.source import Block, FrameBlock, Source
from live.soundcheck.findings import Findings, judge
from shared.audio.descriptors import Analyzer
from shared.errors import SoundError
from shared.preset import Preset
from shared.stage import HOP, SAMPLE_RATE

SILENCE_S, PLAYING_S = 5, 30
SILENCE, ALL = SILENCE_S * SAMPLE_RATE, (SILENCE_S + PLAYING_S) * SAMPLE_RATE  # samples
SETTLING = (
    SAMPLE_RATE // 2
)  # of the silence, left out: whoever began it puts the hand back, the loudness filter swings in
FULL_SCALE = 0.999  # where a converter clips
MOST_CLIPPED = SAMPLE_RATE // 1000  # samples at full scale: loud, but not clipped, is a few

Phase = Literal["silence", "playing", "analysis", "done", "refused", "off"]


@dataclass(frozen=True)
class Progress:
    """Where a sound-check is, and what the player is to do, or to know."""

    phase: Phase
    seconds: int
    """Left of this phase."""
    line: str


class SoundCheck:
    """Takes in 35 s of a source, before any gain. One thread gives, another asks how far it is.

    What comes as frames, analysed elsewhere, is judged as it is: no gain can be proposed for it. A source that cannot give
    exact zeros is a `microphone`.
    """

    def __init__(self, source: Source, microphone: bool) -> None:
        self._source, self._microphone = source, microphone
        self._lost = _lost(source)
        self._blocks: list[Block | FrameBlock] = []
        self._heard = 0  # samples
        self._anything = False  # but exact zeros
        self._told: Progress | None = None

    @property
    def complete(self) -> bool:
        """Whether all has been heard."""
        return self._heard >= ALL

    def take(self, block: Block | FrameBlock) -> None:
        """The next sound; what comes after the end is left out."""
        if self.complete:
            return
        self._blocks.append(block)
        self._anything |= isinstance(block, FrameBlock) or bool(block.samples.any())
        self._heard += len(block.samples) if isinstance(block, Block) else len(block.frames) * HOP

    def progress(self) -> Progress | None:
        """Where it is, each second; None where nothing has changed since the last call.

        SoundError where it need not go on: a microphone that gives nothing but zeros.
        """
        heard = self._heard
        if heard >= SILENCE and self._microphone and not self._anything:
            raise SoundError(_DEAD)
        if heard >= ALL:
            now = Progress("analysis", 0, "thank you; listening to it")
        elif heard >= SILENCE:
            left = math.ceil((ALL - heard) / SAMPLE_RATE)
            now = Progress("playing", left, f"now play, {left} s: loud, soft, high, low")
        else:
            left = math.ceil((SILENCE - heard) / SAMPLE_RATE)
            now = Progress("silence", left, f"{left} s of silence, please")
        changed, self._told = now != self._told, now
        return now if changed else None

    def find(self, preset: Preset) -> Findings:
        """What it tells: takes some tenths of a second. SoundError where it says nothing, and why."""
        if _lost(self._source) > self._lost:
            raise SoundError("sound got lost on the way; begin again when the input runs steadily")
        frames = [block.frames for block in self._blocks if isinstance(block, FrameBlock)]
        if frames:
            rows = np.concatenate(frames)[: ALL // HOP]
            if not np.ptp(rows, axis=0).any():
                raise SoundError("the same descriptors came all the time; start the program that sends them")
            return judge(*_parts(rows), lambda _: _parts(rows), preset, can_gain=False)
        samples = np.concatenate([block.samples for block in self._blocks if isinstance(block, Block)])[:ALL]
        if not samples.any():
            raise SoundError(_DEAD)
        clipped = int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
        if clipped > MOST_CLIPPED:
            raise SoundError(
                f"the input clips: {clipped} samples at full scale; turn its gain down by 6 dB or more and begin again"
            )

        def analysed(gain_db: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            """As the pipeline hears it with that gain."""
            return _parts(_described(samples if gain_db == 0 else samples * np.float32(10 ** (gain_db / 20))))

        return judge(*analysed(0.0), analysed, preset)


_DEAD = "nothing but zeros came in: the input is muted or not plugged in; ponticello devices lists the others"


def _described(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """The descriptors (m, 23), hop by hop: a show beside this gets its turn in between."""
    analyzer = Analyzer()
    return np.concatenate([analyzer.process(samples[at : at + HOP]) for at in range(0, len(samples), HOP)])


def _parts(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The frames that lie wholly in the silence, settled, and those that lie wholly in the playing."""
    first, last = -(-SETTLING // HOP) + 1, SILENCE // HOP - 1
    return rows[first : last + 1], rows[-(-SILENCE // HOP) + 1 :]


def _lost(source: Source) -> int:
    """How often and how much sound was lost so far: it can only grow."""
    return source.counters.gap_samples + source.counters.overflows
