"""The recipes that were compared for glass; the first is the one that is shipped."""

from presets.glass.make.painting.optics import Glass
from presets.making.training.recipe import Recipe, Stage

FINE = Glass(finest=1 / 256, strands=((0.0, 1.0), (0.22, 0.45), (-0.30, 0.6)), refraction=0.35)

RECIPES = {
    "glass": Recipe(Glass()),
    "smooth": Recipe(
        Glass(), texture=0.4, stages=(Stage(500, "buffers"), Stage(1800, "preview"), Stage(3600, "picture"))
    ),
    "low": Recipe(Glass(), first_cutoff=2.0),
    "shallow": Recipe(Glass(), first_cutoff=4.0, num_layers=8, channel_max=48),
    "wide": Recipe(Glass(), channel_base=4096),
    "fine": Recipe(FINE),
    "large": Recipe(
        Glass(),
        resolution=512,
        channel_base=1536,
        channel_max=48,
        num_layers=7,
        num_critical=1,
        margin_size=6,
        heads=(64, 128, 256),
        aspect=16 / 9,
        stages=(Stage(400, "buffers"), Stage(3000, "preview", 0.375), Stage(3000, "picture", 0.25)),
    ),
}
