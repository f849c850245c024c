import numpy as np
import pytest

from shared.audio.descriptors import DESCRIPTORS, TABLE, Analyzer, describe
from shared.audio.framing import tail
from shared.errors import SoundError
from tests.audio.signals import noise, sine


@pytest.mark.parametrize("n", [1, 10, 300, 511, 512, 44100, 200_000])
def test_is_the_stage_in_a_loop(n):
    x = noise(n)
    rows = describe(x, 44100)
    assert rows.shape == (1 + n // 512, 23)
    assert rows.tobytes() == Analyzer().process(np.concatenate([x, np.zeros(tail(n), np.float32)])).tobytes()


def test_each_descriptor_has_its_unit():
    units = {row.name: row.unit for row in TABLE}
    assert {name for name, unit in units.items() if unit == "Hz"} == {"centroid", "spread", "rolloff", "pitch"}
    assert {name for name, unit in units.items() if unit == ""} == {"skewness", "kurtosis", "confidence"}
    in_db = {"flatness", "crest", "loudness", *(f"mfcc{i}" for i in range(1, 14))}
    assert {name for name, unit in units.items() if unit == "dB"} == in_db
    assert all(len(row.meaning) > 10 for row in TABLE)


def test_nothing_gives_no_rows():
    rows = describe(np.empty(0, np.float32), 44100)
    assert rows.shape == (0, 23)
    assert rows.dtype == np.float64
    assert describe(np.empty(0, np.float32), 48000).shape == (0, 23)


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000, 192000])
def test_other_rates_describe_the_same_sound(rate):
    """A tone of 440 Hz with overtones to 2.2 kHz: the descriptors do not depend on the file's rate."""

    def tone(rate):
        return sum(sine(440 * k, rate, rate, gain=0.3 / k) for k in range(1, 6))

    rows, same = describe(tone(rate), rate), describe(tone(44100), 44100)
    assert rows.shape == same.shape == (87, 23)
    middle = slice(10, -10)
    for name, tolerance in {
        "pitch": 0.01,
        "confidence": 0.001,
        "loudness": 0.01,
        "centroid": 1.0,
        "rolloff": 1.0,
    }.items():
        column = DESCRIPTORS.index(name)
        assert rows[middle, column] == pytest.approx(same[middle, column], abs=tolerance), name


def test_nonfinite_samples_count_as_silence():
    x = noise(5000)
    broken, mended = x.copy(), x.copy()
    broken[[0, 700, 701, 4000]] = np.nan, np.inf, -np.inf, np.float32(3e38)
    mended[[0, 700, 701, 4000]] = 0
    for rate in (44100, 48000):
        assert describe(broken, rate).tobytes() == describe(mended, rate).tobytes()


def test_double_precision_samples():
    x = noise(5000)
    assert describe(x.astype(np.float64), 44100).tobytes() == describe(x, 44100).tobytes()


@pytest.mark.parametrize("samples", [np.zeros((100, 2), np.float32), np.zeros(100, np.int16)])
def test_other_samples_are_refused(samples):
    with pytest.raises(SoundError, match=r"one channel \(n,\)"):
        describe(samples, 44100)


@pytest.mark.parametrize("rate", [0, -44100, 999, 10_000_000])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(SoundError, match="allowed are 1000 to"):
        describe(noise(100), rate)
