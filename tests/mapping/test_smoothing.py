"""Kernels and followers: the contract, formulas, delays of a step, and kernels that change while they run."""

from itertools import permutations

import numpy as np
import pytest
from scipy.signal import lfilter

from shared.controls import KERNELS
from shared.mapping.kernels import Smoothing
from shared.mapping.memory import Memory
from shared.mapping.pacing import PacedFollower, SpeedLimit
from shared.mapping.smoothing import LeakyIntegrator, Smoother
from shared.stage import HOP, SAMPLE_RATE
from tests.contract import check_stage

RATE = SAMPLE_RATE / HOP


def rows(n=300, d=6, seed=3, dtype=np.float64):
    return (np.random.default_rng(seed).standard_normal((n, d)) * 3).astype(dtype)


def step(n=400, at=100):
    x = np.zeros((n, 1))
    x[at:] = 1
    return x


def mean_delay_ms(y, at=100):
    return float(np.sum(1 - y[at:, 0]) / RATE * 1000)


MAKERS = {
    **{kernel: (lambda kernel=kernel: Smoother(RATE, Smoothing(kernel))) for kernel in KERNELS},
    **{f"no {k}": (lambda k=k: Smoother(RATE, Smoothing(k, 0.0, 0.0, 0.0, 0.0))) for k in ("mean", "hann", "critical")},
    "memory": lambda: Memory(30, np.array([0, 0.1, 0.2, 0.5, 1, 2])),
    "paced": lambda: PacedFollower(30, 4.0),
    "not paced": lambda: PacedFollower(30),
    "speed limit": lambda: SpeedLimit(30, 20.0),
    "no speed limit": lambda: SpeedLimit(30),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_contract(make, dtype):
    check_stage(make, np.abs(rows(dtype=dtype)))


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_constant_passes_and_the_first_output_is_the_first_input(kernel):
    x = rows()
    np.testing.assert_allclose(Smoother(RATE, Smoothing(kernel)).process(x)[0], x[0], rtol=1e-14)
    constant = np.full((50, 4), 1.25)
    np.testing.assert_allclose(Smoother(RATE, Smoothing(kernel)).process(constant), constant, rtol=1e-14)


@pytest.mark.parametrize("kernel", ["mean", "hann"])
def test_a_window_is_its_convolution(kernel):
    x = rows()
    length = round(0.1 * RATE)
    taper = np.ones(length) if kernel == "mean" else np.hanning(length + 2)[1:-1]
    padded = np.concatenate([np.repeat(x[:1], length, axis=0), x])
    expected = lfilter(taper / taper.sum(), [1], padded, axis=0)[length:]
    np.testing.assert_allclose(Smoother(RATE, Smoothing(kernel, window_ms=100)).process(x), expected, atol=1e-12)


def test_a_median_drops_a_click_and_keeps_an_edge():
    x = step()
    x[50] = 40
    y = Smoother(RATE, Smoothing("median", window_ms=60)).process(x)
    assert set(y[:, 0]) == {0, 1}
    assert np.flatnonzero(y[:, 0])[0] == 100 + 2  # a window of five


@pytest.mark.parametrize("window_ms", [40, 100, 400])
def test_the_critical_follower_has_its_delay_and_no_overshoot(window_ms):
    y = Smoother(RATE, Smoothing("critical", window_ms=window_ms)).process(step())
    assert (np.diff(y[:, 0]) >= 0).all()
    assert y.max() <= 1
    assert mean_delay_ms(y) == pytest.approx(window_ms, rel=0.05, abs=1000 / RATE)


def test_attack_and_release_have_their_time_constants():
    x = np.concatenate([step(), np.zeros((400, 1))])
    y = Smoother(RATE, Smoothing("attack-release", attack_ms=50, release_ms=300)).process(x)[:, 0]
    up, down = y[99 + round(0.05 * RATE)], y[399 + round(0.3 * RATE)]
    assert up == pytest.approx(1 - np.exp(-round(0.05 * RATE) / RATE / 0.05))
    assert down == pytest.approx(np.exp(-round(0.3 * RATE) / RATE / 0.3), abs=1e-6)


def test_one_euro_is_its_algorithm():
    """As in the paper's appendix, for one signal."""
    x = rows(200, 1)
    cutoff, beta = 0.7, 0.3

    def alpha(hz):
        return 1 / (1 + (1 / (2 * np.pi * hz)) * RATE)

    expected, slope = [x[0, 0]], 0.0
    for value in x[1:, 0]:
        slope = alpha(1.0) * (value - expected[-1]) * RATE + (1 - alpha(1.0)) * slope
        a = alpha(cutoff + beta * abs(slope))
        expected.append(a * value + (1 - a) * expected[-1])
    y = Smoother(RATE, Smoothing("one-euro", cutoff_hz=cutoff, beta=beta)).process(x)
    np.testing.assert_allclose(y[:, 0], expected, atol=1e-12)


@pytest.mark.parametrize(("before", "after"), list(permutations(KERNELS, 2)))
def test_a_new_kernel_continues_from_the_last_output(before, after):
    smoother = Smoother(RATE, Smoothing(before))
    last = smoother.process(rows())[-1]
    smoother.settings = Smoothing(after)
    np.testing.assert_allclose(smoother.process(last[None]), last[None], atol=1e-12)


def test_leaky_is_the_leaky_integrator():
    x = rows(dtype=np.float32)
    assert Smoother(RATE, Smoothing()).process(x).tobytes() == LeakyIntegrator(0.8).process(x).tobytes()


def test_a_memory_has_its_time_constants():
    y = Memory(RATE, np.array([0.0, 0.1, 0.5])).process(np.repeat(step(), 3, axis=1))
    seconds = 50 / RATE
    np.testing.assert_allclose(1 - y[149], [0, np.exp(-seconds / 0.1), np.exp(-seconds / 0.5)], rtol=1e-9, atol=1e-15)


def test_a_paced_follower_moves_as_far_as_the_sound():
    target = np.ones((60, 1))
    moving = np.concatenate([np.full((60, 1), 0.5), target], axis=1)
    moving[0, 1] = 0
    y = PacedFollower(30, pace=10.0, settle_s=1e9).process(moving)[:, 0]
    np.testing.assert_allclose(1 - y, np.exp(-0.05 * np.arange(60)), rtol=1e-6)
    still = moving * [0, 1]
    y = PacedFollower(30, pace=10.0, settle_s=0.5).process(still)[:, 0]
    np.testing.assert_allclose(1 - y, np.exp(-np.arange(60) / 15), rtol=1e-6)


def test_a_speed_limit_is_kept_and_reached():
    x = rows()
    y = SpeedLimit(30, 60.0).process(x)
    steps = np.linalg.norm(np.diff(y, axis=0), axis=1)
    assert steps.max() == pytest.approx(2.0)
    assert np.array_equal(SpeedLimit(30, 1e9).process(x), x)
