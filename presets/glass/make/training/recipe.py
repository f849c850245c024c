"""The recipes that were compared: the network's size, the renderer's look, the losses, and how long each part is trained."""

from dataclasses import dataclass, field

from painting.optics import Look

from shared.image.architecture import Architecture, MappingArguments


@dataclass(frozen=True)
class Stage:
    """A part of training: iterations, and how far into the network it reaches, as a rate in samples per picture width."""

    iterations: int
    rate: int
    """32: the fields; 64: the sharp buffers too; 128: a small picture too; that of the picture itself: everything."""


@dataclass(frozen=True)
class Recipe:
    """All that a run depends on; equal recipes give equal runs."""

    resolution: int = 256
    channel_base: float = 2048
    channel_max: int = 64
    num_layers: int = 8
    first_cutoff: float = 2.0
    look: Look = field(default_factory=Look)
    seed: int = 2025
    batch: int = 6
    window: float = 0.5
    """The part of the picture's width that a step sees, anywhere in the picture: a third of the time of a whole one."""
    stages: tuple[Stage, ...] = (Stage(200, 64), Stage(2300, 128), Stage(2000, 256))
    muon_rate: float = 0.003
    adam_rate: float = 2e-3
    mapping_steps: int = 1500
    """Of the mapping network alone, before all else."""
    decay: float = 0.6
    """The part of the last stage in which rates fall to a fiftieth."""
    texture: float = 0.4
    """Weight of the texture loss, in the last stage."""
    between: float = 0.2
    """Share of scenes that are made from a w between two others."""
    moved: float = 0.25
    """Share of scenes that are seen turned and shifted, by the generator's transform."""

    @property
    def architecture(self) -> Architecture:
        """Of the generator."""
        return Architecture(
            z_dim=512,
            c_dim=0,
            w_dim=512,
            img_resolution=self.resolution,
            img_channels=3,
            mapping_kwargs=MappingArguments(num_layers=2),
            channel_base=self.channel_base,
            channel_max=self.channel_max,
            num_layers=self.num_layers,
            first_cutoff=self.first_cutoff,
            first_stopband=self.first_cutoff * 2**1.1,
        )


RECIPES = {
    "lean": Recipe(),
    "try": Recipe(stages=(Stage(4, 32), Stage(4, 64), Stage(4, 128), Stage(4, 256))),
}
