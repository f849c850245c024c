"""The soundtrack of a film: where its samples come from, and how each type of file stores them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from shared.errors import UserError

# ffmpeg's AAC encoder: sampling frequencies of ISO/IEC 14496-3 table 1.18 and the bit rate it is given
AAC_RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)  # Hz
AAC_BITS_PER_CHANNEL = 160_000  # per second
# Layouts without a low-frequency channel: AAC keeps only the bass of that one, and none of an artist's channels is meant
# for it. All players know the first five.
AAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "hexagonal", 7: "7.0", 8: "octagonal"}

# PCM of the source's depth (libsndfile's name of its sample format); 24 bits for sources that are not PCM
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
    """The sound of a film, read on demand."""

    rate: int  # Hz
    channels: int
    subtype: str  # libsndfile's name of the source's sample format: PCM_16, PCM_24, FLOAT, VORBIS ...
    blocks: Callable[[], Iterator[Float32[np.ndarray, "n channels"]]]
    """Returns all of the sound from the first picture's time on, in blocks. Each call starts from the beginning."""


@dataclass(frozen=True)
class SoundEncoding:
    """How a film stores its sound."""

    input: tuple[str, ...]  # ffmpeg's options for the samples that it reads
    output: tuple[str, ...]  # ffmpeg's options for the samples that it writes
    note: str | None  # a remark for the user


def encode_sound(suffix: str, soundtrack: Soundtrack) -> SoundEncoding:
    """PCM of the source's rate and depth in .mov and .mkv, AAC in .mp4. Raises UserError for too many channels."""
    rate, channels = soundtrack.rate, soundtrack.channels
    samples = ("-f", "f32le", "-ar", str(rate))
    if suffix.lower() != ".mp4":
        pcm = _PCM.get(soundtrack.subtype, "pcm_s24le")
        return SoundEncoding((*samples, "-ac", str(channels)), ("-c:a", pcm), None)
    if channels not in AAC_LAYOUTS:
        raise UserError(f"the sound has {channels} channels; .mp4 holds up to {max(AAC_LAYOUTS)}: choose .mov or .mkv")
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
    """At most `frames` samples of each channel, as bytes for ffmpeg.

    NaN and infinity become 0: ffmpeg's AAC encoder would refuse them, at the end of a long render.
    """
    for block in blocks:
        kept = block[:frames]
        if frames is not None:
            frames -= len(kept)
        yield np.nan_to_num(kept, nan=0.0, posinf=0.0, neginf=0.0).astype("<f4").tobytes()
        if frames == 0:
            return


def aac_rate(rate: int) -> int:
    """The sampling rate in Hz for a sound of `rate` in AAC: the same, or the next higher one, or a divisor of it."""
    above = [allowed for allowed in AAC_RATES if allowed >= rate]
    return above[0] if above else 88200 if rate % 44100 == 0 else 96000
