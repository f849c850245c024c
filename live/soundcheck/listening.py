"""Records a sound-check: 5 s of silence, then 30 s of playing, counted in samples. `findings` judges them."""

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
)  # samples of the silence left out: the player puts the hand back, the loudness filter settles
FULL_SCALE = 0.999  # a converter clips here
MOST_CLIPPED = SAMPLE_RATE // 1000  # samples at full scale that loud playing may have without clipping

Phase = Literal["silence", "playing", "analysis", "done", "refused", "off"]


@dataclass(frozen=True)
class Progress:
    """Where a sound-check is, with an instruction for the player."""

    phase: Phase
    seconds: int
    """Left in this phase."""
    line: str


class SoundCheck:
    """Records 35 s of a source, before any gain. One thread gives blocks, another asks for progress.

    Frames that were analysed elsewhere are judged as they are; no gain can be proposed for them. microphone: whether the
    source cannot give exact zeros.
    """

    def __init__(self, source: Source, microphone: bool) -> None:
        self._source, self._microphone = source, microphone
        self._lost = _lost(source)
        self._blocks: list[Block | FrameBlock] = []
        self._samples = 0
        self._any_sound = False  # other than exact zeros
        self._reported: Progress | None = None

    @property
    def complete(self) -> bool:
        """Whether everything is recorded."""
        return self._samples >= ALL

    def take(self, block: Block | FrameBlock) -> None:
        """The next block; blocks after the end are ignored."""
        if self.complete:
            return
        self._blocks.append(block)
        self._any_sound |= isinstance(block, FrameBlock) or bool(block.samples.any())
        self._samples += len(block.samples) if isinstance(block, Block) else len(block.frames) * HOP

    def progress(self) -> Progress | None:
        """Progress, once for every second; None if nothing has changed since the last call.

        Raises SoundError for a microphone that gives nothing but zeros.
        """
        recorded = self._samples
        if recorded >= SILENCE and self._microphone and not self._any_sound:
            raise SoundError(_ZEROS)
        if recorded >= ALL:
            now = Progress("analysis", 0, "thank you; analysing")
        elif recorded >= SILENCE:
            left = math.ceil((ALL - recorded) / SAMPLE_RATE)
            now = Progress("playing", left, f"now play for {left} s: loud, soft, high, low")
        else:
            left = math.ceil((SILENCE - recorded) / SAMPLE_RATE)
            now = Progress("silence", left, f"silence for {left} s, please")
        changed, self._reported = now != self._reported, now
        return now if changed else None

    def judge(self, preset: Preset) -> Findings:
        """The findings; takes some tenths of a second. Raises SoundError, with the reason, if there are none."""
        if _lost(self._source) > self._lost:
            raise SoundError("sound was lost while recording; start again when the input is stable")
        frames = [block.frames for block in self._blocks if isinstance(block, FrameBlock)]
        if frames:
            rows = np.concatenate(frames)[: ALL // HOP]
            if not np.ptp(rows, axis=0).any():
                raise SoundError("the descriptors never changed; start the program that sends them, and start again")
            return judge(*_parts(rows), lambda _: _parts(rows), preset, can_gain=False)
        samples = np.concatenate([block.samples for block in self._blocks if isinstance(block, Block)])[:ALL]
        if not samples.any():
            raise SoundError(_ZEROS)
        clipped = int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
        if clipped > MOST_CLIPPED:
            raise SoundError(
                f"the input clips: {clipped} samples at full scale; turn its gain down by 6 dB or more and start again"
            )

        def analysed(gain_db: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            """Both parts as the pipeline analyses them with that gain."""
            amplified = samples if gain_db == 0 else samples * np.float32(10 ** (gain_db / 20))
            return _parts(_described(amplified, preset.settings.heard))

        return judge(*analysed(0.0), analysed, preset)


_ZEROS = "the input gives nothing but zeros: it is muted or not plugged in; `ponticello devices` lists the others"


def _described(samples: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
    """The descriptors (m, columns), hop by hop, so that a running show gets its turn in between."""
    analyzer = Analyzer(names)
    return np.concatenate([analyzer.process(samples[at : at + HOP]) for at in range(0, len(samples), HOP)])


def _parts(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The frames that lie entirely in the settled silence, and those entirely in the playing."""
    first, last = -(-SETTLING // HOP) + 1, SILENCE // HOP - 1
    return rows[first : last + 1], rows[-(-SILENCE // HOP) + 1 :]


def _lost(source: Source) -> int:
    """A measure of lost sound that only grows."""
    return source.counters.gap_samples + source.counters.overflows
