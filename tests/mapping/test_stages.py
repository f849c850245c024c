"""All stages of the mapping: the contract, and their formulas."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import SettingError
from shared.mapping.decimation import Decimator, ticks_within
from shared.mapping.gate import Gate
from shared.mapping.regression import MLPRegressor, Training
from shared.mapping.scaling import Standardizer
from shared.mapping.smoothing import LeakyIntegrator
from shared.stage import HOP, SAMPLE_RATE
from tests.contract import check_stage

RATES = [Fraction(r) for r in (24, 25, 30, 50, 60, 120)] + [Fraction(30000, 1001), Fraction(1), Fraction(240)]


def frames(n=400, d=23, seed=1):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-2, 4, d)
    rows[:, -1] = rng.uniform(-90, -20, n)
    return rows


def regressor(d=23, latent=32):
    rng = np.random.default_rng(5)
    return MLPRegressor.fit(
        rng.standard_normal((5, d)), rng.standard_normal((5, latent)).astype(np.float32), Training(epochs=20)
    )


MAKERS = {
    "gate": lambda: Gate(np.zeros(23), -60),
    "standardise": lambda: Standardizer(np.arange(23.0), np.arange(23.0)),
    "smooth": lambda: LeakyIntegrator(0.8),
    "smooth not at all": lambda: LeakyIntegrator(0),
    **{f"decimate to {rate}": (lambda rate=rate: Decimator(rate)) for rate in RATES},
    "regress": regressor,
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_contract(make):
    check_stage(make, frames())


def test_gate_holds_the_last_sounding_frame():
    rows = np.arange(12.0).reshape(6, 2)
    rows[:, 1] = [-70, -60, -60.001, -200, -10, -61]
    gate = Gate(np.array([7.0, 8.0]), -60)
    assert gate.first is None
    assert gate.process(rows)[:, 0].tolist() == [7, 2, 2, 2, 8, 8]
    assert gate.first == 1


def test_a_gate_is_closed_before_the_first_sound_and_after_a_reset():
    gate = Gate(np.zeros(23))
    assert not gate.open
    loud, quiet = np.zeros((1, 23)), np.full((1, 23), -61.0)
    gate.process(loud)
    assert gate.open
    assert gate.first == 0
    gate.process(quiet)
    assert not gate.open
    gate.process(loud)
    gate.reset()
    assert not gate.open
    assert gate.first is None
    gate.process(np.full((1, 23), -60.0))
    assert gate.open  # exactly at the threshold


def test_a_zero_deviation_counts_as_one():
    rows = np.array([[1.0, 5.0], [3.0, 5.0]])
    scaler = Standardizer.fit(rows)
    assert scaler.process(rows).tolist() == [[-1, 0], [1, 0]]


def test_leaky_integrator_is_its_recursion():
    x = frames(50, 3)
    expected = [x[0]]
    for row in x[1:]:
        expected.append(0.8 * expected[-1] + (1 - 0.8) * row)
    assert np.array_equal(LeakyIntegrator(0.8).process(x), np.stack(expected))


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_a_tick_is_the_mean_of_the_frames_centred_in_its_interval(rate):
    x = frames(1000, 2)
    got = Decimator(rate).process(x)
    belongs_to = [int(Fraction(HOP * k, SAMPLE_RATE) * rate) for k in range(len(x))]
    last = None
    for i in range(len(got)):
        rows = x[np.searchsorted(belongs_to, i) : np.searchsorted(belongs_to, i + 1)]
        last = rows.mean(axis=0) if len(rows) else last
        np.testing.assert_allclose(got[i], last, rtol=1e-12)
    assert len(got) == ticks_within(len(x) * HOP, rate)


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_a_tick_comes_with_the_last_frame_that_belongs_to_it(rate):
    decimator = Decimator(rate)
    worst = -np.inf
    emitted = 0
    for k in range(12000):  # more than a period of the two grids at whole rates
        for _ in decimator.process(np.zeros((1, 1))):
            emitted += 1
            end = emitted * SAMPLE_RATE * rate.denominator  # in samples times the rate's numerator
            worst = max(worst, HOP * k * rate.numerator - end)
            assert HOP * (k + 1) * rate.numerator >= end, "a later frame still belongs to this tick"
    assert decimator.latency == -(-worst // rate.numerator)


@given(st.integers(0, 10**12), st.sampled_from(RATES))
@settings(max_examples=200, deadline=None)
def test_counting_never_drifts(samples, rate):
    assert ticks_within(samples, rate) == samples * rate // SAMPLE_RATE


@pytest.mark.parametrize("rate", [0, -1, 241, Fraction(1, 2)])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(SettingError, match="allowed are 1 to 240"):
        Decimator(rate)


def test_the_defaults_are_those_of_the_paper():
    assert Decimator().fps == 30
    assert LeakyIntegrator().coefficient == 0.8
    assert Gate(np.zeros(23)).threshold_db == -60.0


@pytest.mark.parametrize("rate", [Fraction(1), Fraction(240)])
def test_the_ends_of_the_range_of_rates_are_allowed(rate):
    assert Decimator(rate).fps == rate


def test_a_decimator_begins_in_the_middle_of_a_show():
    rows = frames(200)
    whole, late = Decimator(30), Decimator(30)
    ticks = whole.process(rows[:100])
    late.process(rows[:7])  # forgotten
    last = ticks[-1].copy()
    late.begin_at(100, last)
    last[:] = 77
    assert late.state()["counters"].tolist()[:2] == whole.state()["counters"].tolist()[:2]
    assert np.array_equal(late.state()["last"], ticks[-1])
    rest, later = whole.process(rows[100:]), late.process(rows[100:])
    assert len(later) == len(rest)
    assert np.array_equal(later[1:], rest[1:])
