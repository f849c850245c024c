"""Equality with the FluCoMa Toolkit 1.0.9, frame by frame, on every reference sound."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from shared.audio.descriptors import DESCRIPTORS, describe

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[1] / "reference" / "descriptors"
SOUNDS = sorted(path.stem for path in FOLDER.glob("*.wav"))
ILLPOSED = json.loads((FOLDER / "illposed.json").read_text())
SHAPE_AND_MFCC, PITCH, LOUDNESS = slice(0, 20), slice(20, 22), 22


def reference(name):
    """FluCoMa's values (m, 23), and a mask of those that are meaningful."""
    with (FOLDER / f"{name}.csv").open() as file:
        assert file.readline().strip().split(",") == list(DESCRIPTORS)
        values = np.loadtxt(file, delimiter=",", ndmin=2)
    illposed = ILLPOSED[f"{name}.wav"]
    meant = np.ones(values.shape, bool)
    meant[illposed["shape_mfcc"], SHAPE_AND_MFCC] = False
    meant[illposed["pitch"], PITCH] = False
    meant[illposed["loudness_below_-120"], LOUDNESS] = False
    return values, meant


def ours(name):
    samples, rate = soundfile.read(FOLDER / f"{name}.wav", dtype="float32")
    return describe(samples, rate)


def errors(name):
    """|ours - theirs| / max(1, |theirs|), 0 where the value is meaningless."""
    theirs, meant = reference(name)
    return np.where(meant, np.abs(ours(name) - theirs) / np.maximum(1, np.abs(theirs)), 0)


def test_nineteen_sounds_are_there():
    assert len(SOUNDS) == len(ILLPOSED) == 19


@pytest.mark.parametrize("name", SOUNDS)
def test_equal_to_flucoma(name):
    theirs, _ = reference(name)
    values = ours(name)
    assert values.shape == theirs.shape
    assert np.isfinite(values).all()
    worst = errors(name).max(axis=0)
    assert (worst <= 1e-6).all(), dict(zip(DESCRIPTORS, worst, strict=True))
    quiet = ILLPOSED[f"{name}.wav"]["loudness_below_-120"]
    assert np.abs(values - theirs)[quiet, LOUDNESS].max(initial=0) <= 1e-2


def test_table_of_errors(record_testsuite_property):
    """The table of docs/descriptors.md; `pytest -s` prints it."""
    worst = np.max([errors(name).max(axis=0) for name in SOUNDS], axis=0)
    for name, error in zip(DESCRIPTORS, worst, strict=True):
        record_testsuite_property(f"largest error of {name}", f"{error:.0e}")
        print(f"| {name} | {error:.0e} |")
    # Differences come from the Fourier transform, for the loudness from FluCoMa's own
    # rounding of a constant.
    assert worst[:LOUDNESS].max() <= 1e-9
    assert worst[LOUDNESS] <= 5e-7
