"""Scores of generated images against real ones, by measures that need no pretrained network."""
