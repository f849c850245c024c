"""The waves and the parameters of a scene of broken glass."""

from presets.making.fields import Layout, Wave

HUE, SPREAD, LIGHT_X, LIGHT_Y, BROKEN, FIRE, TURN = range(7)
"""Parameters of colour and material: hue and its spread, direction of the light, how broken the glass is, how much fire it has; the
rotation."""
FAMILIES = 4
"""Families of cracks."""

WAVES = (
    # cracks: a long wave whose zeros are the cracks, and one that bends them
    Wave("crack0", 1.00, 0.90, 0.20, 1.6),
    Wave("crack0", 0.42, 0.70, 1.45, 1.3),
    Wave("crack1", 1.00, 1.25, 1.02, 1.6),
    Wave("crack1", 0.34, 0.80, 2.60, 1.3),
    Wave("crack2", 1.00, 1.10, 1.78, 1.6),
    Wave("crack2", 0.45, 0.65, 0.35, 1.3),
    Wave("crack3", 1.00, 1.35, 2.62, 1.6),
    Wave("crack3", 0.34, 0.90, 0.90, 1.3),
    # where a family has cracks
    Wave("reach0", 1.0, 0.62, 1.9, 1.4),
    Wave("reach1", 1.0, 0.55, 0.1, 1.4),
    Wave("reach2", 1.0, 0.66, 2.8, 1.4),
    Wave("reach3", 1.0, 0.58, 1.2, 1.4),
    # how far the pieces have moved apart; where the light falls
    Wave("apart", 1.0, 0.45, 0.7),
    Wave("light", 0.6, 0.38, 2.2),
    Wave("light", 0.6, 0.46, 0.5),
    # light thrown by the glass: folds, and threads
    Wave("caustic", 1.0, 1.05, 0.55, 1.5),
    Wave("caustic", 0.45, 1.30, 2.05, 1.5),
    Wave("thread", 1.0, 0.60, 1.35, 1.5),
    Wave("thread", 0.8, 0.75, 0.15, 1.5),
    Wave("pulse", 1.0, 0.85, 2.45, 1.5),
)
LAYOUT = Layout(
    WAVES, parameters=20, colours=7, sloped=frozenset({"crack0", "crack1", "crack2", "crack3", "caustic", "thread"})
)
