"""Fits the generator of the preset `ink` to computed pictures: python presets/ink/make/train_generator.py FOLDER [RECIPE]

See `presets.making.training.fit` for the files it writes.
"""

from presets.making.training.fit import fit

from presets.ink.make.recipes import RECIPES

if __name__ == "__main__":
    fit(RECIPES)
