"""A recipe: the world, the network's size, the losses, and how long each part is trained."""

from dataclasses import dataclass, replace

from presets.making.rendering import World
from shared.image.architecture import Architecture, MappingArguments


@dataclass(frozen=True)
class Stage:
    """A stage of training: its number of iterations and the layers that it trains."""

    iterations: int
    reach: str
    """"buffers": the layers up to the sharp buffers; "preview": up to a small picture; "picture": all."""
    window: float = 0.5
    """The part of the picture's height that a step trains on, at a random place; half takes a third of the time of a whole picture."""


@dataclass(frozen=True)
class Recipe:
    """All settings of a run; equal recipes give equal runs."""

    world: World
    resolution: int = 256
    channel_base: float = 2048
    channel_max: int = 64
    num_layers: int = 9
    first_cutoff: float = 3.0
    """Twice the highest frequency of the fields, because a layer attenuates waves near its cutoff."""
    margin_size: int = 10
    num_critical: int = 2
    heads: tuple[int, int, int] = (64, 128, 128)
    """Samples per picture width of the layers that are trained towards the fields, the buffers and the small picture."""
    aspect: float = 1.0
    """Width to height of the pictures in which the parts lie."""
    seed: int = 2025
    batch: int = 6
    shown: int = 24
    """Scenes, never trained on, that are compared with the renderer's at each save."""
    stages: tuple[Stage, ...] = (Stage(500, "buffers"), Stage(1800, "preview"), Stage(4700, "picture"))
    muon_rate: float = 0.004
    adam_rate: float = 2e-3
    mapping_steps: int = 3000
    """Steps of the mapping network, which is trained first, alone."""
    decay: float = 1.0
    """The part of the last stage in which learning rates fall to a fiftieth."""
    texture: float = 1.0
    """Weight of the texture loss in the last stage."""
    between: float = 0.2
    """Share of scenes whose w is a mixture of two."""
    moved: float = 0.25
    """Share of scenes that are rotated and shifted by the generator's transform."""

    @property
    def architecture(self) -> Architecture:
        """The generator's architecture."""
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
            margin_size=self.margin_size,
            num_critical=self.num_critical,
            first_cutoff=self.first_cutoff,
            first_stopband=self.first_cutoff * 2**1.1,
        )

    def shortened(self, share: float) -> "Recipe":
        """The recipe with this share of each stage's iterations."""
        stages = (replace(stage, iterations=max(1, round(stage.iterations * share))) for stage in self.stages)
        return replace(self, stages=tuple(stages))


def recipe_of_512_pixels(world: World, *stages: Stage) -> Recipe:
    """A T of 512 pixels, narrow enough for 16:9 on two cores."""
    return Recipe(
        world,
        resolution=512,
        channel_base=1536,
        channel_max=48,
        num_layers=7,
        num_critical=1,
        margin_size=6,
        heads=(64, 128, 256),
        aspect=16 / 9,
        stages=stages,
    )
