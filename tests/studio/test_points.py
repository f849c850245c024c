"""Points as discs: coverage against exact area, order, edges."""

import numpy as np
import pytest

from offline.pairing.points import canvas, draw_points, rgb

BLACK = (0, 0, 0)


def drawn(places, colours, radius, size=(40, 40), opacity=1.0, ground=BLACK):
    image = canvas(*size, ground)
    draw_points(image, np.array(places, np.float32), np.array(colours, np.uint8), radius, opacity)
    return rgb(image).astype(float)


def test_canvas_is_one_colour_in_red_green_blue():
    assert (rgb(canvas(3, 2, (10, 20, 30))) == (10, 20, 30)).all()
    assert canvas(3, 2, BLACK).shape == (2, 3, 4)


@pytest.mark.slow
@pytest.mark.parametrize("radius", [0.8, 1.5, 3.0, 6.0])
@pytest.mark.parametrize("place", [(20, 20), (20.5, 20.5), (20.3, 19.8)])
def test_a_disc_covers_its_area(radius, place):
    covered = drawn([place], [(255, 255, 255)], radius)[..., 0].sum() / 255
    assert covered == pytest.approx(np.pi * radius**2, rel=0.2 if radius < 1 else 0.05)


def test_a_disc_lies_where_it_was_put():
    image = drawn([(12.25, 27.5)], [(255, 255, 255)], 4)[..., 0]
    rows, columns = np.indices(image.shape) + 0.5
    assert (image * columns).sum() / image.sum() == pytest.approx(12.25, abs=0.05)
    assert (image * rows).sum() / image.sum() == pytest.approx(27.5, abs=0.05)


def test_the_edge_is_soft():
    values = set(drawn([(20, 20)], [(255, 255, 255)], 5)[..., 0].ravel())
    assert len(values - {0, 255}) > 3


def test_the_last_point_is_on_top_in_its_colour():
    image = drawn([(20, 20), (20, 20)], [(255, 0, 0), (10, 200, 30)], 3)
    assert tuple(image[20, 20]) == (10, 200, 30)


def test_opacity_blends_with_the_ground():
    image = drawn([(20, 20)], [(200, 100, 0)], 3, opacity=0.5, ground=(0, 0, 100))
    np.testing.assert_allclose(image[20, 20], (100, 50, 50), atol=1)


def test_points_at_and_beyond_the_edges():
    image = drawn([(0, 0), (40, 40), (-30, 5), (5, 90), (np.nan, 3)], [(255, 255, 255)] * 5, 3)
    assert image[0, 0, 0] == 255
    assert image[39, 39, 0] == 255
    assert image[20, :, 0].max() == 0


def test_no_points_change_nothing():
    assert (drawn(np.empty((0, 2)), np.empty((0, 3)), 2, ground=(7, 8, 9)) == (7, 8, 9)).all()
