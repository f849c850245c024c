"""What is heard of a sound, 86.13 times a second: the 23 descriptors, equal to the FluCoMa Toolkit's, and features of other
systems, equal to librosa's (docs/descriptors.md).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Shaped
from numpy.typing import NDArray

from shared.audio.cleaning import clean
from shared.audio.framing import Framer, tail
from shared.audio.librosa_features import MEL_BANDS, OnsetStrength, chroma, mel_bands
from shared.audio.loudness import Loudness
from shared.audio.mfcc import COEFFICIENTS, mfcc
from shared.audio.pitch import pitch
from shared.audio.resampling import Resampler
from shared.audio.spectral_shape import spectral_shape
from shared.audio.spectrum import power_and_magnitude
from shared.errors import SoundError
from shared.stage import WINDOW, Stage, State, concatenate


@dataclass(frozen=True)
class Descriptor:
    """A column of the descriptors."""

    name: str
    unit: str
    meaning: str


SHAPE = (
    Descriptor("centroid", "Hz", "mean frequency: brightness"),
    Descriptor("spread", "Hz", "standard deviation of frequency: width"),
    Descriptor("skewness", "", "asymmetry of the spectrum: positive where most of it is low"),
    Descriptor("kurtosis", "", "peakedness: 3 for a bell curve, 1.8 for a flat spectrum, higher for a tone"),
    Descriptor("rolloff", "Hz", "frequency below which 95 % of the magnitudes lie"),
    Descriptor("flatness", "dB", "geometric over arithmetic mean: 0 for a flat spectrum, negative for tones"),
    Descriptor("crest", "dB", "largest over mean magnitude: 0 for a flat spectrum, high for tones"),
)
MFCC = tuple(
    Descriptor(f"mfcc{i}", "dB", f"colour: the share of {i / 2:g} cosine waves in the mel spectrum")
    for i in range(1, COEFFICIENTS + 1)
)
PITCH = (
    Descriptor("pitch", "Hz", "fundamental frequency, 87 to 9800; 0 if there is none"),
    Descriptor("confidence", "", "periodicity: 0 for noise, 1 for a periodic sound (values slightly above 1 occur)"),
)
LOUDNESS = (Descriptor("loudness", "dB", "K-weighted level, as LUFS: a full-scale sine of 1 kHz -3, silence -157"),)

TABLE: tuple[Descriptor, ...] = SHAPE + MFCC + PITCH + LOUDNESS
DESCRIPTORS: tuple[str, ...] = tuple(row.name for row in TABLE)
"""The 23 names, in the order of the columns."""

ONSET = (Descriptor("onset", "dB", "mean rise of 128 mel bands since the last frame; 0 where nothing rises"),)
CHROMA = tuple(
    Descriptor(f"chroma{i}", "", f"energy of the pitch class {note}; 1 for the strongest")
    for i, note in enumerate(("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"), 1)
)
MEL = tuple(
    Descriptor(f"mel{i}", "dB", f"level of mel band {i} of {MEL_BANDS}, from 20 Hz to 10 kHz; silence -100")
    for i in range(1, MEL_BANDS + 1)
)
WIDE_TABLE: tuple[Descriptor, ...] = TABLE + ONSET + CHROMA + MEL
WIDE: tuple[str, ...] = tuple(row.name for row in WIDE_TABLE)
"""The 76 names of everything that can be heard, the 23 first."""

SetName = Literal["flucoma", "mel", "onsets+chroma", "combined"]
SETS: Mapping[SetName, tuple[str, ...]] = {
    "flucoma": DESCRIPTORS,
    "mel": tuple(row.name for row in MEL),
    "onsets+chroma": tuple(row.name for row in ONSET + CHROMA),
    "combined": WIDE,
}
"""Descriptor sets by name: the names of their columns."""


def heard(descriptor_set: SetName) -> tuple[str, ...]:
    """The columns that an analyzer must give for a set: the 23, or all 76. The loudness among the 23 opens the gate."""
    return DESCRIPTORS if descriptor_set == "flucoma" else WIDE


BATCH = 64  # frames analysed together: their data stays in the processor's cache
BLOCK = 65536  # samples, for a sound in memory


class Analyzer(Stage[NDArray[np.float32], NDArray[np.float64]]):
    """float32 (n,) samples at 44.1 kHz in, float64 (m, 23) descriptors out, a row for each complete frame.

    names: `DESCRIPTORS`, or `WIDE` for all 76. Only framing, loudness and onset strength have a memory. Descriptors of
    finite samples (see `cleaning`) are finite, for silence and for ±1e30 too.
    """

    def __init__(self, names: tuple[str, ...] = DESCRIPTORS) -> None:
        self.names = names
        """The columns."""
        self._framer = Framer()
        self._loudness = Loudness()
        self._onset = OnsetStrength() if names == WIDE else None
        self._mel = mel_bands() if names == WIDE else None
        self.latency = self._framer.latency

    def process(self, block: Float32[np.ndarray, "n"], /) -> Float64[np.ndarray, "m columns"]:
        """Describe every frame that is complete."""
        frames = self._framer.process(block)
        rows = np.empty((len(frames), len(self.names)))
        for first in range(0, len(frames), BATCH):
            self._describe(frames[first : first + BATCH], rows[first : first + BATCH])
        return rows

    def _describe(self, frames: NDArray[np.float32], rows: NDArray[np.float64]) -> None:
        power, magnitude = power_and_magnitude(frames)
        spectral_shape(magnitude, rows[:, 0:7])
        mfcc(magnitude, rows[:, 7:20])
        pitch(power, rows[:, 20:22])
        self._loudness.measure(frames, rows[:, 22:23])
        if self._onset is not None and self._mel is not None:
            self._onset.measure(power, rows[:, 23:24])
            chroma(power, rows[:, 24:36])
            self._mel.measure(power, rows[:, 36:76])

    def reset(self) -> None:
        """Start from silence."""
        self._framer.reset()
        self._loudness.reset()
        if self._onset is not None:
            self._onset.reset()

    def state(self) -> State:
        """The samples that later frames need, the loudness filter, and what onsets are measured against."""
        own = {**self._framer.state(), **self._loudness.state()}
        return own if self._onset is None else {**own, **self._onset.state()}

    def restore(self, state: State, /) -> None:
        """Continue from there."""
        self._framer.restore(state)
        self._loudness.restore(state)
        if self._onset is not None:
            self._onset.restore(state)


def warm_up(names: tuple[str, ...] = DESCRIPTORS) -> None:
    """Run every step once, so that the first frame of a show takes as long as the others."""
    Analyzer(names).process(np.zeros(2 * WINDOW, np.float32))


def describe_blocks(
    blocks: Iterable[Float32[np.ndarray, "n"]], names: tuple[str, ...] = DESCRIPTORS
) -> Iterator[Float64[np.ndarray, "m columns"]]:
    """Descriptors of a sound of n samples at 44.1 kHz, block by block: 1 + n // 512 rows in all, none for an empty sound.

    names: as for `Analyzer`.
    """
    analyzer = Analyzer(names)
    samples = 0
    for block in blocks:
        samples += len(block)
        yield analyzer.process(block)
    if samples:
        yield analyzer.process(np.zeros(tail(samples), np.float32))


def describe(samples: Shaped[np.ndarray, "..."], sample_rate: int) -> Float64[np.ndarray, "frames 23"]:
    """The descriptors of one channel of sound: floating point, nominally within ±1, at any rate.

    The sound is resampled to 44.1 kHz; NaN and infinite samples count as 0. Raises SoundError for samples of another
    shape or type, and for rates outside 1 kHz to 1 MHz.
    """
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        given = f"samples of shape {samples.shape} and type {samples.dtype}"
        raise SoundError(
            f"{given} given; one channel (n,) of floating-point numbers within ±1 is allowed; average the channels first"
        )
    resampler = Resampler(sample_rate)

    def blocks() -> Iterator[NDArray[np.float32]]:
        for first in range(0, len(samples), BLOCK):
            cleaned, _ = clean(samples[first : first + BLOCK])
            yield resampler.process(cleaned)
        yield resampler.finish()

    return concatenate(list(describe_blocks(blocks())), np.empty((0, len(DESCRIPTORS))))
