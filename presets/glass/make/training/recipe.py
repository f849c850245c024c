"""The recipes that were compared: the network's size, the renderer's look, the losses, and how long each part is trained."""

from dataclasses import dataclass, field, replace

from presets.glass.make.painting.optics import Look
from shared.image.architecture import Architecture, MappingArguments


@dataclass(frozen=True)
class Stage:
    """A part of training: iterations, and how far into the network it reaches."""

    iterations: int
    reach: str
    """"buffers": the layers that give the sharp buffers; "preview": those that give a small picture; "picture": all."""


@dataclass(frozen=True)
class Recipe:
    """All that a run depends on; equal recipes give equal runs."""

    resolution: int = 256
    channel_base: float = 2048
    channel_max: int = 64
    num_layers: int = 9
    first_cutoff: float = 3.0
    """Twice the finest of the fields: a layer near its cutoff weakens waves."""
    look: Look = field(default_factory=Look)
    seed: int = 2025
    batch: int = 6
    window: float = 0.5
    """The part of the picture's width that a step sees, anywhere in the picture: a third of the time of a whole one."""
    stages: tuple[Stage, ...] = (Stage(500, "buffers"), Stage(1800, "preview"), Stage(4700, "picture"))
    muon_rate: float = 0.004
    adam_rate: float = 2e-3
    mapping_steps: int = 3000
    """Of the mapping network alone, before all else."""
    decay: float = 1.0
    """The part of the last stage in which rates fall to a fiftieth."""
    texture: float = 1.0
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

    def shortened(self, share: float) -> "Recipe":
        """The same with so much of each stage."""
        stages = (replace(stage, iterations=max(1, round(stage.iterations * share))) for stage in self.stages)
        return replace(self, stages=tuple(stages))


RECIPES = {
    "glass": Recipe(),
    "smooth": Recipe(texture=0.4, stages=(Stage(500, "buffers"), Stage(1800, "preview"), Stage(3600, "picture"))),
    "low": Recipe(first_cutoff=2.0),
    "shallow": Recipe(first_cutoff=4.0, num_layers=8, channel_max=48),
    "wide": Recipe(channel_base=4096),
    "fine": Recipe(look=Look(finest=1 / 256, strands=((0.0, 1.0), (0.22, 0.45), (-0.30, 0.6)), refraction=0.35)),
}
"""The first is the one that is shipped."""
