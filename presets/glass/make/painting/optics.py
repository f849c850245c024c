"""From fields to light: shards with lit rims, caustics seen through them, and threads of light, on black.

All quantities at a point depend only on the fields at that point.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import softplus

from presets.glass.make.painting.layout import (
    BROKEN,
    FAMILIES,
    FIRE,
    HUE,
    LAYOUT,
    LIGHT_X,
    LIGHT_Y,
    SPREAD,
    WAVES,
)
from presets.making.fields import Fields, Layout
from presets.making.rendering import Rendering, smoothstep

PALETTE = torch.tensor(
    [  # a path without yellow-green: sea glass, azure, indigo, violet, rose, copper, candle light
        (0.00, 0.62, 0.50),
        (0.02, 0.42, 0.95),
        (0.16, 0.14, 1.00),
        (0.55, 0.10, 0.95),
        (1.00, 0.14, 0.48),
        (1.00, 0.34, 0.12),
        (1.00, 0.68, 0.26),
    ]
)
TILTS = (0.50, 0.42, 0.46, 0.38)
"""How much a crack of each family tilts the pieces beside it."""


@dataclass(frozen=True)
class Glass:
    """The world of glass, with the settings of its renderer."""

    finest: float = 2 / 256
    """Smallest pixel size that the optics resolve, in picture widths."""
    rim_px: float = 1.0
    """Half width of a rim at 1/e."""
    widest_gap: float = 0.04
    """Gap between pieces, in picture widths."""
    thread_px: float = 0.8
    strands: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    """Strands of the thread: level in its field, brightness."""
    refraction: float = 0.0
    """Shift in radians of the caustics seen through a piece with a tilt of 1."""
    exposure: float = 1.9
    contrast: float = 0.75
    """Exponent of the tone curve: below 1 lifts the midtones."""

    @property
    def layout(self) -> Layout:
        """The waves and parameters of a scene."""
        return LAYOUT

    def render(
        self,
        fields: Fields,
        steering: Float32[Tensor, "n steering"],
        size: int,
        transforms: Float32[Tensor, "n 3 3"] | None = None,
        window: float = 1.0,
    ) -> Rendering:
        """Render scenes, or interpolations between them; arguments as for `Fields`."""
        f = fields(steering, size, transforms, window)
        rest = steering[:, 2 * len(WAVES) :, None, None]
        turned, q = rest[:, :2], rest[:, 2:]
        px = max(self.finest, window / size)

        # pieces: on which side of each crack, how near to the nearest
        apart = 0.10 + 0.60 * q[:, BROKEN] + 0.45 * f["apart"][:, 0]
        gap = self.widest_gap * softplus(apart * 5) / 5
        tilt_x = tilt_y = shade = torch.zeros_like(apart)
        sides, clearances, facing = [], [], []
        light_x, light_y = 0.9 * q[:, LIGHT_X], -0.35 + 0.8 * q[:, LIGHT_Y]
        length = torch.sqrt(light_x**2 + light_y**2 + 0.1)
        turns = torch.atan2(turned[:, 1], turned[:, 0])
        for k in range(FAMILIES):
            field = f[f"crack{k}"]
            reach = smoothstep(-0.9, 0.1, f[f"reach{k}"][:, 0])
            d = distance(field, 2.0)
            side = (d / px).clamp(-1, 1) * reach
            direction = next(w.direction for w in WAVES if w.field == f"crack{k}") - turns
            nx, ny = torch.cos(direction), torch.sin(direction)
            amount = TILTS[k] * (side + 0.35 * field[:, 0])
            tilt_x, tilt_y = tilt_x + amount * nx, tilt_y + amount * ny
            shade = shade + TILTS[k] * side * (1, -1, 1, -1)[k]
            sides.append(side)
            clearances.append(d.abs() - gap * reach + 0.12 * (1 - reach) ** 2)
            facing.append(0.5 - 0.5 * side * (nx * light_x + ny * light_y) / length)
        clearance = torch.stack(clearances, 1)
        inner = clearance.amin(dim=1) - 0.6 * px
        glass = smoothstep(-0.8 * px, 0.8 * px, inner)
        share = torch.softmax(-clearance / (2 * px), dim=1)
        lit = (share * torch.stack(facing, 1)).sum(dim=1)
        rim = torch.exp(-((inner / (self.rim_px * px)) ** 2))
        bevel = torch.exp(-inner.clamp(min=0) / 0.03) * glass

        # light on the pieces: a narrow flash, a soft sheen, more at grazing angles
        upright = torch.rsqrt(1 + tilt_x**2 + tilt_y**2)
        toward = ((-tilt_x * light_x - tilt_y * light_y + 0.5) * upright).clamp(min=0)
        sheen, flash = toward**2, toward**12
        grazing = 1 - upright
        fall = torch.sigmoid(2.8 * (f["light"][:, 0] + 0.1)) ** 2 * 1.6  # the lamp: all else is dark

        # caustics: bright up to a fold and dark behind it; a piece may move what is seen through it
        along_x, along_y = f["caustic"][:, 1], f["caustic"][:, 2]
        fold = f["caustic"][:, 0] + self.refraction * glass * (tilt_x * along_x + tilt_y * along_y) / 8.0
        depth = (fold - 0.35) * torch.rsqrt(along_x**2 + along_y**2 + 16.0)
        beyond = depth.clamp(min=0)
        caustic = (
            torch.sigmoid(depth / (0.4 * px)) * torch.rsqrt(1 + (beyond / (1.2 * px)) ** 2) * torch.exp(-beyond / 0.06)
        )
        caustic = caustic * (0.8 + 0.65 * q[:, FIRE]).clamp(min=0.05)

        # threads: fine lines in front of everything, bright in places
        pulse = smoothstep(-0.4, 0.9, f["pulse"][:, 0])
        thread = torch.zeros_like(pulse)
        steepness = torch.rsqrt(f["thread"][:, 1] ** 2 + f["thread"][:, 2] ** 2 + 2.0)
        for level, strength in self.strands:
            d = (f["thread"][:, 0] - level) * steepness
            thread = thread + strength * torch.exp(-((d / (self.thread_px * px)) ** 2))
            thread = thread + 0.08 * strength * torch.exp(-d.abs() / 0.018)
        thread = thread * pulse

        hue = 0.47 + 0.42 * q[:, HUE]
        spread = 0.22 + 0.15 * q[:, SPREAD]
        t = hue + spread * (0.9 * shade + 1.1 * (toward - 0.5))
        body = palette(t)
        accent = palette(hue + 0.40 - 0.80 * torch.sigmoid(16 * (hue - 0.5)))
        white = torch.tensor([0.86, 0.93, 1.0])[:, None, None]

        def tinted(amount: Tensor, colour: Tensor) -> Tensor:
            return amount[:, None] * colour

        light = tinted(glass * fall * (0.02 + 0.38 * sheen + 0.20 * grazing), body)
        light = light + tinted(bevel * fall * (0.06 + 0.35 * sheen + 0.30 * lit**2), body)
        light = light + tinted(glass * fall * 0.45 * flash, 0.6 * body + 0.4 * white)
        light = light + tinted(rim * (0.05 + 1.3 * lit**2) * (0.12 + 0.9 * fall), 0.4 * body + 0.6 * white)
        light = light + tinted(caustic * (0.12 + 0.70 * fall), 0.7 * accent + 0.3 * white)
        light = light + tinted(thread * (0.25 + 0.75 * fall), 0.35 * accent + 0.65 * white)
        exposed = 1 - torch.exp(-self.exposure * (light - 0.006).clamp(min=0))
        picture = 2 * exposed.clamp(min=1e-6) ** self.contrast - 1

        angle = 2.2 * math.pi * (t.clamp(-0.1, 1.1) - 0.5) * 0.45
        seen = (inner * 9).clamp(-1.2, 1.2), glass * 2 - 1, rim * 2 - 0.5, bevel * 2 - 0.7, lit * 2 - 1
        lights = (
            (sheen * 1.5 - 0.7).clamp(max=2),
            flash.clamp(max=2) - 0.3,
            fall - 0.6,
            caustic * 1.5 - 0.3,
            thread - 0.3,
        )
        buffers = torch.stack([*sides, tilt_x, tilt_y, *seen, *lights, torch.sin(angle), torch.cos(angle)], dim=1)
        return Rendering(picture, torch.cat([f[name][:, :1] for name in LAYOUT.names], dim=1), buffers)


def palette(t: Float32[Tensor, "n h w"]) -> Float32[Tensor, "n 3 h w"]:
    """The colour at 0..1 along the path of `PALETTE`; constant beyond its ends."""
    x = t.clamp(0, 1) * (len(PALETTE) - 1)
    weights = (1 - (x[:, None] - torch.arange(len(PALETTE))[:, None, None]).abs()).clamp(min=0)
    weights = weights * weights * (3 - 2 * weights)
    return torch.einsum("nkhw,kc->nchw", weights, PALETTE)


def distance(field: Float32[Tensor, "n 3 h w"], gentlest: float) -> Float32[Tensor, "n h w"]:
    """Signed distance to the field's nearest zero in picture widths, to first order; `gentlest` limits small slopes."""
    value, along_x, along_y = field.unbind(1)
    return value * torch.rsqrt(along_x**2 + along_y**2 + gentlest**2)
