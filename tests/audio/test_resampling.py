import numpy as np
import pytest
import soxr
from hypothesis import given, settings, strategies

from shared.audio.resampling import Resampler
from shared.errors import SoundError
from tests.audio.signals import noise, sine

pytestmark = pytest.mark.slow

RATES = [8000, 11025, 16000, 22050, 32000, 44099, 48000, 88200, 96000, 176400, 192000]


def resample(x, rate, sizes=()):
    resampler = Resampler(rate)
    parts = (
        [resampler.process(part) for part in np.split(x, np.cumsum(sizes))] if len(sizes) else [resampler.process(x)]
    )
    return np.concatenate([*parts, resampler.finish()])


@pytest.mark.parametrize(("rate", "good"), [(999, False), (1000, True), (1_000_000, True), (1_000_001, False)])
def test_rates_that_are_allowed(rate, good):
    if good:
        assert Resampler(rate).source_rate == rate
    else:
        with pytest.raises(SoundError, match=f"a sample rate of {rate} Hz; allowed are 1000 to 1000000"):
            Resampler(rate)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n", [0, 1, 2, 10, 999, 20_000])
def test_count(rate, n):
    out = resample(noise(n), rate)
    assert len(out) == (2 * n * 44100 + rate) // (2 * rate)
    assert out.dtype == np.float32


@pytest.mark.parametrize("rate", RATES)
def test_same_bits_for_every_cutting(rate):
    x = noise(20_000)
    whole = resample(x, rate)
    assert whole.tobytes() == resample(x, rate, [1] * 3000).tobytes()
    assert whole.tobytes() == resample(x, rate, [64] * 300).tobytes()
    assert whole.tobytes() == soxr.resample(x, rate, 44100).tobytes()


@settings(max_examples=25)
@given(strategies.sampled_from(RATES), strategies.lists(strategies.integers(0, 5000), max_size=8))
def test_any_cutting(rate, sizes):
    x = noise(sum(sizes) + 100)
    assert resample(x, rate, sizes).tobytes() == resample(x, rate).tobytes()


@pytest.mark.parametrize("rate", [8000, 48000, 96000])
def test_a_tone_keeps_its_time_and_level(rate):
    """Also checks that nothing is shifted: the resampled tone equals the tone at the new rate, sample for sample."""
    seconds = 2
    out = resample(sine(1000, seconds * rate, rate), rate)
    expected = sine(1000, seconds * 44100)
    assert len(out) == len(expected)
    inner = slice(4000, -4000)
    assert np.abs(out - expected)[inner].max() < 1e-5


@pytest.mark.parametrize("rate", [8000, 48000, 192000])
def test_delay_is_the_most_that_is_held_back(rate):
    resampler = Resampler(rate)
    got = longest = 0
    for fed in range(50, 2 * rate, 50):
        got += len(resampler.process(np.zeros(50, np.float32)))
        longest = max(longest, fed * 44100 / rate - got)
    assert longest <= resampler.delay + 50 * 44100 / rate
    assert longest >= 0.8 * resampler.delay


def test_equal_rates_pass_through():
    resampler = Resampler(44100)
    x = noise(1000)
    assert resampler.process(x) is x
    assert len(resampler.finish()) == 0
    assert resampler.delay == 0


def test_a_read_only_and_a_strided_block():
    x = noise(2000)
    x.setflags(write=False)
    assert resample(x[::2], 48000).tobytes() == resample(x[::2].copy(), 48000).tobytes()
