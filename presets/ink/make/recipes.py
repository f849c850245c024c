"""The recipe for ink: 512 pixels, narrow enough for 16:9 on two cores."""

from presets.making.training.recipe import Recipe, Stage

from presets.ink.make.painting.liquid import Ink

RECIPES = {
    "ink": Recipe(
        Ink(),
        resolution=512,
        channel_base=2048,
        channel_max=56,
        num_layers=9,
        margin_size=6,
        heads=(64, 128, 256),
        aspect=16 / 9,
        seed=2026,
        shown=8,
        stages=(Stage(400, "buffers"), Stage(9000, "preview", 0.375), Stage(8000, "picture", 0.25)),
    ),
}
