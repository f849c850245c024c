"""The recipe for ink: 512 pixels, narrow enough for 16:9 on two cores."""

from presets.ink.make.painting.liquid import Ink
from presets.making.training.recipe import Recipe, Stage

RECIPES = {
    "ink": Recipe(
        Ink(),
        resolution=512,
        channel_base=1536,
        channel_max=48,
        num_layers=7,
        num_critical=1,
        margin_size=6,
        heads=(64, 128, 256),
        aspect=16 / 9,
        seed=2026,
        shown=8,
        stages=(Stage(400, "buffers"), Stage(4200, "preview", 0.375), Stage(9000, "picture", 0.25)),
    ),
}
