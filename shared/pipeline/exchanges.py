"""What can be exchanged while a pipeline runs, besides controls: presets, latents, mappings, scalers."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from shared.mapping.scaling import Standardizer
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import LatentSpace, Pairs
from shared.preset.preset import Preset


@dataclass(frozen=True, eq=False)
class Steer:
    """Use this latent vector (latent,) instead of the sound's; None returns to the sound."""

    latent: Float32[np.ndarray, "latent"] | None
    space: LatentSpace = "z"
    label: Float32[np.ndarray, "classes"] | None = None
    """Weights of the classes of a conditional generator, for a z; None: those of the sound."""


@dataclass(frozen=True, eq=False)
class UseMapping:
    """Replace the mapping and pairs of the preset that plays; with `crossfades`, by a cross-fade of the preset's length.

    Without `crossfades` the mapping must have the scaler of the preset that plays.
    """

    mapping: LearnedMapping
    pairs: Pairs
    crossfades: bool = False


@dataclass(frozen=True, eq=False)
class UseScaler:
    """Standardise the sound by the (23,) scaler of its own source; None: by the scalers of the presets."""

    scaler: Standardizer | None


Exchange = Preset | Steer | UseMapping | UseScaler
"""A preset comes in with its cross-fade."""
