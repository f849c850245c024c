"""Everything that a pipeline remembers, as a recording keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from shared.controls import ControlChange, Value
from shared.mapping.scaling import Standardizer
from shared.picture import Picture
from shared.pipeline.exchanges import Exchange, Steer
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.preset.preset import Preset
from shared.stage import State


class Waiting(NamedTuple):
    """What will act at a sample."""

    sample: int
    asked: int
    """A number that grows with every one that is asked for."""
    what: ControlChange | Exchange


@dataclass(frozen=True, eq=False)
class LayerState:
    """A preset that is to be seen, its voice as it stands: the mapping and pairs in use may be newer than the preset's."""

    preset: Preset
    mapping: LearnedMapping
    pairs: Pairs
    voice: State
    values: Mapping[str, Value]
    began: int
    fade: int


@dataclass(frozen=True, eq=False)
class PipelineState:
    """Everything that a pipeline remembers between two blocks: its own copy, to go on from or to keep."""

    fps: Fraction
    samples: int
    frames: int
    ticks: int
    layers: tuple[LayerState, ...]
    """The lowest first."""
    values: Mapping[str, Value]
    """Of the controls that belong to no preset."""
    waiting: Mapping[str, tuple[Waiting, ...]]
    """By what they act on: samples, frames, ticks."""
    first_change: int | None
    analyzer: State
    gate: State
    sounding: Float64[np.ndarray, "23"]
    scaler: Standardizer | None
    black: Fraction
    steer: Steer
    last: Picture | None
    """The newest picture: it stays while the show is frozen."""
    last_presets: tuple[Preset, ...]
    """Whose generators it needs."""
