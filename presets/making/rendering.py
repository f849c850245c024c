"""What a world is to the training: a layout of fields and a renderer of its scenes."""

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float32
from torch import Tensor

from presets.making.fields import Fields, Layout


@dataclass(frozen=True)
class Rendering:
    """Pictures (n, 3, size, size) in -1..1, with their fields and buffers."""

    picture: Float32[Tensor, "n 3 size size"]
    fields: Float32[Tensor, "n fields size size"]
    """Smooth: the value of each field of the layout."""
    buffers: Float32[Tensor, "n buffers size size"]
    """What the picture is composed of, sharp or folded (for glass: rims, light, hue); each within about -1..1."""


class World(Protocol):
    """A family of scenes and its renderer. Its repr contains all its settings: equal ones give equal pictures."""

    @property
    def layout(self) -> Layout:
        """The waves and parameters of a scene."""

    def render(
        self,
        fields: Fields,
        steering: Float32[Tensor, "n steering"],
        size: int,
        transforms: Float32[Tensor, "n 3 3"] | None = None,
        window: float = 1.0,
    ) -> Rendering:
        """Render scenes, or interpolations between them; arguments as for `Fields`."""


def smoothstep(low: float, high: float, x: Tensor) -> Tensor:
    """0 below `low`, 1 above `high`, a cubic in between."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
