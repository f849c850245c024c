"""What is exchanged while a pipeline runs, besides controls: latents, mappings, scalers, presets."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from shared.mapping.scaling import Standardizer
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import LatentSpace, Pairs
from shared.preset.preset import Preset


@dataclass(frozen=True, eq=False)
class Steer:
    """A latent (latent,) takes the place of the sound's; None gives the picture back to the sound."""

    latent: Float32[np.ndarray, "latent"] | None
    space: LatentSpace = "z"


@dataclass(frozen=True, eq=False)
class UseMapping:
    """The playing preset's mapping and pairs are exchanged."""

    mapping: LearnedMapping
    pairs: Pairs


@dataclass(frozen=True, eq=False)
class UseScaler:
    """The sound is standardised by its own source's scaler (23,); None: by the presets' own."""

    scaler: Standardizer | None


Exchange = Preset | Steer | UseMapping | UseScaler
"""What is exchanged at a sample besides controls: a preset comes with its cross-fade."""
