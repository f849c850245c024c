"""The recipe for ink: 512 pixels."""

from dataclasses import replace

from presets.ink.make.painting.liquid import Ink
from presets.making.training.recipe import Stage, recipe_of_512_pixels

STAGES = Stage(400, "buffers"), Stage(4200, "preview", 0.375), Stage(9000, "picture", 0.25)
RECIPES = {"ink": replace(recipe_of_512_pixels(Ink(), *STAGES), seed=2026, shown=8)}
