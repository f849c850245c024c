"""What a sound-check tells: a gain, a gate and a standardiser for this source in this hall, or why it tells nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from shared.audio.descriptors import DESCRIPTORS
from shared.controls import CONTROLS
from shared.errors import SoundError
from shared.mapping.scaling import Standardizer
from shared.preset import Preset
from shared.stage import HOP, SAMPLE_RATE

LEVEL_DB = -23.0  # loudness of the playing after the gain: a broadcast's (EBU R 128)
RELATIVE_DB = -10.0  # what lies further below the mean does not count for it (ITU-R BS.1770-4, the relative gate)
ABOVE_SILENCE_DB = 6.0  # the gate over the 95th percentile of the silence
BELOW_PLAYING_DB = 10.0  # and below the playing at least
LOWEST_GATE_DB = -60.0  # the paper's: what lies so far below the playing is silence in the quietest of halls too
NOISY_DB = -50.0  # a silence above this is none
PLAYED_S, LEAST_S = 0.5, 5.0  # sound: less is none, or too little to learn from
SAME_DB, SAME_HZ = 1.0, 0.01  # deviations of loudness, and of pitch by its mean, of one and the same sound
LOUDNESS, PITCH = DESCRIPTORS.index("loudness"), DESCRIPTORS.index("pitch")

Rows = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Findings:
    """What is proposed."""

    gain_db: float | None
    """None: it stays, as the frames are analysed elsewhere."""
    gate_db: float
    scaler: Standardizer
    """Mean and deviation (23,) of what sounds, with this gain and gate."""
    silence_db: float
    playing_db: float
    """As they came in, without gain."""
    sounding_s: float
    """How much of the playing passes the gate."""
    distance: float
    distance_before: float
    """Of the playing from the preset's nearest pairs, in deviations (median), with this standardiser and with its own."""

    @property
    def lines(self) -> tuple[str, ...]:
        """For the player."""
        gain = "" if self.gain_db is None else f"gain {self.gain_db:g} dB, "
        return (
            f"silence at {self.silence_db:.1f} dB, playing at {self.playing_db:.1f} dB: {gain}gate {self.gate_db:g} dB",
            f"standardised by {self.sounding_s:.1f} s of sound: {self.distance:.1f} deviations from the nearest pair in "
            f"the median, {self.distance_before:.1f} by the preset's own sound",
        )


def judge(
    silence: Float64[np.ndarray, "s 23"],
    playing: Float64[np.ndarray, "p 23"],
    analysed: Callable[[float], tuple[Rows, Rows]],
    preset: Preset,
    can_gain: bool = True,
) -> Findings:
    """The findings from the frames without gain, and from those that `analysed` gives for a gain in dB.

    The gain brings the loudness of the playing, its mean power gated as in BS.1770, to -23 dB. The gate lies 6 dB above the silence,
    -60 dB at least. SoundError, in a line, for what tells nothing.
    """
    noise, loudness = _ceiling(silence), playing[:, LOUDNESS]
    lowest = noise + ABOVE_SILENCE_DB
    sounding = loudness[loudness >= lowest]
    if _seconds(sounding) < PLAYED_S:
        if noise >= NOISY_DB:
            raise SoundError(
                f"the silence was not silent: a gate above its {noise:.0f} dB would be above the playing; "
                "begin again, and let nothing sound in the first 5 s"
            )
        raise SoundError(
            f"no playing was heard: {_ceiling(playing):.0f} dB after {noise:.0f} dB of silence; look at --channel and the "
            "microphone, and begin again"
        )
    level = _mean(sounding[sounding >= _mean(sounding) + RELATIVE_DB])
    if lowest > level - BELOW_PLAYING_DB:
        raise SoundError(
            f"the silence at {noise:.0f} dB is too near the playing at {level:.0f} dB: a gate would cut off soft notes; "
            "let nothing sound in the first 5 s, or bring the microphone nearer, and begin again"
        )
    gain = round(LEVEL_DB - level, 1) if can_gain else 0.0
    row = CONTROLS["gain"]
    if not row.low <= gain <= row.high:
        raise SoundError(f"the playing at {level:.0f} dB cannot be used; turn the input's own gain up and begin again")
    silence, playing = analysed(gain)
    gate = max(round(_ceiling(silence) + ABOVE_SILENCE_DB, 1), LOWEST_GATE_DB)
    passed = playing[playing[:, LOUDNESS] >= gate]
    if _seconds(passed) < LEAST_S:
        raise SoundError(
            f"only {_seconds(passed):.1f} s of the playing sounded, {LEAST_S:g} s are needed; begin again, and play on without long rests"
        )
    scaler = Standardizer.fit(passed)
    mean, deviation = scaler.mean, scaler.deviation
    if deviation[LOUDNESS] < SAME_DB and deviation[PITCH] < SAME_HZ * mean[PITCH]:
        raise SoundError("one and the same sound was heard; begin again, and play loud and soft, high and low")
    return Findings(
        gain if can_gain else None,
        gate,
        scaler,
        noise,
        level,
        _seconds(passed),
        _distance(passed, scaler, preset),
        _distance(passed, None, preset),
    )


def _ceiling(rows: Rows) -> float:
    return float(np.percentile(rows[:, LOUDNESS], 95))


def _mean(loudness_db: Rows) -> float:
    """The loudness of the mean power."""
    return float(10 * np.log10(np.mean(10 ** (loudness_db / 10))))


def _seconds(frames: Rows) -> float:
    return len(frames) * HOP / SAMPLE_RATE


def _distance(frames: Rows, scaler: Standardizer | None, preset: Preset) -> float:
    """From the nearest pair: the median over raw frames (m, 23)."""
    columns = [DESCRIPTORS.index(name) for name in preset.settings.inputs]
    used = preset.mapping.scaler if scaler is None else scaler.subset(columns)
    return float(np.median([preset.pairs.nearest(row)[1] for row in used.process(frames[:, columns])]))
