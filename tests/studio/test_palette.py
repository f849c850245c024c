"""Colours: light enough to read, steadily lighter, distinct for colour-blind people too."""

from itertools import combinations

import numpy as np
import pytest

from offline.pairing import palette

# Machado, Oliveira and Fernandes 2009, severity 1
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]


def linear(colours):
    value = np.asarray(colours, float) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(colours):
    return linear(colours) @ [0.2126, 0.7152, 0.0722]


def oklab(light):
    lms = (
        light
        @ np.array(
            [
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ]
        ).T
    )
    return (
        np.cbrt(lms)
        @ np.array(
            [
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ]
        ).T
    )


@pytest.mark.parametrize("scale", [palette.TIME, palette.VALUE])
def test_colour_maps_grow_steadily_lighter(scale):
    light = luminance(scale)
    assert scale.shape == (256, 3)
    assert (np.diff(light) > -0.002).all()
    assert light[-1] > 5 * light[0]


@pytest.mark.parametrize("scale", [palette.TIME, palette.VALUE, np.array(palette.DISTINCT)])
def test_every_colour_stands_out_from_the_ground(scale):
    contrast = (luminance(scale) + 0.05) / (luminance(palette.GROUND) + 0.05)
    assert contrast.min() > 2


@pytest.mark.parametrize("sight", [np.eye(3), DEUTERANOPIA, PROTANOPIA])
def test_seventeen_images_have_distinct_colours(sight):
    seen = oklab(np.clip(linear(palette.DISTINCT[:17]) @ np.array(sight).T, 0, 1))
    assert min(np.linalg.norm(seen[i] - seen[j]) for i, j in combinations(range(17), 2)) > 0.06


def test_ranks_spread_evenly_and_ends_are_the_maps():
    ranks = palette.ranked(np.array([5.0, -1.0, 1e9, 7.0]))
    np.testing.assert_allclose(ranks, [1 / 3, 0, 1, 2 / 3])
    colours = palette.along(palette.TIME, ranks)
    assert (colours[1] == palette.TIME[0]).all()
    assert (colours[2] == palette.TIME[-1]).all()
    assert palette.ranked(np.array([3.0])) == [0]


def test_colours_by_number_come_again_and_none_is_muted():
    colours = palette.by_number(np.array([0, 24, 3, -1]))
    assert tuple(colours[0]) == tuple(colours[1]) == palette.distinct(0)
    assert tuple(colours[2]) == palette.distinct(3)
    assert tuple(colours[3]) == palette.MUTED
