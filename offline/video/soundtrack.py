"""The sound in a film: where its samples come from, and how each kind of file keeps it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from shared.errors import UserError

# ffmpeg's AAC encoder: sampling frequencies of ISO/IEC 14496-3 table 1.18 and the bit rate it is given
AAC_RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)  # Hz
AAC_BITS_PER_CHANNEL = 160_000  # per second
# Layouts without a low-frequency channel: AAC keeps only the bass of that one, and which of an artist's eight
# loudspeakers should it be? The first five every player knows.
AAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "hexagonal", 7: "7.0", 8: "octagonal"}

# PCM as deep as the source (libsndfile's name for its samples); what was never PCM keeps 24 bits
_PCM = {
    "PCM_S8": "pcm_s16le",
    "PCM_U8": "pcm_s16le",
    "PCM_16": "pcm_s16le",
    "ULAW": "pcm_s16le",
    "ALAW": "pcm_s16le",
    "ALAC_16": "pcm_s16le",
    "PCM_32": "pcm_s32le",
    "ALAC_32": "pcm_s32le",
    "FLOAT": "pcm_f32le",
    "DOUBLE": "pcm_f32le",
}


@dataclass(frozen=True)
class Soundtrack:
    """The sound of a film, read when it is needed."""

    rate: int  # Hz
    channels: int
    subtype: str  # libsndfile's name of the source's samples: PCM_16, PCM_24, FLOAT, VORBIS ...
    blocks: Callable[[], Iterator[Float32[np.ndarray, "n channels"]]]
    """All of the sound from the first picture's time on, in blocks. Called when the film is put together, and again if
    that has to be done twice: each call begins anew."""


@dataclass(frozen=True)
class SoundEncoding:
    """How a film keeps its sound."""

    input: tuple[str, ...]  # ffmpeg's options for the samples that it reads
    output: tuple[str, ...]  # and for the ones that it writes
    note: str | None  # what the user should know about it


def encode_sound(suffix: str, soundtrack: Soundtrack) -> SoundEncoding:
    """PCM of the source's rate and depth in .mov and .mkv, AAC in .mp4. UserError for what AAC cannot hold."""
    rate, channels = soundtrack.rate, soundtrack.channels
    samples = ("-f", "f32le", "-ar", str(rate))
    if suffix.lower() != ".mp4":
        pcm = _PCM.get(soundtrack.subtype, "pcm_s24le")
        return SoundEncoding((*samples, "-ac", str(channels)), ("-c:a", pcm), None)
    if channels not in AAC_LAYOUTS:
        raise UserError(
            f"the sound has {channels} channels and .mp4 holds up to {max(AAC_LAYOUTS)}: make a .mov or .mkv"
        )
    notes = []
    kept = aac_rate(rate)
    if kept != rate:
        notes.append(f"the sound is resampled from {rate} to {kept} Hz for .mp4; .mov and .mkv keep its rate")
    if channels > 5:
        notes.append(f"few players know {channels} channels in .mp4; .mov and .mkv keep them as PCM")
    return SoundEncoding(
        (*samples, "-channel_layout", AAC_LAYOUTS[channels]),
        ("-c:a", "aac", "-b:a", str(AAC_BITS_PER_CHANNEL * channels), "-ar", str(kept)),
        "; ".join(notes) or None,
    )


def limited(blocks: Iterator[Float32[np.ndarray, "n channels"]], frames: int | None) -> Iterator[bytes]:
    """The samples as ffmpeg reads them, at most `frames` of them.

    What is no number becomes 0: ffmpeg's AAC refuses it, and at the end of a long render that is a poor time to hear it.
    """
    for block in blocks:
        kept = block[:frames]
        if frames is not None:
            frames -= len(kept)
        yield np.nan_to_num(kept, nan=0.0, posinf=0.0, neginf=0.0).astype("<f4").tobytes()
        if frames == 0:
            return


def aac_rate(rate: int) -> int:
    """The rate in Hz at which AAC keeps a sound of `rate`: its own, else the next one above, else one it divides."""
    above = [allowed for allowed in AAC_RATES if allowed >= rate]
    return above[0] if above else 88200 if rate % 44100 == 0 else 96000
