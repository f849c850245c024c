"""The random parameters of each image: which transforms are applied, and how strongly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor


class Transform(NamedTuple):
    """A transform: the group that enables it, and its numbers of gates, uniform and normal numbers per image."""

    name: str
    group: str
    uniforms: int
    normals: int
    gates: int = 1


TRANSFORMS = (
    Transform("xflip", "xflip", 1, 0),
    Transform("rotate90", "rotate90", 1, 0),
    Transform("xint", "xint", 2, 0),
    Transform("scale", "scale", 0, 1),
    Transform("rotate_before", "rotate", 1, 0),
    Transform("aniso", "aniso", 0, 1),
    Transform("rotate_after", "rotate", 1, 0),
    Transform("xfrac", "xfrac", 0, 2),
    Transform("brightness", "brightness", 0, 1),
    Transform("contrast", "contrast", 0, 1),
    Transform("lumaflip", "lumaflip", 1, 0),
    Transform("hue", "hue", 1, 0),
    Transform("saturation", "saturation", 0, 1),
    Transform("imgfilter", "imgfilter", 0, 4, gates=4),
    Transform("noise", "noise", 0, 1),
    Transform("cutout", "cutout", 2, 0),
)
GROUPS = tuple(dict.fromkeys(row.group for row in TRANSFORMS))
DEFAULT_GROUPS = frozenset(GROUPS) - {"imgfilter", "noise", "cutout"}
"""Those that the published code applies by default."""


@dataclass(frozen=True, eq=False)
class Draws:
    """For n images: applied (n, gates), uniform and normal (n, numbers) of each transform of the enabled groups.

    used: the transforms that at least one image of the whole batch gets.
    """

    applied: Mapping[str, Bool[np.ndarray, "n gates"]]
    uniform: Mapping[str, Float32[np.ndarray, "n u"]]
    normal: Mapping[str, Float32[np.ndarray, "n v"]]
    used: frozenset[str]

    @classmethod
    def at_random(cls, groups: frozenset[str], p: float, chances: Sequence[np.random.Generator]) -> Self:
        """Draw from a random generator for each image; every transform is applied with probability p.

        The numbers of an image have fixed positions, so that disabling a group does not change the others.
        """
        gates = np.stack([chance.random(sum(row.gates for row in TRANSFORMS)) for chance in chances])
        uniforms = np.stack([chance.random(sum(row.uniforms for row in TRANSFORMS)) for chance in chances])
        normals = np.stack([chance.standard_normal(sum(row.normals for row in TRANSFORMS)) for chance in chances])
        applied, uniform, normal = {}, {}, {}
        gate = number = deviate = 0
        for row in TRANSFORMS:
            if row.group in groups:
                # the two rotations together are applied with probability p
                probability = 1 - (1 - p) ** 0.5 if row.group == "rotate" else p
                applied[row.name] = gates[:, gate : gate + row.gates] < probability
                uniform[row.name] = uniforms[:, number : number + row.uniforms].astype(np.float32)
                normal[row.name] = normals[:, deviate : deviate + row.normals].astype(np.float32)
            gate, number, deviate = gate + row.gates, number + row.uniforms, deviate + row.normals
        return cls(applied, uniform, normal, frozenset(name for name, gates in applied.items() if gates.any()))

    @classmethod
    def at_percentile(cls, groups: frozenset[str], q: float, images: int) -> Self:
        """Every transform applied, at percentile q of its distribution: a check against other implementations.

        Uniform numbers are q, normal ones erfinv(2q - 1); the second rotation is left out.
        """
        deviate = float(torch.erfinv(torch.tensor(2 * q - 1, dtype=torch.float64)))
        rows = [row for row in TRANSFORMS if row.group in groups]
        return cls(
            {row.name: np.full((images, row.gates), row.name != "rotate_after") for row in rows},
            {row.name: np.full((images, row.uniforms), q, np.float32) for row in rows},
            {row.name: np.full((images, row.normals), deviate, np.float32) for row in rows},
            frozenset(row.name for row in rows if row.name != "rotate_after"),
        )

    def rows(self, places: Sequence[int]) -> Self:
        """Those of some images of the batch. `used` stays that of the whole batch."""
        applied, uniform, normal = (
            {name: array[list(places)] for name, array in arrays.items()}
            for arrays in (self.applied, self.uniform, self.normal)
        )
        return replace(self, applied=applied, uniform=uniform, normal=normal)

    def on(self, name: str) -> bool:
        """Whether any image of the whole batch gets this transform."""
        return name in self.used

    def where(self, name: str, drawn: np.ndarray, neutral: float) -> Tensor:
        """`drawn` (n, ...) for the images that get the transform, `neutral` for the others, as float32."""
        applied = self.applied[name][:, :1].reshape(-1, *[1] * (drawn.ndim - 1))
        return torch.from_numpy(np.where(applied, drawn, neutral).astype(np.float32))
