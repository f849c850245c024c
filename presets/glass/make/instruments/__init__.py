"""The players of the shipped sounds: strings, glass, air, and the room around them.

Every technique is a frozen value with one method, `play(rng)`, which gives a mono sound at 44.1 kHz whose loudest sample is ±1; the score
in `sound.py` says when it sounds and how loud.
"""
