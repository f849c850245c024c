"""`ponticello bench generator`: its textbook version equals the generator, and its figures of layers are consistent."""

import pytest
import torch

from benchmarks import roofline
from benchmarks.generator import largest_map_bytes
from benchmarks.networks import NETWORKS
from benchmarks.textbook import Textbook, memory_by_default
from shared.image.geometry import layers
from shared.image.stylegan3 import with_defaults

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["t64", "r64", "edge_t32"])
def test_the_textbook_makes_the_same_pictures(cases, name):
    case = cases[name]
    g = case.generator()
    arrays = {key: torch.from_numpy(array) for key, array in case.weights.items()}
    textbook = Textbook(g, with_defaults(case.architecture, arrays, torch.device("cpu")))
    w = g.broadcast(g.w_avg[None])
    with memory_by_default(2**20):
        picture = textbook(w)
    torch.testing.assert_close(picture, g.judge(w), rtol=0, atol=1e-4 * max(1.0, float(picture.abs().max())))


def test_each_layer_is_held_against_the_ceilings(cases):
    g = cases["t64"].generator("half")
    assert g.fast is not None
    ceilings = {"float32_gmac_s": 50.0, "bfloat16_gmac_s": 100.0}
    rows = roofline.layers(g.config, g.fast, g.broadcast(g.w_avg[None]), ceilings)
    assert len(rows) == g.config.num_layers
    for row, layer in zip(rows, layers(g.config), strict=False):
        side = layer.source.size + layer.kernel - 1
        macs = layer.source.channels * layer.target.channels * layer.kernel**2 * side**2
        assert row["convolution_ms"] * row["convolution_gmac_s"] == pytest.approx(macs / 1e6)
        assert row["convolution_share"] == pytest.approx(row["convolution_gmac_s"] / 100)
        samples = 4 * layer.target.channels * layer.target.size**2
        assert row["filter_ns_a_sample"] * samples == pytest.approx(row["filter_ms"] * 1e6)
        assert row["filter_share"] == pytest.approx(10 / row["filter_ns_a_sample"] / 50)


def test_networks_with_targets_are_the_quick_ones_and_the_published():
    for network in NETWORKS:
        assert bool(network.targets) == (network.quick or network.once)
        assert largest_map_bytes(network) > 2**20
