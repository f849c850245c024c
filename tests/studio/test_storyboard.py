"""Territories, gaps, axes and the film strip, against their definitions."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from offline.pairing.placed_pairs import PlacedPair
from offline.pairing.storyboard import Storyboard
from shared.errors import SettingError
from shared.stage import HOP, SAMPLE_RATE
from tests.small import make_preset, write_corpus


@pytest.fixture
def corpus(tmp_path):
    return write_corpus(make_preset(tmp_path / "p"))


def pair(name, x, y):
    return PlacedPair(name, x, y, 0, None, (), False)


PAIRS = [pair("a", 0.1, 0.2), pair("live", np.nan, np.nan), pair("b", 0.8, 0.7), pair("c", 0.3, 0.9)]


def test_each_row_belongs_to_the_nearest_placed_image(corpus):
    board = Storyboard(corpus)
    assert (board.nearest == -1).all()
    assert np.isinf(board.gap).all()
    assert board.farthest() is None
    board.set_pairs(PAIRS)
    places = np.array([(p.x, p.y) for p in PAIRS])
    distances = np.linalg.norm(corpus.positions[:, None] - places, axis=2)
    assert np.array_equal(board.nearest, np.nanargmin(distances, axis=1))
    assert np.allclose(board.gap, np.nanmin(distances, axis=1))
    assert board.farthest() == int(np.nanmin(distances, axis=1).argmax())
    assert board.place_of_pair(0) == (0.1, 0.2)
    assert board.place_of_pair(1) == board.place_of(0)


def test_the_strip_shows_the_nearest_image_of_each_moment(corpus):
    board = Storyboard(corpus)
    board.set_pairs(PAIRS)
    strip = board.strip(1, -0.5 * HOP / SAMPLE_RATE, 39.5 * HOP / SAMPLE_RATE, 40)  # a column a frame
    assert np.array_equal(strip, board.nearest[corpus.frames_of(1)])
    assert board.row_of(1, 1e9) == corpus.frames_of(1)[-1]


def test_axes_are_descriptors_or_components_within_one(corpus):
    board = Storyboard(corpus)
    board.set_axes("pitch", "component 2")
    pitch = corpus.descriptors[:, corpus.facts.descriptors.index("pitch")]
    assert np.allclose(board.places[:, 0], (pitch - pitch.min()) / np.ptp(pitch), atol=1e-6)
    scores = PCA().fit_transform(corpus.standardised)[:, 1]
    correlation = np.corrcoef(board.places[:, 1], scores)[0, 1]
    assert abs(correlation) == pytest.approx(1)
    assert board.places.min() == 0
    assert board.places.max() == 1
    row = board.row_at(*board.place_of(13))
    assert np.array_equal(board.places[row], board.places[13])
    with pytest.raises(SettingError, match="no axis 'loud'; there are: map, component 1"):
        board.set_axes("loud", "map")


def test_a_filter_hides_rows_from_sight_and_from_look_ups(corpus):
    board = Storyboard(corpus)
    loudness = corpus.descriptors[:, corpus.facts.descriptors.index("loudness")]
    middle = float(np.median(loudness))
    board.filter("loudness", middle, board.range_of("loudness")[1])
    assert np.array_equal(board.visible, loudness >= middle)
    board.show_sounds([1])
    assert np.array_equal(board.visible, (loudness >= middle) & (corpus.sound == 1))
    shown = np.flatnonzero(board.visible)
    for x, y in np.random.default_rng(1).random((20, 2)):
        nearest = shown[np.square(corpus.positions[shown] - (x, y)).sum(axis=1).argmin()]
        assert board.row_at(x, y) == nearest
    board.filter(None)
    board.show_sounds(None)
    assert board.visible.all()


def test_scales_rank_values_and_name_them(corpus):
    board = Storyboard(corpus)
    scale = board.scale("pitch")
    pitch = corpus.descriptors[:, corpus.facts.descriptors.index("pitch")]
    assert np.array_equal(np.argsort(scale.ranks), np.argsort(pitch))
    assert [rank for rank, _ in scale.ticks] == [0, 0.5, 1]
    assert scale.ticks[0][1] == f"{pitch.min():.4g} Hz"
    assert set(board.scale("sound").ranks) == {0, 1}
    assert np.array_equal(np.argsort(board.scale("time").ranks), np.arange(len(corpus)))


def test_a_moment_names_the_descriptors_that_stand_out(corpus):
    board = Storyboard(corpus)
    board.set_pairs(PAIRS)
    moment = board.moment(11)
    standard = corpus.standardised[11]
    assert [name for name, _, _ in moment.striking] == [
        corpus.facts.inputs[i] for i in np.argsort(-np.abs(standard))[:4]
    ]
    assert moment.nearest == PAIRS[board.nearest[11]].name
    assert moment.seconds == corpus.frame[11] * HOP / SAMPLE_RATE
