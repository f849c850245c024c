"""The smooth fields behind a picture: sums of plane waves whose phases are linear in the scene's parameters.

Each pixel is a function of these fields at one point (see `optics`). The first layers of a StyleGAN3 produce similar fields
(Karras et al. 2021, section 3), which makes such pictures learnable. Fields do not depend on the frame: a scene can be
rotated and shifted by any amount.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

PARAMETERS = 20
"""Normally distributed parameters of a scene: the first `COLOURS` set colour, light, material and rotation, the others the
phases of the waves."""
COLOURS = 7
HUE, SPREAD, LIGHT_X, LIGHT_Y, BROKEN, FIRE, TURN = range(COLOURS)
WIDEST_TURN = 1.1
"""Radians per unit of the squashed parameter, which rarely exceeds 1."""
FAMILIES = 4
"""Families of cracks."""
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


WAVES = (
    # cracks: a long wave whose zeros are the cracks, and one that bends them
    Wave("crack0", 1.00, 0.90, 0.20, 1.6),
    Wave("crack0", 0.42, 0.70, 1.45, 1.3),
    Wave("crack1", 1.00, 1.25, 1.02, 1.6),
    Wave("crack1", 0.34, 0.80, 2.60, 1.3),
    Wave("crack2", 1.00, 1.10, 1.78, 1.6),
    Wave("crack2", 0.45, 0.65, 0.35, 1.3),
    Wave("crack3", 1.00, 1.35, 2.62, 1.6),
    Wave("crack3", 0.34, 0.90, 0.90, 1.3),
    # where a family has cracks
    Wave("reach0", 1.0, 0.62, 1.9, 1.4),
    Wave("reach1", 1.0, 0.55, 0.1, 1.4),
    Wave("reach2", 1.0, 0.66, 2.8, 1.4),
    Wave("reach3", 1.0, 0.58, 1.2, 1.4),
    # how far the pieces have moved apart; where the light falls
    Wave("apart", 1.0, 0.45, 0.7),
    Wave("light", 0.6, 0.38, 2.2),
    Wave("light", 0.6, 0.46, 0.5),
    # light thrown by the glass: folds, and threads
    Wave("caustic", 1.0, 1.05, 0.55, 1.5),
    Wave("caustic", 0.45, 1.30, 2.05, 1.5),
    Wave("thread", 1.0, 0.60, 1.35, 1.5),
    Wave("thread", 0.8, 0.75, 0.15, 1.5),
    Wave("pulse", 1.0, 0.85, 2.45, 1.5),
)
FIELDS = tuple(dict.fromkeys(wave.field for wave in WAVES))
SLOPED = {"crack0", "crack1", "crack2", "crack3", "caustic", "thread"}
"""Fields whose slopes the optics need too."""


def squash(p: Tensor) -> Tensor:
    """Squash a normally distributed number to -1.3..1.3, with a slope of about 1 near 0."""
    return p / torch.sqrt(1 + 0.6 * p * p)


class Fields:
    """All fields of a family of scenes. The seed determines how each phase moves with the parameters."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        moving = torch.randn(len(WAVES), PARAMETERS - COLOURS, generator=generator)
        moving *= torch.tensor([wave.motion for wave in WAVES])[:, None] / moving.norm(dim=1, keepdim=True)
        self.motion: Float32[Tensor, "waves parameters"] = torch.cat([torch.zeros(len(WAVES), COLOURS), moving], dim=1)
        """Radians per unit of each parameter."""
        self.rest: Float32[Tensor, "waves"] = torch.rand(len(WAVES), generator=generator) * TAU
        self.frequencies: Float32[Tensor, "waves 2"] = torch.tensor(
            [(w.frequency * math.cos(w.direction), w.frequency * math.sin(w.direction)) for w in WAVES]
        )

    steering_size = 2 * len(WAVES) + 2 + COLOURS
    """The number of values in the result of `steer`."""

    def steer(self, p: Float32[Tensor, "n parameters"]) -> Float32[Tensor, "n steering"]:
        """The values from which a scene is rendered, and which can be interpolated.

        They are cos and then sin of each wave's phase at the centre, cos and sin of the scene's rotation, and the squashed
        parameters of colour, light and material (`COLOURS`).
        """
        phases, turn = p @ self.motion.T + self.rest, WIDEST_TURN * squash(p[:, TURN : TURN + 1])
        return torch.cat([phases.cos(), phases.sin(), turn.cos(), turn.sin(), squash(p[:, :COLOURS])], dim=1)

    def __call__(
        self,
        steering: Float32[Tensor, "n steering"],
        size: int,
        transforms: Float32[Tensor, "n 3 3"] | None = None,
        window: float = 1.0,
    ) -> dict[str, Float32[Tensor, "n _ size size"]]:
        """The value of each field and, for those in `SLOPED`, its slopes along x and y (per picture width), on a grid of pixels.

        steering: see `steer`; may be interpolated, which weakens waves of different phases.
        transforms: from places in the picture to places in the scene, as in the generator (rotations and shifts). Slopes are
        along the picture's axes before the transform, so the light rotates with the picture.
        window: the part of the picture's width, around its centre, that the grid covers.
        """
        count = len(WAVES)
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
        for i, wave in enumerate(WAVES):
            part = wave.amplitude * torch.addcmul(sx[:, i] * cy[:, i], cx[:, i], sy[:, i])[:, None]
            if wave.field in SLOPED:
                cosine = (wave.amplitude * TAU) * torch.addcmul(cx[:, i] * cy[:, i], sx[:, i], sy[:, i], value=-1)
                slopes = cosine[:, None] * untransformed[:, i, :, None, None]
                part = torch.cat([part, slopes], dim=1)
            fields[wave.field] = fields[wave.field] + part if wave.field in fields else part
        return fields
