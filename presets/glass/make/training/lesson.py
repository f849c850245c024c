"""One step's material: scenes and how they are seen. A number fixes all of it."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from presets.glass.make.training.recipe import Recipe


@dataclass(frozen=True)
class Lesson:
    """Scenes or, where w is between two, z of both ends; and the transforms that put a window of each picture, which may be
    turned and shifted, into the middle.
    """

    z: Float32[Tensor, "n z_dim"]
    other_z: Float32[Tensor, "n z_dim"]
    between: Float32[Tensor, "n 1"]
    """How far from z's w to the other's: 0 for most."""
    transforms: Float32[Tensor, "n 3 3"]

    def parts(self, count: int) -> list["Lesson"]:
        """The same scenes in so many parts, or fewer where there are not as many scenes."""
        columns = (self.z, self.other_z, self.between, self.transforms)
        return [Lesson(*rows) for rows in zip(*(column.chunk(count) for column in columns), strict=True)]


def lesson(recipe: Recipe, number: int) -> Lesson:
    """The material of step `number`."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + number)
    n, z_dim = recipe.batch, recipe.architecture.z_dim
    z, other_z = (torch.randn(n, z_dim, generator=generator) for _ in range(2))
    chosen = torch.rand(n, 1, generator=generator) < recipe.between
    between = torch.rand(n, 1, generator=generator) * chosen
    is_moved = torch.rand(n, generator=generator) < recipe.moved
    angle = torch.rand(n, generator=generator) * 2 * math.pi
    shift = torch.randn(n, 2, generator=generator) * 0.4
    angle, shift = angle * is_moved, shift * is_moved[:, None]
    place = (torch.rand(n, 2, generator=generator) - 0.5) * (1 - recipe.window)
    cos, sin = angle.cos(), angle.sin()
    x = cos * place[:, 0] - sin * place[:, 1] + shift[:, 0]
    y = sin * place[:, 0] + cos * place[:, 1] + shift[:, 1]
    zero, one = torch.zeros(n), torch.ones(n)
    transforms = torch.stack((cos, -sin, x, sin, cos, y, zero, zero, one), dim=1).reshape(n, 3, 3)
    return Lesson(z, other_z, between, transforms)
