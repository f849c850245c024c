"""The waves and the parameters of a scene of ink in water."""

from presets.making.fields import Layout, Wave

HUE, SPREAD, AMOUNT, FLOW, VEIL, FILAMENT, TURN = range(7)
"""Parameters of colour and material: hue of the first ink, how far the second is from it, how much ink, how strongly it is
stirred, how much of it forms veils, how much threads; and the rotation."""

WAVES = (
    # three depths, across which the sheets of ink are waves: each a slow wave and two finer ones
    Wave("sheet0", 0.80, 0.55, 1.70, 1.5),
    Wave("sheet0", 0.55, 0.95, 0.25, 1.6),
    Wave("sheet0", 0.28, 1.55, 0.70, 1.6),
    Wave("sheet1", 0.75, 0.62, 0.30, 1.5),
    Wave("sheet1", 0.55, 1.05, 1.85, 1.6),
    Wave("sheet1", 0.26, 1.65, 2.35, 1.6),
    Wave("sheet2", 0.75, 0.70, 1.05, 1.5),
    Wave("sheet2", 0.50, 1.15, 2.75, 1.6),
    Wave("sheet2", 0.25, 1.75, 2.25, 1.6),
    # where there is ink, where the second ink is, how the light falls
    Wave("reach", 0.65, 0.42, 2.50, 1.3),
    Wave("reach", 0.55, 0.66, 0.70, 1.3),
    Wave("tint", 0.75, 0.60, 1.10, 1.4),
    Wave("tint", 0.45, 0.85, 2.30, 1.4),
    Wave("light", 0.7, 0.35, 0.50, 1.2),
)
LAYOUT = Layout(WAVES, parameters=20, colours=7)
