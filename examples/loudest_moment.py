"""Describe a sound and print its loudest moment: python loudest_moment.py SOUND"""

import sys

import soundfile

from ponticello import DESCRIPTORS, describe

HOP_S = 512 / 44100  # from one analysis frame to the next

samples, sample_rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
rows = describe(samples.mean(axis=1), sample_rate)  # (frames, 23)
loudest = rows[:, DESCRIPTORS.index("loudness")].argmax()
print(f"loudest at {loudest * HOP_S:.2f} s:")
for name, value in zip(DESCRIPTORS, rows[loudest], strict=True):
    print(f"{name:>10} {value:10.2f}")
