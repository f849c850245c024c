"""Augmentation of a part of a batch: the same bits as in the whole batch, however it is divided."""

import pytest
import torch

from offline.training.augmentation import Augmentation
from offline.training.augmentation.parameters import GROUPS
from offline.training.chance import numbers

BATCH = 8
EVERYTHING = Augmentation(frozenset(GROUPS))


def chances(iteration):
    return [numbers(0, iteration, "augment_reals", sample) for sample in range(BATCH)]


@pytest.mark.parametrize("p", [0.02, 0.3, 1.0])  # at 0.02 many parts hold no image that is moved or recoloured
@pytest.mark.parametrize("count", [2, 4])
def test_the_parts_of_a_batch_are_augmented_as_in_the_whole(p, count):
    images = torch.rand(BATCH, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for iteration in range(4):
        whole = EVERYTHING(images, p, chances(iteration))
        for rank in range(count):
            places = range(rank, BATCH, count)
            part = EVERYTHING(images[list(places)], p, chances(iteration), places)
            assert torch.equal(part, whole[list(places)])
