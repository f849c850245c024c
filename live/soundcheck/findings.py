"""The result of a sound-check: gain, gate and standardisation for this source in this hall, or why there is none."""

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

LEVEL_DB = -23.0  # loudness of the playing after the gain, as for broadcasts (EBU R 128)
RELATIVE_DB = -10.0  # frames further below the mean do not count (ITU-R BS.1770-4, relative gate)
ABOVE_SILENCE_DB = 6.0  # the gate above the 95th percentile of the silence
BELOW_PLAYING_DB = 10.0  # the gate below the playing, at least
LOWEST_GATE_DB = -60.0  # the paper's value: so far below the playing is silence in any hall
NOISY_DB = -50.0  # louder than this is not silence
PLAYED_S, LEAST_S = 0.5, 5.0  # sound: less counts as none, or is too little to standardise by
SAME_DB, SAME_HZ = 1.0, 0.01  # deviation of loudness, and of pitch relative to its mean, in one unchanging sound
LOUDNESS, PITCH = DESCRIPTORS.index("loudness"), DESCRIPTORS.index("pitch")

Rows = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Findings:
    """Proposed settings, and what they are based on."""

    gain_db: float | None
    """None if the frames are analysed elsewhere: the gain stays as it is."""
    gate_db: float
    scaler: Standardizer
    """Mean and deviation (23,) of the playing, with this gain and gate."""
    silence_db: float
    playing_db: float
    """Loudness as it arrived, without gain."""
    sounding_s: float
    """Seconds of the playing that pass the gate."""
    distance: float
    distance_before: float
    """Median distance of the playing from the nearest pairs, in deviations, with this scaler and with the preset's own."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The findings in two lines for the player."""
        gain = "" if self.gain_db is None else f"gain {self.gain_db:g} dB, "
        return (
            f"silence at {self.silence_db:.1f} dB, playing at {self.playing_db:.1f} dB: {gain}gate {self.gate_db:g} dB",
            f"standardised on {self.sounding_s:.1f} s of sound: median distance to the nearest pair {self.distance:.1f} "
            f"deviations, {self.distance_before:.1f} with the preset's own standardisation",
        )


def judge(
    silence: Float64[np.ndarray, "s columns"],
    playing: Float64[np.ndarray, "p columns"],
    analysed: Callable[[float], tuple[Rows, Rows]],
    preset: Preset,
    can_gain: bool = True,
) -> Findings:
    """The findings. silence, playing: frames without gain, of what the preset hears; analysed: gives both for a gain in dB.

    The gain brings the loudness of the playing (mean power, gated as in BS.1770) to -23 dB. The gate is 6 dB above the
    silence, at least -60 dB. Raises SoundError, which says what to do, if the recording allows no conclusion.
    """
    noise, loudness = _ceiling(silence), playing[:, LOUDNESS]
    lowest = noise + ABOVE_SILENCE_DB
    sounding = loudness[loudness >= lowest]
    if _seconds(sounding) < PLAYED_S:
        if noise >= NOISY_DB:
            raise SoundError(
                f"the silence was not silent: a gate above its {noise:.0f} dB would be above the playing; "
                "start again, without any sound in the first 5 s"
            )
        raise SoundError(
            f"no playing was heard: {_ceiling(playing):.0f} dB after {noise:.0f} dB of silence; check --channel and the "
            "microphone, and start again"
        )
    level = _mean(sounding[sounding >= _mean(sounding) + RELATIVE_DB])
    if lowest > level - BELOW_PLAYING_DB:
        raise SoundError(
            f"the silence at {noise:.0f} dB is too close to the playing at {level:.0f} dB: a gate would cut off soft notes; "
            "start again without any sound in the first 5 s, or with the microphone nearer"
        )
    gain = round(LEVEL_DB - level, 1) if can_gain else 0.0
    row = CONTROLS["gain"]
    if not row.low <= gain <= row.high:
        raise SoundError(
            f"the playing at {level:.0f} dB is too soft or too loud; change the input's own gain and start again"
        )
    silence, playing = analysed(gain)
    gate = max(round(_ceiling(silence) + ABOVE_SILENCE_DB, 1), LOWEST_GATE_DB)
    passed = playing[playing[:, LOUDNESS] >= gate]
    if _seconds(passed) < LEAST_S:
        raise SoundError(
            f"only {_seconds(passed):.1f} s of the playing sounded, {LEAST_S:g} s are needed; start again, and play without long rests"
        )
    scaler = Standardizer.fit(passed[:, : len(DESCRIPTORS)])
    mean, deviation = scaler.mean, scaler.deviation
    if deviation[LOUDNESS] < SAME_DB and deviation[PITCH] < SAME_HZ * mean[PITCH]:
        raise SoundError("only one unchanging sound was heard; start again, and play loud and soft, high and low")
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
    """Loudness of the mean power."""
    return float(10 * np.log10(np.mean(10 ** (loudness_db / 10))))


def _seconds(frames: Rows) -> float:
    return len(frames) * HOP / SAMPLE_RATE


def _distance(frames: Rows, scaler: Standardizer | None, preset: Preset) -> float:
    """Median distance of raw frames from the nearest pair."""
    columns = [preset.settings.heard.index(name) for name in preset.settings.inputs]
    own = preset.mapping.scaler
    used = own if scaler is None else scaler.for_columns(columns, own)
    return float(np.median([preset.pairs.nearest(row)[1] for row in used.process(frames[:, columns])]))
