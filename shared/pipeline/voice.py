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

OUTPUTS = ("latent_smoothing.last", "within_reach")  # of the state: as long as the mapping's output


@dataclass(frozen=True, eq=False)
class Reading:
    """The result of a tick: the latent vector (latent,), the nearest pair and its distance in deviations."""

    latent: Float32[np.ndarray, "latent"]
    label: Float32[np.ndarray, "classes"] | None
    """The weights of the classes of a conditional generator."""
    nearest: str
    distance: float


class Voice:
    """Standardise, smooth, decimate; then tick by tick weight, offset, predict, smooth.

    columns: the columns of its inputs among those of a frame. `mapping`, `pairs` and `scaler` may change between calls.
    """

    def __init__(self, mapping: LearnedMapping, pairs: Pairs, columns: Sequence[int], fps: Fraction) -> None:
        self.mapping = mapping
        self.pairs = pairs
        self.scaler = mapping.scaler
        self._columns = list(columns)
        in_order = self._columns == list(range(len(self._columns)))
        self._chosen = slice(len(self._columns)) if in_order else self._columns  # a view is faster
        self._smoothing = LeakyIntegrator()
        self._decimator = Decimator(fps)
        self._latent_smoothing = LeakyIntegrator()
        self._within_reach: NDArray[np.float32] | None = None  # the last output within reach of a pair

    @property
    def latency(self) -> int:
        """From frames to ticks, as defined by `Stage`."""
        return self._decimator.latency

    @property
    def initial(self) -> Float64[np.ndarray, "d"]:
        """The mean of the corpus, as raw descriptors."""
        return self.mapping.scaler.mean

    def listen_to(self, frame: Float64[np.ndarray, "columns"], frames: int) -> None:
        """Start in the middle of a show: after `frames` frames, with `frame` as the current one."""
        self._decimator.begin_at(frames, self._smoothing.process(self._standard(frame[None]))[0])

    def state(self) -> State:
        """Everything it remembers of the sound, as copies."""
        stages = {
            "smoothing": self._smoothing,
            "decimator": self._decimator,
            "latent_smoothing": self._latent_smoothing,
        }
        arrays = {f"{part}.{name}": array for part, stage in stages.items() for name, array in stage.state().items()}
        held = self._within_reach
        return arrays if held is None else {**arrays, "within_reach": held.copy()}

    def restore(self, state: State, frames: int | None = None) -> None:
        """Continue where `state()` was taken. frames: how many have passed, for a voice of another tick rate; else None."""
        parts: dict[str, dict[str, NDArray[Any]]] = {"smoothing": {}, "decimator": {}, "latent_smoothing": {}}
        for name, array in state.items():
            part, _, stage_name = name.partition(".")
            if stage_name:
                parts[part][stage_name] = array
        self._smoothing.restore(parts["smoothing"])
        self._latent_smoothing.restore(parts["latent_smoothing"])
        if frames is None:
            self._decimator.restore(parts["decimator"])
        elif "last" in parts["smoothing"]:
            self._decimator.begin_at(frames, parts["smoothing"]["last"])
        self._within_reach = state["within_reach"].copy() if "within_reach" in state else None

    def use_scaler(self, scaler: Standardizer | None) -> None:
        """Standardise by the (23,) scaler of another source; None: by the mapping's own, as all columns beyond the 23."""
        own = self.mapping.scaler
        self.scaler = own if scaler is None else scaler.for_columns(self._columns, own)

    def ticks(self, frames: Float64[np.ndarray, "m columns"], smoothing: float) -> Float64[np.ndarray, "k d"]:
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
        """The latent vector for a tick. hold: beyond the reach of all pairs, keep the last latent within it."""
        output = self.mapping.predict(tick * weight + offset)
        number, distance = self.pairs.nearest(tick)
        if not hold or distance <= self.mapping.reach or self._within_reach is None:
            self._within_reach = output
        self._latent_smoothing.coefficient = latent_smoothing
        smooth = self._latent_smoothing.process(self._within_reach[None])[0]
        latent, label = self.mapping.parted(smooth)
        return Reading(latent, label, self.pairs.names[number], distance)

    def _standard(self, frames: Float64[np.ndarray, "m columns"]) -> Float64[np.ndarray, "m d"]:
        return self.scaler.process(frames[:, self._chosen])
