"""From fields to colour: two inks in water, folded into sheets, clouds and threads, seen against lit paper.

Each quantity at a point depends only on the fields at that point. Inks absorb by the law of Beer and Lambert.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from presets.ink.make.painting.layout import AMOUNT, FILAMENT, FLOW, HUE, LAYOUT, SPREAD, VEIL
from presets.making.fields import Fields, Layout
from presets.making.rendering import Rendering, smoothstep

INKS = torch.tensor(
    [  # transmittance of a unit of each ink; neighbours mix without turning muddy
        (0.16, 0.62, 0.58),
        (0.08, 0.40, 0.72),
        (0.14, 0.20, 0.66),
        (0.42, 0.12, 0.52),
        (0.80, 0.08, 0.26),
        (0.93, 0.26, 0.10),
        (0.95, 0.58, 0.14),
    ]
)
PAPER = torch.tensor([0.985, 0.965, 0.925])


@dataclass(frozen=True)
class Ink:
    """The world of ink, with the settings of its renderer."""

    darkest: float = 4.0
    """Optical path through the thickest ink, in units of those in `INKS`."""

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
        maps = fields(steering, size, transforms, window)
        f = {name: value[:, 0] for name, value in maps.items()}
        q = steering[:, 2 * len(LAYOUT.waves) + 2 :, None, None]
        flow = (1.0 + 0.45 * q[:, FLOW]).clamp(min=0.3)

        # bands of three sheets, each a wave across the depths of two
        first = torch.sin(flow * (1.9 * f["sheet0"] + 0.7 * f["sheet1"]))
        other = torch.sin(flow * (1.8 * f["sheet1"] - 0.7 * f["sheet2"]))
        finest = torch.sin(flow * (2.6 * f["sheet2"] + 1.0 * f["sheet0"]))

        # body: soft clouds; veils: sharp on one side, soft on the other; threads
        reach = f["reach"] + 0.1 + 0.6 * q[:, AMOUNT] + 0.3 * other
        region = smoothstep(-0.75, 0.75, reach)
        body = region * smoothstep(-0.5, 1.0, 0.55 * first + 0.45 * finest + 0.5 * reach - 0.15)
        veil = crest(first - 0.15, 0.05, 0.45) + 0.8 * crest(finest - 0.1, 0.06, 0.5)
        veil = veil * smoothstep(-1.0, 0.3, reach) * (0.6 + 0.4 * q[:, VEIL]).clamp(min=0.1)
        second = crest(other + 0.1, 0.06, 0.7) * smoothstep(-0.5, 0.6, f["tint"])
        second = second * smoothstep(-1.1, 0.4, reach)
        thread = torch.exp(-((finest + 0.35) / 0.12).square()) + 0.45 * crest(finest + 0.35, 0.08, 0.25)
        thread = thread * smoothstep(-1.2, 0.2, reach) * (0.55 + 0.5 * q[:, FILAMENT]).clamp(min=0.08)

        hue = 0.42 + 0.36 * q[:, HUE]
        far = 0.34 + 0.16 * q[:, SPREAD]
        first_ink = absorbance(hue + 0.10 * f["tint"])
        second_ink = absorbance(hue + far * torch.where(hue > 0.5, -1.0, 1.0) * 1.4)
        amount = self.darkest * (0.75 * body + 0.2 * body * veil) + 0.9 * veil + 1.1 * thread
        density = amount[:, None] * first_ink + (1.5 * second)[:, None] * second_ink
        lit = 0.90 + 0.10 * f["light"]
        picture = (PAPER[:, None, None] * lit[:, None]).clamp(max=1.0) * torch.exp(-density)
        picture = picture * 2 - 1

        seen = [first, other, finest, reach, region * 2 - 1, body * 2 - 1, veil - 0.5, second - 0.4, thread - 0.3]
        angle = 2.2 * math.pi * (hue + 0.1 * f["tint"] - 0.5) * 0.45
        buffers = torch.stack([*seen, torch.sin(angle), torch.cos(angle)], dim=1)
        return Rendering(picture, torch.cat([maps[name][:, :1] for name in LAYOUT.names], dim=1), buffers)


def crest(x: Tensor, sharp: float, soft: float) -> Tensor:
    """A sheet with one sharp and one soft side: rises within `sharp` at zero, falls over `soft` above it."""
    return torch.sigmoid(x / sharp) * torch.exp(-x.clamp(min=0) / soft)


def absorbance(t: Float32[Tensor, "n h w"]) -> Float32[Tensor, "n 3 h w"]:
    """Absorbance of a unit of ink (natural logarithm) at 0..1 along the path of `INKS`; constant beyond its ends."""
    x = t.clamp(0, 1) * (len(INKS) - 1)
    weights = (1 - (x[:, None] - torch.arange(len(INKS))[:, None, None]).abs()).clamp(min=0)
    weights = weights * weights * (3 - 2 * weights)
    return torch.einsum("nkhw,kc->nchw", weights, -torch.log(INKS))
