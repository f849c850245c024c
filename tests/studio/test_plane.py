"""The view of the map: zoom to the pointer, pan, fit, clamps."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offline.pairing.plane import CLOSEST, FARTHEST, Plane, clamped

pixels = st.tuples(st.floats(0, 1200), st.floats(0, 700))
places = st.tuples(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2))

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine


@calm
@given(places, st.floats(0.5, 80))
def test_to_view_and_back(place, zoom):
    plane = Plane(1200, 700, zoom, (0.4, 0.6))
    assert plane.to_map(plane.to_view(place)) == pytest.approx(place, abs=1e-9)


def test_x_goes_right_and_y_up_and_the_square_fits():
    plane = Plane(1200, 700)
    left, bottom = plane.to_view((0, 0))
    right, top = plane.to_view((1, 1))
    assert 0 < left < right < 1200
    assert 0 < top < bottom < 700
    assert right - left == pytest.approx(bottom - top)
    assert plane.to_view((0.5, 0.5)) == (600, 350)


@calm
@given(st.floats(0.3, 3), st.tuples(st.floats(300, 900), st.floats(100, 600)))
def test_the_position_under_the_pointer_does_not_move(factor, pointer):
    plane = Plane(1200, 700, 2.0, (0.5, 0.5))
    closer = plane.zoomed(factor, pointer)
    assert closer.to_map(pointer) == pytest.approx(plane.to_map(pointer), abs=1e-9)


def test_zoom_has_limits_and_does_not_drift_at_them():
    plane = Plane(1200, 700, CLOSEST, (0.3, 0.3))
    assert plane.zoomed(2, (10, 10)) == plane
    assert Plane(1200, 700, FARTHEST).zoomed(0.5).zoom == FARTHEST


def test_panning_moves_the_map_with_the_pointer():
    plane = Plane(1200, 700, 3.0)
    place = plane.to_map((500, 300))
    assert plane.panned(40, -25).to_view(place) == pytest.approx((540, 275))


def test_the_map_cannot_be_lost():
    plane = Plane(1200, 700).panned(1e6, 1e6)
    assert plane.centre == (-0.5, 1.5)


def test_fit_shows_all_places():
    some = np.array([[0.2, 0.3], [0.4, 0.35], [0.3, 0.5]])
    plane = Plane(1200, 700, 9.0, (0.9, 0.9)).fitted(some)
    assert all(plane.shows(tuple(place)) for place in some.tolist())
    assert plane.zoom > 2
    assert Plane(1200, 700, 9.0, (0.9, 0.9)).fitted() == Plane(1200, 700)
    assert Plane(1200, 700).fitted(some[:1]).shows((0.2, 0.3))


def test_many_places_at_once_are_those_of_one():
    plane = Plane(1200, 700, 3.0, (0.4, 0.6))
    some = np.array([[0.2, 0.3], [0.4, 0.35]])
    np.testing.assert_allclose(
        plane.pixels(some, 1.5), [np.array(plane.to_view(tuple(p))) * 1.5 for p in some], rtol=1e-5
    )


def test_a_resized_view_keeps_its_middle():
    assert Plane(1200, 700, 3.0, (0.4, 0.6)).resized(900, 500).to_map((450, 250)) == pytest.approx((0.4, 0.6))
    assert Plane(1200, 700).resized(0, 0).side >= 1


def test_places_beside_the_map_are_clamped():
    assert clamped((-0.3, 1.7)) == (0, 1)
    assert clamped((0.3, 0.7)) == (0.3, 0.7)
