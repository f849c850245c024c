"""The part of the pipeline that belongs to one preset: from gated descriptors to the latent vectors of ticks."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from shared.mapping.decimation import Decimator
from shared.mapping.memory import Memory
from shared.mapping.pacing import PacedFollower, SpeedLimit
from shared.mapping.scaling import Standardizer
from shared.mapping.smoothing import Smoother
from shared.pipeline.dynamics import Dynamics
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.stage import HOP, SAMPLE_RATE, State

FRAME_RATE = SAMPLE_RATE / HOP  # per second
Domain = Literal["frames", "ticks", "latent frames", "latent ticks"]
"""What the smoothing of the order acts on; a change of it makes the smoothing begin anew."""
DOMAINS: tuple[Domain, ...] = ("frames", "ticks", "latent frames", "latent ticks")


@dataclass(frozen=True, eq=False)
class Heard:
    """The sound of a tick: its standardised descriptors (d,), and its frames (g, d) if the mapping takes each frame."""

    row: Float64[np.ndarray, "d"]
    frames: Float64[np.ndarray, "g d"] | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """The result of a tick: the latent vector (latent,), the nearest pair and its distance in deviations."""

    latent: Float32[np.ndarray, "latent"]
    label: Float32[np.ndarray, "classes"] | None
    """The weights of the classes of a conditional generator."""
    nearest: str
    distance: float


class Voice:
    """Standardise; smooth, decimate and infer in the order of the `Dynamics`; then follow the latent vector.

    Whatever precedes `infer` is done frame by frame in `ticks`, the rest tick by tick in `read`, with weight and offset.
    columns: the columns of its inputs among those of a frame. `mapping`, `pairs` and `scaler` may change between calls.
    """

    def __init__(self, mapping: LearnedMapping, pairs: Pairs, columns: Sequence[int], fps: Fraction) -> None:
        self.mapping = mapping
        self.pairs = pairs
        self.scaler = mapping.scaler
        self._columns = list(columns)
        in_order = self._columns == list(range(len(self._columns)))
        self._chosen = slice(len(self._columns)) if in_order else self._columns  # a view is faster
        self._fps = float(fps)
        self._domain: Domain | None = None
        self._smoothing = Smoother(FRAME_RATE)
        self._decimator = Decimator(fps)
        self._group: list[NDArray[np.float64]] = []  # frames of the next tick, where the mapping takes each frame
        self._memory = Memory(self._fps, np.zeros(len(self._columns)))
        self._inferred: NDArray[np.float32] | None = None  # of the last tick that had a frame
        self._within_reach: NDArray[np.float32] | None = None  # the last output within reach of a pair
        self._latent_smoothing = Smoother(self._fps)
        self._pacer = PacedFollower(self._fps)
        self._speed_limit = SpeedLimit(self._fps)
        self._moved_from: NDArray[np.float64] | None = None  # weighted descriptors of the last tick

    @property
    def latency(self) -> int:
        """From frames to ticks, as defined by `Stage`."""
        return self._decimator.latency

    @property
    def initial(self) -> Float64[np.ndarray, "d"]:
        """The mean of the corpus, as raw descriptors."""
        return self.mapping.scaler.mean

    def listen_to(self, frame: Float64[np.ndarray, "columns"], frames: int, dynamics: Dynamics) -> None:
        """Start in the middle of a show: after `frames` frames, with `frame` as the current one."""
        rows = self._standard(frame[None])
        self._decimator.begin_at(
            frames, self._smoothed("frames", rows, dynamics)[0] if dynamics.smooths_frames else rows[0]
        )

    def state(self) -> State:
        """Everything it remembers of the sound, as copies."""
        arrays = {
            f"{part}.{name}": array for part, stage in self._stages.items() for name, array in stage.state().items()
        }
        if self._domain != "frames":
            arrays["domain"] = np.array([-1 if self._domain is None else DOMAINS.index(self._domain)])
        if self._group:
            arrays["group"] = np.stack(self._group)
        for name, kept in self._kept.items():
            if kept is not None:
                arrays[name] = kept.copy()
        return arrays

    def restore(self, state: State, frames: int | None = None) -> None:
        """Continue where `state()` was taken. frames: how many have passed, for a voice of another tick rate; else None."""
        parts: dict[str, dict[str, NDArray[Any]]] = {part: {} for part in self._stages}
        for name, array in state.items():
            part, _, stage_name = name.partition(".")
            if stage_name:
                parts[part][stage_name] = array
        domain = int(state["domain"][0]) if "domain" in state else 0
        self._domain = None if domain < 0 else DOMAINS[domain]
        self._smoothing = self._new_smoother()
        self._group = list(state["group"]) if "group" in state and frames is None else []
        for part, stage in self._stages.items():
            if part != "decimator" or frames is None:
                stage.restore(parts[part])
        if frames is not None and (last := _current_row(self._domain, parts)) is not None:
            self._decimator.begin_at(frames, last)
        self._inferred, self._within_reach, self._moved_from = (
            state[name].copy() if name in state else None for name in self._kept
        )

    def use_scaler(self, scaler: Standardizer | None) -> None:
        """Standardise by the (23,) scaler of another source; None: by the mapping's own, as all columns beyond the 23."""
        own = self.mapping.scaler
        self.scaler = own if scaler is None else scaler.for_columns(self._columns, own)

    def ticks(self, frames: Float64[np.ndarray, "m columns"], dynamics: Dynamics) -> list[Heard]:
        """The sound of the ticks that m gated frames complete."""
        rows = self._standard(frames)
        if dynamics.smooths_frames:
            rows = self._smoothed("frames", rows, dynamics)
        if dynamics.infers_frames:
            return self._grouped(rows)
        self._group = []
        ticks = self._decimator.process(rows)
        if dynamics.order == "decimate-smooth-infer":
            ticks = self._smoothed("ticks", ticks, dynamics)
        return [Heard(tick) for tick in ticks]

    def read(
        self, heard: Heard, weight: Float64[np.ndarray, "d"], offset: Float64[np.ndarray, "d"], dynamics: Dynamics
    ) -> Reading:
        """The latent vector for a tick."""
        output = self._infer(heard, weight, offset, dynamics)
        number, distance = self.pairs.nearest(heard.row)
        if not dynamics.hold or distance <= self.mapping.reach or self._within_reach is None:
            self._within_reach = output
        followed = self._follow(self._within_reach, heard.row * weight + offset, dynamics)
        latent, label = self.mapping.parted(followed)
        return Reading(latent, label, self.pairs.names[number], distance)

    def _grouped(self, rows: Float64[np.ndarray, "m d"]) -> list[Heard]:
        """Ticks with their frames; none if the ticks are faster than the frames."""
        ticks = []
        for row in rows:
            self._group.append(row)
            for tick in self._decimator.process(row[None]):
                ticks.append(Heard(tick, np.array(self._group).reshape(-1, len(row))))
                self._group = []
        return ticks

    def _infer(
        self, heard: Heard, weight: Float64[np.ndarray, "d"], offset: Float64[np.ndarray, "d"], dynamics: Dynamics
    ) -> Float32[np.ndarray, "latent"]:
        rows = heard.row[None] if heard.frames is None else heard.frames
        outputs = [self.mapping.predict(row) for row in self._remembered(rows * weight + offset, dynamics)]
        latents = np.array(outputs, np.float32).reshape(len(outputs), self.mapping.regressor.sizes[-1])
        if dynamics.order == "infer-smooth-decimate":
            latents = self._smoothed("latent frames", latents, dynamics)
        if len(latents):
            self._inferred = latents[0] if len(latents) == 1 else latents.mean(axis=0)
        assert self._inferred is not None  # the first tick has a frame
        if dynamics.order in ("decimate-infer-smooth", "infer-decimate-smooth"):
            return np.asarray(self._smoothed("latent ticks", self._inferred[None], dynamics)[0])
        return self._inferred

    def _remembered(self, rows: Float64[np.ndarray, "g d"], dynamics: Dynamics) -> Float64[np.ndarray, "g d"]:
        self._memory.rate = FRAME_RATE if dynamics.infers_frames else self._fps
        if dynamics.memory_s is None:
            self._memory.reset()
            return rows
        self._memory.seconds = np.array(dynamics.memory_s)
        return self._memory.process(rows)

    def _follow(
        self, latent: Float32[np.ndarray, "latent"], weighted: Float64[np.ndarray, "d"], dynamics: Dynamics
    ) -> Float32[np.ndarray, "latent"]:
        """Smooth the latent vector, let the sound pace it, keep its speed within the limit."""
        self._latent_smoothing.settings = dynamics.latent
        latent = self._latent_smoothing.process(latent[None])[0]
        movement = 0.0 if self._moved_from is None else float(np.linalg.norm(weighted - self._moved_from))
        self._moved_from = weighted
        self._pacer.pace, self._pacer.settle_s = dynamics.pace, dynamics.settle_s
        latent = self._pacer.process(np.concatenate([[np.float32(movement)], latent])[None])[0]
        self._speed_limit.limit = dynamics.speed_limit * self.pairs.latent_deviation
        return np.asarray(self._speed_limit.process(latent[None])[0])

    def _smoothed(self, domain: Domain, rows: NDArray[Any], dynamics: Dynamics) -> NDArray[Any]:
        if domain != self._domain:
            self._domain = domain
            self._smoothing = self._new_smoother()
        self._smoothing.settings = dynamics.smoothing
        return self._smoothing.process(rows)

    def _new_smoother(self) -> Smoother:
        return Smoother(FRAME_RATE if self._domain in (None, "frames", "latent frames") else self._fps)

    def _standard(self, frames: Float64[np.ndarray, "m columns"]) -> Float64[np.ndarray, "m d"]:
        return self.scaler.process(frames[:, self._chosen])

    @property
    def _stages(self) -> dict[str, Smoother | Decimator | Memory | PacedFollower | SpeedLimit]:
        return {
            "smoothing": self._smoothing,
            "decimator": self._decimator,
            "memory": self._memory,
            "latent_smoothing": self._latent_smoothing,
            "pacer": self._pacer,
            "speed_limit": self._speed_limit,
        }

    @property
    def _kept(self) -> dict[str, NDArray[Any] | None]:
        return {"inferred": self._inferred, "within_reach": self._within_reach, "moved_from": self._moved_from}


def without_outputs(state: State) -> State:
    """The state of a voice for a mapping with another number of outputs: what was made of them is left out."""
    domain = int(state["domain"][0]) if "domain" in state else 0
    is_latent = domain >= 0 and DOMAINS[domain].startswith("latent")
    lost = ("latent_smoothing.", "within_reach", "inferred", "pacer.", "speed_limit.", *(["smoothing."] * is_latent))
    kept = {name: array for name, array in state.items() if not name.startswith(lost)}
    return {**kept, "domain": np.array([-1])} if is_latent else kept


def _current_row(domain: Domain | None, parts: dict[str, dict[str, NDArray[Any]]]) -> NDArray[Any] | None:
    """The descriptors as they stand, from the parts of a state; None before the first frame."""
    if domain == "frames":
        return parts["smoothing"].get("last")
    decimator = parts["decimator"]
    return decimator["sum"] / decimator["counters"][2] if "sum" in decimator else decimator.get("last")
