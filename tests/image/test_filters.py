import numpy as np
import pytest
from scipy.signal import firwin

from shared.image.geometry import layers
from shared.image.ops.filters import down_filter, radial_lowpass, separable_lowpass, up_filter


def test_the_stored_filters_bit_for_bit(cases):
    compared = 0
    for case in cases.values():
        for layer in layers(case.architecture):
            for name, design in (("up_filter", up_filter), ("down_filter", down_filter)):
                stored = case.weights.get(f"synthesis.{layer.name}.{name}", np.ones(1, np.float32))
                assert design(layer).tobytes() == stored.tobytes()
                assert design(layer).shape == stored.shape
                compared += stored.size > 1
    assert compared == 3 * 28 + 18


@pytest.mark.parametrize("taps", [2, 12, 13, 24])
@pytest.mark.parametrize(("cutoff", "half_width"), [(2.0, 6.0), (10.0, 0.5), (20.0, 12.0), (5.0, 3.0)])
def test_separable_filters_are_firwin(taps, cutoff, half_width):
    wanted = firwin(taps, cutoff, width=2 * half_width, fs=64)
    np.testing.assert_allclose(separable_lowpass(taps, cutoff, half_width, 64), wanted, rtol=2e-7, atol=1e-9)


def test_a_radial_filter_treats_all_directions_more_alike():
    radial = radial_lowpass(12, 8.0, 5.0, 64).astype(np.float64)
    taps = separable_lowpass(12, 8.0, 5.0, 64).astype(np.float64)
    places = (np.arange(12) - 5.5) / 64

    def difference(kernel, frequency=8.0):
        """Between the gains along an axis and along the diagonal."""
        straight = np.cos(2 * np.pi * frequency * places)[None]
        diagonal = np.cos(2 * np.pi * frequency / np.sqrt(2) * (places[None] + places[:, None]))
        return abs((kernel * straight).sum() - (kernel * diagonal).sum())

    assert radial.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(radial, radial.T)
    np.testing.assert_array_equal(radial, radial[::-1])
    assert difference(radial) < difference(np.outer(taps, taps)) / 2
