"""Everything that a pipeline remembers, as a recording stores it."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float64

from shared.controls import Value
from shared.mapping.scaling import Standardizer
from shared.picture import Picture
from shared.pipeline.exchanges import Steer
from shared.pipeline.schedule import Level, ScheduledChange
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.preset.preset import Preset
from shared.stage import State


@dataclass(frozen=True, eq=False)
class PlayingPresetState:
    """A preset that is visible, with the memory of its voice; mapping and pairs may be newer than the preset's files."""

    preset: Preset
    mapping: LearnedMapping
    pairs: Pairs
    voice: State
    values: Mapping[str, Value]
    start_tick: int
    fade_ticks: int
    motion: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class PipelineState:
    """Everything that a pipeline remembers between two blocks: a copy, to continue from or to store."""

    fps: Fraction
    samples: int
    frames: int
    ticks: int
    playing: tuple[PlayingPresetState, ...]
    """The lowest of a cross-fade first."""
    values: Mapping[str, Value]
    """The controls that belong to no preset."""
    scheduled: Mapping[Level, tuple[ScheduledChange, ...]]
    """Changes that have not acted yet."""
    first_change: int | None
    analyzer: State
    gate: State
    sounding: Float64[np.ndarray, "columns"]
    scaler: Standardizer | None
    black: Fraction
    steer: Steer
    last: Picture | None
    """The newest picture: it stays while the show is frozen."""
    last_presets: tuple[Preset, ...]
    """The presets whose generators that picture needs."""
