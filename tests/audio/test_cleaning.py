"""Cleaning at the input: nonfinite samples are removed, all others keep their bits."""

import numpy as np

from shared.audio.cleaning import clean


def test_nonfinite_samples_become_zero_and_are_counted():
    loudest = 2.0**100
    given = np.array([0.5, -loudest, loudest, loudest * (1 + 2**-20), -np.inf, np.nan, -0.0])
    cleaned, bad = clean(given)
    assert bad == 3
    assert cleaned.dtype == np.float32
    assert cleaned.tobytes() == np.array([0.5, -loudest, loudest, 0, 0, 0, -0.0], np.float32).tobytes()


def test_sound_without_faults_is_kept():
    given = np.array([0.25, -1.0], np.float32)
    cleaned, bad = clean(given)
    assert (cleaned.tobytes(), bad) == (given.tobytes(), 0)
