"""What the laboratory measures: delay of a step, movement of latent vectors and pictures, correspondence with the sound."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from scipy.stats import spearmanr

from shared.controls import ControlChange, weight_and_offset
from shared.pipeline import Pipeline
from shared.pipeline.playing import input_columns
from shared.preset import Preset
from shared.stage import HOP, SAMPLE_RATE

STEP_FRAMES, REST_FRAMES = 87, 1300  # before the step and after it: 1 s and 15 s
STEP_OFFSETS = 3  # frames by which steps are moved against the ticks
RANDOM_COUPLES = 4000  # of pictures whose distance is measured


def step_delays(preset: Preset, fps: Fraction) -> tuple[float, float]:
    """Milliseconds from a step of the sound until half and nine tenths of the way of the latent vector are covered.

    The step goes from the descriptors of one pair to those of the pair farthest from it, and back; the mean of several
    moments within a tick. A tick counts from the end of its interval. NaN if the way is not covered in 15 s.
    """
    pairs, scaler = preset.pairs, preset.mapping.scaler
    distances = np.linalg.norm(pairs.descriptors[:, None] - pairs.descriptors[None], axis=2)
    couple = np.unravel_index(distances.argmax(), distances.shape)
    ends = scaler.undone(pairs.descriptors[list(couple)])
    delays = [
        _step_delay(preset, fps, ends[[i, 1 - i]], STEP_FRAMES + offset)
        for i in (0, 1)
        for offset in range(STEP_OFFSETS)
    ]
    half, most = np.mean(delays, axis=0)
    return float(half), float(most)


def _step_delay(
    preset: Preset, fps: Fraction, ends: Float64[np.ndarray, "2 d"], before: int
) -> Float64[np.ndarray, "2"]:
    pipeline = Pipeline(preset, fps)
    pipeline.schedule(ControlChange(0, "gate", -160.0))
    frames = np.zeros((before + REST_FRAMES, len(pipeline.heard)))
    columns = input_columns(preset)
    frames[:before, columns], frames[before:, columns] = ends
    latents = np.stack([tick.picture.latent for tick in pipeline.process_frames(frames)]).astype(np.float64)
    first = int(before * HOP * fps / SAMPLE_RATE)  # the tick in which the step lies
    # The end of the way is the mapping's own answer; the start is where the latent rests before the step.
    weight, offset = weight_and_offset(preset.controls, preset.settings.inputs)
    rest = preset.mapping.scaler.process(frames[-1:, columns])[0] * weight + offset
    target, _ = preset.mapping.parted(preset.mapping.predict(rest))
    left = np.linalg.norm(latents - target, axis=1)
    left = left / left[first - 1] if left[first - 1] > 0 else left
    result = np.full(2, np.nan)
    for i, share in enumerate((0.5, 0.1)):
        late = np.flatnonzero(left > share)
        arrived = int(late[-1]) + 1 if len(late) else first
        if arrived < len(latents):
            result[i] = float((arrived + 1) / fps - Fraction(before * HOP, SAMPLE_RATE)) * 1000
    return result


def speed(latents: Float32[np.ndarray, "n latent"], fps: Fraction, deviation: float) -> Float64[np.ndarray, "n"]:
    """Speed of a latent vector per second, in units of `deviation`; 0 at the first tick."""
    steps = np.linalg.norm(np.diff(latents.astype(np.float64), axis=0), axis=1)
    return np.concatenate([[0.0], steps * float(fps) / deviation])


def jitter(latents: Float32[np.ndarray, "n latent"]) -> float:
    """Mean size of the second differences over that of the first: 0 moves straight on, 2 to and fro."""
    steps = np.diff(latents.astype(np.float64), axis=0)
    moved = np.linalg.norm(steps, axis=1).mean()
    return float(np.linalg.norm(np.diff(steps, axis=0), axis=1).mean() / moved) if moved > 0 else 0.0


def picture_change(before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"]) -> float:
    """Mean absolute difference of two pictures in grey levels of 0 to 255."""
    return float(np.abs(after.astype(np.int16) - before.astype(np.int16)).mean())


def spread(pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> float:
    """Mean change between random couples of pictures, in grey levels."""
    rng = np.random.default_rng(0)
    couples = rng.integers(0, len(pictures), (RANDOM_COUPLES, 2))
    return float(np.mean([picture_change(pictures[i], pictures[j]) for i, j in couples if i != j] or [0.0]))


def correspondence(
    descriptors: Float64[np.ndarray, "n d"], changes: Float64[np.ndarray, "n"], fps: Fraction, longest_s: float = 0.25
) -> tuple[float, float, float]:
    """Spearman correlation between the change of standardised descriptors and that of the pictures, tick by tick.

    changes[i] is the change from tick i-1 to i. Returns it at lag 0, at the best lag up to `longest_s`, and that lag in ms.
    """
    moved = np.linalg.norm(np.diff(descriptors, axis=0), axis=1)
    changed = changes[1:]
    lags = range(int(longest_s * fps) + 1)
    values = [_spearman(moved[: len(moved) - lag], changed[lag:]) for lag in lags if len(moved) - lag > 2]
    if not values:
        return float("nan"), float("nan"), float("nan")
    best = int(np.argmax(values))
    return values[0], values[best], float(best / fps * 1000)


def _spearman(a: Float64[np.ndarray, "n"], b: Float64[np.ndarray, "n"]) -> float:
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(spearmanr(a, b).statistic)
