"""The part of the pipeline that belongs to one preset: from gated descriptors to the latent vectors of ticks."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.mapping.decimation import Decimator
from shared.mapping.scaling import Standardizer
from shared.mapping.smoothing import LeakyIntegrator
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.stage import State


@dataclass(frozen=True, eq=False)
class Reading:
    """What a voice makes of a tick: the latent (latent,), and the nearest pair with its distance in deviations."""

    latent: Float32[np.ndarray, "latent"]
    nearest: str
    distance: float


class Voice:
    """Standardise, smooth, decimate; then tick by tick weight, offset, predict, smooth.

    columns: which of the 23 descriptors it listens to. `mapping`, `pairs` and `scaler` may be exchanged between calls.
    """

    def __init__(self, mapping: LearnedMapping, pairs: Pairs, columns: Sequence[int], fps: Fraction) -> None:
        self.mapping = mapping
        self.pairs = pairs
        self.scaler = mapping.scaler
        self._columns = list(columns)
        in_order = self._columns == list(range(len(self._columns)))
        self._chosen = slice(len(self._columns)) if in_order else self._columns  # a view is had faster
        self._smoothing = LeakyIntegrator()
        self._decimator = Decimator(fps)
        self._latent_smoothing = LeakyIntegrator()
        self._within_reach: NDArray[np.float32] | None = None  # the last latent of a sound like those that were paired

    @property
    def latency(self) -> int:
        """As of a `Stage`, from frames to ticks."""
        return self._decimator.latency

    @property
    def initial(self) -> Float64[np.ndarray, "d"]:
        """The raw descriptors that stand for the corpus' mean."""
        return self.mapping.scaler.mean

    def listen_to(self, frame: Float64[np.ndarray, "23"], frames: int) -> None:
        """Begin in the midst of a show: `frames` have gone by, and this is the one that sounds."""
        self._decimator.begin_at(frames, self._smoothing.process(self._standard(frame[None]))[0])

    def state(self) -> State:
        """Everything it remembers of the sound, as arrays that are copies."""
        stages = {
            "smoothing": self._smoothing,
            "decimator": self._decimator,
            "latent_smoothing": self._latent_smoothing,
        }
        arrays = {f"{part}.{name}": array for part, stage in stages.items() for name, array in stage.state().items()}
        held = self._within_reach
        return arrays if held is None else {**arrays, "within_reach": held.copy()}

    def restore(self, state: State, frames: int | None = None) -> None:
        """Go on where `state()` was taken. frames: how many have gone by, for a voice of another tick rate; else None."""
        parts: dict[str, dict[str, NDArray[Any]]] = {"smoothing": {}, "decimator": {}, "latent_smoothing": {}}
        for name, array in state.items():
            part, _, of = name.partition(".")
            if of:
                parts[part][of] = array
        self._smoothing.restore(parts["smoothing"])
        self._latent_smoothing.restore(parts["latent_smoothing"])
        if frames is None:
            self._decimator.restore(parts["decimator"])
        elif "last" in parts["smoothing"]:
            self._decimator.begin_at(frames, parts["smoothing"]["last"])
        self._within_reach = state["within_reach"].copy() if "within_reach" in state else None

    def use_scaler(self, scaler: Standardizer | None) -> None:
        """Standardise by another source's (23,) scaler; None: by the mapping's own."""
        self.scaler = self.mapping.scaler if scaler is None else scaler.subset(self._columns)

    def ticks(self, frames: Float64[np.ndarray, "m 23"], smoothing: float) -> Float64[np.ndarray, "k d"]:
        """The standardised, smoothed descriptors of the ticks that m gated frames complete."""
        self._smoothing.coefficient = smoothing
        return self._decimator.process(self._smoothing.process(self._standard(frames)))

    def read(
        self,
        tick: Float64[np.ndarray, "d"],
        weight: Float64[np.ndarray, "d"],
        offset: Float64[np.ndarray, "d"],
        hold: bool,
        latent_smoothing: float,
    ) -> Reading:
        """The latent for a tick. hold: out of reach of all pairs, keep the last latent that was within."""
        latent = self.mapping.regressor.process((tick * weight + offset)[None])[0]
        number, distance = self.pairs.nearest(tick)
        if not hold or distance <= self.mapping.reach or self._within_reach is None:
            self._within_reach = latent
        self._latent_smoothing.coefficient = latent_smoothing
        smooth = self._latent_smoothing.process(self._within_reach[None])[0]
        return Reading(smooth, self.pairs.names[number], distance)

    def _standard(self, frames: Float64[np.ndarray, "m 23"]) -> Float64[np.ndarray, "m d"]:
        return self.scaler.process(frames[:, self._chosen])
