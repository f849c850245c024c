"""Scores: which changes each of them measures, and which it ignores."""

import numpy as np
import pytest
import torch

from offline.training.order import item
from offline.training.score.distances import frechet_distance, precision_recall
from offline.training.score.features import gabor_features
from offline.training.score.sliced import sliced_wasserstein


def blobs(count, seed, size=32):
    """Smooth random images, uint8 (count, 3, size, size)."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 14, 14, generator=generator) * 255
    large = torch.nn.functional.interpolate(small, (size, size), mode="bicubic", align_corners=False)
    return large.clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def sets():
    return {"real": blobs(80, 0), "other": blobs(80, 1)}


CHANGES = {
    "darker": lambda images: images // 2,
    "blurred": lambda images: torch.nn.functional.avg_pool2d(images.float(), 5, 1, 2).to(torch.uint8),
    "few": lambda images: images[:4].repeat(20, 1, 1, 1),
    "redder": lambda images: torch.cat([images[:, :1] // 2 + 127, images[:, 1:]], dim=1),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_set_is_farther_than_another_half(sets, change):
    real = gabor_features(sets["real"]).numpy()
    floor = frechet_distance(real, gabor_features(sets["other"]).numpy())
    changed = frechet_distance(real, gabor_features(CHANGES[change](sets["other"])).numpy())
    assert changed > 2 * floor


@pytest.mark.slow
def test_sliced_distance_of_a_set_to_itself_is_nothing(sets):
    floor = sliced_wasserstein(sets["real"], sets["other"])
    assert sliced_wasserstein(sets["real"], sets["real"]) == 0
    assert sliced_wasserstein(sets["real"], CHANGES["blurred"](sets["other"])) > 3 * floor
    assert sliced_wasserstein(sets["real"][:50], sets["other"]) == pytest.approx(floor, rel=0.5)


def test_recall_falls_where_images_repeat_and_precision_does_not(sets):
    real = gabor_features(sets["real"]).numpy()
    all_of_them = precision_recall(real, gabor_features(sets["other"]).numpy())
    few = precision_recall(real, gabor_features(CHANGES["few"](sets["other"])).numpy())
    assert all_of_them.recall > 0.5
    assert few.recall < 0.1
    assert few.precision > 0.3


def test_grey_and_large_images_have_features_too():
    grey = blobs(3, 2, size=128)[:, :1]
    colour = grey.expand(-1, 3, -1, -1)
    assert gabor_features(grey).shape == (3, 156)
    torch.testing.assert_close(gabor_features(grey), gabor_features(colour))


def test_every_image_comes_once_in_each_round():
    rounds = [[item(7, number, 10) for number in range(first, first + 10)] for first in (0, 10, 20)]
    assert all(sorted(each) == list(range(10)) for each in rounds)
    assert rounds[0] != rounds[1] != rounds[2]
    assert [item(7, number, 10) for number in range(10)] == rounds[0]
    assert [item(8, number, 10) for number in range(10)] != rounds[0]
    assert {item(1, number, 1) for number in range(5)} == {0}
    assert np.unique([item(3, n, 4) for n in range(4)]).size == 4
