"""w and pictures against the published code's."""

import numpy as np
import pytest
import torch

from tests.image.reference import psnr

pytestmark = pytest.mark.slow

W_ERROR, IMAGE_ERROR = 1e-5, 1e-4  # the latter relative to the larger of 1 and the picture's range
NAMES = ("t64", "r64", "t64_cond5")
TRUNCATIONS = {"psi10": (1.0, None), "psi07": (0.7, None), "psi05_cut4": (0.5, 4)}


def image_error(image, wanted):
    assert image.shape == wanted.shape
    return float((image - torch.from_numpy(wanted)).abs().max()) / max(1.0, float(np.ptp(wanted)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_w(cases, name, truncation):
    outputs, g = cases[name].outputs, cases[name].generator()
    for row in range(len(outputs["z"])):
        w = g.map(outputs["z"][row : row + 1], outputs["c"][row : row + 1], *TRUNCATIONS[truncation])
        assert np.abs(w.numpy() - outputs[f"w_{truncation}"][row : row + 1]).max() <= W_ERROR


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("truncation", ["psi10", "psi07"])
def test_images(cases, name, truncation, plain):
    outputs, g = cases[name].outputs, cases[name].generator(plain=plain)
    for row, wanted in enumerate(outputs[f"img_{truncation}"]):
        w = g.map(outputs["z"][row : row + 1], outputs["c"][row : row + 1], *TRUNCATIONS[truncation])
        assert image_error(g.synthesize_float(w)[0], wanted) <= IMAGE_ERROR


@pytest.mark.parametrize("name", NAMES)
def test_a_turned_and_shifted_image(cases, name, plain):
    outputs, g = cases[name].outputs, cases[name].generator(plain=plain)
    image = g.synthesize_float(outputs["w_psi07"][:1], outputs["transform"])
    assert image_error(image, outputs["img_psi07_transform"]) <= IMAGE_ERROR
    assert image_error(image, outputs["img_psi07"][:1]) > 0.1  # or the test would see nothing


def test_the_edge_case(cases, plain):
    """Nearly zero z, labels, negative psi, a zoom beyond the band, a clamp that is reached, unusual geometry."""
    outputs, g = cases["edge_t32"].outputs, cases["edge_t32"].generator(plain=plain)
    for row in range(len(outputs["z"])):
        one = slice(row, row + 1)
        w = g.map(outputs["z"][one], outputs["c"][one], float(outputs["psi"]), int(outputs["cutoff"]))
        assert np.abs(w.numpy() - outputs["w"][one]).max() <= W_ERROR
        assert image_error(g.synthesize_float(w, outputs["transform"]), outputs["img"][one]) <= IMAGE_ERROR


def test_the_clamp_acts_in_the_edge_case(cases, plain):
    outputs, g = cases["edge_t32"].outputs, cases["edge_t32"].generator(plain=plain, conv_clamp=None)
    assert image_error(g.synthesize_float(outputs["w"][:1], outputs["transform"]), outputs["img"][:1]) > 1


def test_filters_may_be_left_out(cases):
    for name, case in cases.items():
        left = {key: value for key, value in case.weights.items() if "_filter" not in key and "transform" not in key}
        image = case.generator().synthesize(case.generator().broadcast(case.weights["mapping.w_avg"][None]))
        lean = type(case)(case.arguments, left, {}).generator()
        assert torch.equal(lean.synthesize(lean.broadcast(left["mapping.w_avg"][None])), image), name


@pytest.mark.parametrize("name", NAMES)
def test_half_precision(cases, name, plain):
    outputs = cases[name].outputs
    image = cases[name].generator("half", plain=plain).synthesize_float(outputs["w_psi07"][:2])
    assert 45 <= psnr(image, outputs["img_psi07"][:2]) < 90  # above: it was not half
