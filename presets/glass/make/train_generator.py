"""Fits the generator of the preset `glass` to rendered pictures: python presets/glass/make/train_generator.py FOLDER [RECIPE]

See `presets.making.training.fit` for the files it writes.
"""

from presets.glass.make.recipes import RECIPES
from presets.making.training.fit import fit

if __name__ == "__main__":
    fit(RECIPES)
