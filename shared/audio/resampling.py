"""From any sample rate to 44.1 kHz, in blocks."""

import math
from functools import cache

import numpy as np
import soxr
from jaxtyping import Float32

from shared.errors import SoundError
from shared.stage import SAMPLE_RATE

LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # Hz
QUALITY = "HQ"  # 20 bits, flat to 20 kHz; VHQ doubles the delay and changes no descriptor


class Resampler:
    """float32 (n,) blocks at `source_rate` Hz in, float32 blocks at 44.1 kHz out; the bits do not depend on the block sizes.

    n samples make floor(n · 44100 / source_rate + 1/2) in all, and the first ones coincide; `finish()` returns what the
    filter still holds. Sound at 44.1 kHz passes unchanged. This is no Stage, as the memory of libsoxr cannot be read; it
    stands before the pipeline. Raises SoundError for a rate outside 1 kHz to 1 MHz.
    """

    def __init__(self, source_rate: int) -> None:
        if not LOWEST_RATE <= source_rate <= HIGHEST_RATE:
            raise SoundError(
                f"a sample rate of {source_rate} Hz; allowed are {LOWEST_RATE} to {HIGHEST_RATE}; resample the sound first"
            )
        self.source_rate = source_rate
        self._stream = None if source_rate == SAMPLE_RATE else _stream(source_rate)

    @property
    def delay(self) -> int:
        """The largest delay in 44.1 kHz samples, measured with small blocks."""
        return 0 if self._stream is None else _longest_delay(self.source_rate)

    def process(self, block: Float32[np.ndarray, "n"]) -> Float32[np.ndarray, "m"]:
        """The samples that are ready; m may be 0."""
        if self._stream is None:
            return block
        out: Float32[np.ndarray, "m"] = self._stream.resample_chunk(np.ascontiguousarray(block))
        return out

    def finish(self) -> Float32[np.ndarray, "m"]:
        """The rest, at the end of the sound; no call may follow."""
        nothing = np.empty(0, np.float32)
        if self._stream is None:
            return nothing
        out: Float32[np.ndarray, "m"] = self._stream.resample_chunk(nothing, last=True)
        return out


def _stream(source_rate: int) -> soxr.ResampleStream:
    return soxr.ResampleStream(source_rate, SAMPLE_RATE, 1, dtype="float32", quality=QUALITY)


@cache
def _longest_delay(source_rate: int) -> int:
    """Measure the delay over a second of zeros: it varies, as soxr works in large steps, and its maximum counts."""
    stream = _stream(source_rate)
    block = np.zeros(64, np.float32)
    longest = 0.0
    for _ in range(source_rate // len(block)):
        stream.resample_chunk(block)
        longest = max(longest, stream.delay())
    return math.ceil(longest)
