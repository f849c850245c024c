"""The recipes that were compared for glass; the first is the one that is shipped."""

from presets.glass.make.painting.optics import Glass
from presets.making.training.recipe import Recipe, Stage, recipe_of_512_pixels

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
    "large": recipe_of_512_pixels(
        Glass(), Stage(400, "buffers"), Stage(3000, "preview", 0.375), Stage(3000, "picture", 0.25)
    ),
}
