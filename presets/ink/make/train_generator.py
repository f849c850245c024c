"""Fits the generator of the preset `ink` to rendered pictures: python presets/ink/make/train_generator.py FOLDER [RECIPE]

See `presets.making.training.fit` for the files it writes.
"""

from presets.ink.make.recipes import RECIPES
from presets.making.training.fit import fit

if __name__ == "__main__":
    fit(RECIPES)
