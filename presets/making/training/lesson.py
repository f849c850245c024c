"""The scenes of one training step and their transforms, all determined by the recipe's seed and the step's number."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from presets.making.training.recipe import Recipe


@dataclass(frozen=True)
class Lesson:
    """Scenes, as z or as a mixture of two z in w, and the transform of each picture.

    A transform moves a window of the picture, which may be rotated and shifted, to the centre.
    """

    z: Float32[Tensor, "n z_dim"]
    other_z: Float32[Tensor, "n z_dim"]
    between: Float32[Tensor, "n 1"]
    """Position between the two w: 0 for most scenes."""
    transforms: Float32[Tensor, "n 3 3"]

    def parts(self, count: int) -> list["Lesson"]:
        """The scenes split into `count` parts, or fewer if there are not enough scenes."""
        columns = (self.z, self.other_z, self.between, self.transforms)
        return [Lesson(*rows) for rows in zip(*(column.chunk(count) for column in columns), strict=True)]


def lesson(recipe: Recipe, number: int, window: float) -> Lesson:
    """The lesson of step `number`; its scenes are seen through a window of this part of the picture's height."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + number)
    n, z_dim = recipe.batch, recipe.architecture.z_dim
    z, other_z = (torch.randn(n, z_dim, generator=generator) for _ in range(2))
    chosen = torch.rand(n, 1, generator=generator) < recipe.between
    between = torch.rand(n, 1, generator=generator) * chosen
    is_moved = torch.rand(n, generator=generator) < recipe.moved
    angle = torch.rand(n, generator=generator) * 2 * math.pi
    shift = torch.randn(n, 2, generator=generator) * 0.4
    angle, shift = angle * is_moved, shift * is_moved[:, None]
    place = (torch.rand(n, 2, generator=generator) - 0.5) * (torch.tensor([recipe.aspect, 1.0]) - window)
    cos, sin = angle.cos(), angle.sin()
    x = cos * place[:, 0] - sin * place[:, 1] + shift[:, 0]
    y = sin * place[:, 0] + cos * place[:, 1] + shift[:, 1]
    zero, one = torch.zeros(n), torch.ones(n)
    transforms = torch.stack((cos, -sin, x, sin, cos, y, zero, zero, one), dim=1).reshape(n, 3, 3)
    return Lesson(z, other_z, between, transforms)
