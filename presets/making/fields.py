"""The smooth fields behind a picture: sums of plane waves whose phases are linear in the scene's parameters.

Each pixel is a function of these fields at one point (see a preset's `painting`). The first layers of a StyleGAN3 produce
similar fields (Karras et al. 2021, section 3), which makes such pictures learnable. Fields do not depend on the frame: a scene
can be rotated and shifted by any amount.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float32
from torch import Tensor

WIDEST_TURN = 1.1
"""Radians per unit of the squashed parameter, which rarely exceeds 1."""
TAU = 2 * math.pi


@dataclass(frozen=True)
class Wave:
    """amplitude sin(2 pi frequency . x + phase): the frequency in cycles per picture width, its direction in radians."""

    field: str
    amplitude: float
    frequency: float
    direction: float
    motion: float = 1.0
    """Standard deviation of the phase in radians, over scenes."""


@dataclass(frozen=True)
class Layout:
    """A family of scenes: its waves and its normally distributed parameters.

    The first `colours` of the parameters set colour, light and material; the last of these is a rotation of the scene. The
    other parameters set the phases of the waves.
    """

    waves: tuple[Wave, ...]
    parameters: int
    colours: int
    sloped: frozenset[str] = frozenset()
    """Fields whose slopes the renderer needs too."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The fields, in order."""
        return tuple(dict.fromkeys(wave.field for wave in self.waves))

    @property
    def steering_size(self) -> int:
        """The number of values in the result of `Fields.steer`."""
        return 2 * len(self.waves) + 2 + self.colours


def squash(p: Tensor) -> Tensor:
    """Squash a normally distributed number to -1.3..1.3, with a slope of about 1 near 0."""
    return p / torch.sqrt(1 + 0.6 * p * p)


class Fields:
    """All fields of a family of scenes. The seed determines how each phase moves with the parameters."""

    def __init__(self, layout: Layout, seed: int) -> None:
        self.layout = layout
        waves, still = layout.waves, layout.colours
        generator = torch.Generator().manual_seed(seed)
        moving = torch.randn(len(waves), layout.parameters - still, generator=generator)
        moving *= torch.tensor([wave.motion for wave in waves])[:, None] / moving.norm(dim=1, keepdim=True)
        self.motion: Float32[Tensor, "waves parameters"] = torch.cat([torch.zeros(len(waves), still), moving], dim=1)
        """Radians per unit of each parameter."""
        self.rest: Float32[Tensor, "waves"] = torch.rand(len(waves), generator=generator) * TAU
        self.frequencies: Float32[Tensor, "waves 2"] = torch.tensor(
            [(w.frequency * math.cos(w.direction), w.frequency * math.sin(w.direction)) for w in waves]
        )

    def steer(self, p: Float32[Tensor, "n parameters"]) -> Float32[Tensor, "n steering"]:
        """The values from which a scene is rendered, and which can be interpolated.

        They are cos and then sin of each wave's phase at the centre, cos and sin of the scene's rotation, and the squashed
        parameters of colour, light and material.
        """
        colours = squash(p[:, : self.layout.colours])
        phases, turn = p @ self.motion.T + self.rest, WIDEST_TURN * colours[:, -1:]
        return torch.cat([phases.cos(), phases.sin(), turn.cos(), turn.sin(), colours], dim=1)

    def __call__(
        self,
        steering: Float32[Tensor, "n steering"],
        size: int,
        transforms: Float32[Tensor, "n 3 3"] | None = None,
        window: float = 1.0,
    ) -> dict[str, Float32[Tensor, "n _ size size"]]:
        """The value of each field and, for those in `Layout.sloped`, its slopes along x and y (per picture width), on a grid of pixels.

        steering: see `steer`; may be interpolated, which weakens waves of different phases.
        transforms: from places in the picture to places in the scene, as in the generator (rotations and shifts). Slopes are
        along the picture's axes before the transform, so the light rotates with the picture.
        window: the part of the picture's width, around its centre, that the grid covers.
        """
        count = len(self.layout.waves)
        turned = steering[:, 2 * count : 2 * count + 2]
        cos, sin = (turned / turned.norm(dim=1, keepdim=True)).unbind(1)
        turn = torch.stack([cos, -sin, sin, cos], dim=1).reshape(-1, 2, 2)
        vectors = untransformed = self.frequencies @ turn
        shifts = torch.zeros(())
        if transforms is not None:
            shifts = TAU * vectors @ transforms[:, :2, 2:]
            vectors = vectors @ transforms[:, :2, :2]
        line = ((torch.arange(size) + 0.5) / size - 0.5) * (TAU * window)
        # sin(a + b) and cos(a + b), with a a function of x and b of y: two products instead of a sine for each pixel
        across = line * vectors[:, :, :1]
        down = line * vectors[:, :, 1:] + shifts
        sx, cx = torch.sin(across)[:, :, None], torch.cos(across)[:, :, None]
        sin_down, cos_down = torch.sin(down), torch.cos(down)
        c, s = steering[:, :count, None], steering[:, count : 2 * count, None]
        sy = (c * sin_down + s * cos_down)[:, :, :, None]
        cy = (c * cos_down - s * sin_down)[:, :, :, None]
        fields: dict[str, Tensor] = {}
        for i, wave in enumerate(self.layout.waves):
            part = wave.amplitude * torch.addcmul(sx[:, i] * cy[:, i], cx[:, i], sy[:, i])[:, None]
            if wave.field in self.layout.sloped:
                cosine = (wave.amplitude * TAU) * torch.addcmul(cx[:, i] * cy[:, i], sx[:, i], sy[:, i], value=-1)
                slopes = cosine[:, None] * untransformed[:, i, :, None, None]
                part = torch.cat([part, slopes], dim=1)
            fields[wave.field] = fields[wave.field] + part if wave.field in fields else part
        return fields
