"""Fits a generator to rendered pictures: recipes, initial weights, lessons, losses, and the training steps."""
