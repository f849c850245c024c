"""Learns the time constants of a mapping's memory from the pairs and from the smoothness of the sound's path."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path as FilePath

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import minimize
from scipy.signal import lfilter

from offline.laboratory.grid import LEARNED, Variant
from offline.progress import progress
from offline.rendering.material import SoundMaterial
from shared.controls import weight_and_offset
from shared.mapping.memory import coefficients
from shared.pipeline.dynamics import published
from shared.preset import Preset

SHORTEST_S, LONGEST_S = 0.01, 2.0
MOST_STEPS = 15
SMOOTHNESS = 0.1  # tried on glass: 0.02 changes next to nothing, 0.1 slows it by a third and its pairs are still met


@dataclass(frozen=True, eq=False)
class Path:
    """The descriptors (n, d) of a sound's ticks, standardised, and for each pair found in it: its number and its tick."""

    descriptors: Float64[np.ndarray, "n d"]
    pairs: Int64[np.ndarray, "m"]
    ticks: Int64[np.ndarray, "m"]


def pairs_on_path(preset: Preset, descriptors: Float64[np.ndarray, "n d"]) -> Path:
    """Each pair at the tick that sounds most like it, if it is within the mapping's reach."""
    distances = np.linalg.norm(preset.pairs.descriptors[:, None] - descriptors[None], axis=2)
    ticks = distances.argmin(axis=1)
    found = np.flatnonzero(distances.min(axis=1) <= preset.mapping.reach)
    return Path(descriptors, found, ticks[found])


def learn_memory(
    preset: Preset, path: Path, rate: float, smoothness: float, on_step: Callable[[int], None] | None = None
) -> Float64[np.ndarray, "d"]:
    """Time constants in seconds (d,) that minimise the error of the pairs plus `smoothness` times the path's roughness.

    Error: mean squared distance between the latent vector at a pair's moment and the pair's own. Roughness: mean squared
    step of the latent vector from tick to tick, times 100. Both in squared deviations of the pairs' latent vectors. By
    L-BFGS-B on the logarithms, from 0.1 s; the network stays as it is.
    """
    latents = preset.pairs.latents[path.pairs].astype(np.float64)
    size, deviation = preset.mapping.latent_size, preset.pairs.latent_deviation
    weight, offset = weight_and_offset(preset.controls, preset.settings.inputs)
    rows = path.descriptors * weight + offset

    def loss(logarithms: Float64[np.ndarray, "d"]) -> float:
        heard = remembered(rows, np.exp(logarithms), rate)
        predicted = np.array([preset.mapping.predict(row)[:size] for row in heard], np.float64)
        rough = 100 * np.square(np.diff(predicted, axis=0)).sum(axis=1).mean()
        error = np.square(predicted[path.ticks] - latents).sum(axis=1).mean() if len(latents) else 0.0
        return float((error + smoothness * rough) / deviation**2)

    steps = 0

    def count(_: object) -> None:
        nonlocal steps
        steps += 1
        if on_step is not None:
            on_step(steps)

    bounds = [(np.log(SHORTEST_S), np.log(LONGEST_S))] * rows.shape[1]
    options = {"maxiter": MOST_STEPS, "eps": 0.02}
    found = minimize(
        loss, np.full(rows.shape[1], np.log(0.1)), method="L-BFGS-B", bounds=bounds, callback=count, options=options
    )
    return np.asarray(np.round(np.exp(found.x), 3))


def learned_variant(number: int, preset: Preset, sound: FilePath) -> Variant:
    """The paper's motion, with a memory learned on this sound at 30 ticks a second."""
    inputs = preset.settings.inputs
    values = published(inputs)
    paper = replace(preset, controls={**preset.controls, **values})
    fps = Fraction(30)
    descriptors = np.stack([tick.descriptors for tick in SoundMaterial(paper, sound).ticks(fps)])
    with progress("steps of learning the memory", MOST_STEPS) as advance:
        seconds = learn_memory(preset, pairs_on_path(preset, descriptors), float(fps), SMOOTHNESS, advance)
    learned = {f"memory/{name}": float(value) for name, value in zip(inputs, seconds, strict=True)}
    return Variant(number, LEARNED, {**values, **learned}, fps)


def remembered(
    rows: Float64[np.ndarray, "n d"], seconds: Float64[np.ndarray, "d"], rate: float
) -> Float64[np.ndarray, "n d"]:
    """What `Memory` makes of the rows."""
    keep = coefficients(seconds, rate)
    columns = [lfilter([1 - k], [1, -k], x, zi=[k * x[0]])[0] for k, x in zip(keep, rows.T, strict=True)]
    return np.stack(columns, axis=1)
