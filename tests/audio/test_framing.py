import numpy as np
import pytest
from hypothesis import given, strategies

from shared.audio.framing import Framer, tail
from tests.audio.signals import HARD, noise
from tests.contract import check_stage


@pytest.mark.parametrize("name", HARD)
def test_contract(name):
    check_stage(Framer, HARD[name](20_000))


@pytest.mark.parametrize("n", [1, 300, 511, 512, 513, 1023, 1024, 5000])
def test_frames_by_definition(n):
    x = noise(n)
    frames = Framer().process(np.concatenate([x, np.zeros(tail(n), np.float32)]))
    assert frames.shape == (1 + n // 512, 1024)
    assert frames.dtype == np.float32
    padded = np.concatenate([np.zeros(512, np.float32), x, np.zeros(1024, np.float32)])
    for k, frame in enumerate(frames):
        assert np.array_equal(frame, padded[512 * k : 512 * k + 1024])


def test_a_frame_comes_with_the_sample_it_waits_for():
    framer = Framer()
    for n, sample in enumerate(noise(3000), 1):
        given_now = len(framer.process(np.array([sample])))
        assert given_now == (n % 512 == 0)
    # Frame k is centred on sample 512 k, and emitted after 512 k + 512 samples.
    assert framer.latency == 512


@pytest.mark.slow
@given(strategies.lists(strategies.integers(0, 3000), max_size=8))
def test_any_cutting(sizes):
    x = noise(sum(sizes))
    framer = Framer()
    parts = [framer.process(part) for part in np.split(x, np.cumsum(sizes)[:-1])] if sizes else []
    joined = np.concatenate([*parts, np.empty((0, 1024), np.float32)])
    assert np.array_equal(joined, Framer().process(x))


def test_the_tail_completes_a_frame():
    assert [tail(n) for n in (0, 1, 511, 512, 513)] == [512, 511, 1, 512, 511]
