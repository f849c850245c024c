"""The instruments of the shipped sounds: strings, glass, air, and the room around them.

Each technique is a frozen dataclass with one method, `play(rng)`, which returns a mono sound at 44.1 kHz with its loudest
sample at ±1. The score in `sound.py` sets its time and level.
"""
