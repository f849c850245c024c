"""TF32 in the layers that the design keeps out of float16, emulated on the CPU: no card is needed, and none was used.

Tensor cores read factors with 10 bits of mantissa and add in float32. Whether the lower 13 bits are rounded or cut off
depends on cuDNN's kernel, so both must hold.
"""

from dataclasses import replace

import pytest
import torch

from shared.image import geometry
from shared.image.checkpoint import read_checkpoint
from shared.image.device import HALF, WIDE_RANGE
from shared.image.generator import WANTED_DB, Generator, psnr_db
from shared.image.latents import latents_from_seeds
from shared.image.ops.modulated_conv import ModulatedConv
from shared.image.stylegan3 import SynthesisNetwork, layer_precision, with_defaults
from shared.preset import Preset

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
LOWER_BITS = 13  # of the 23 of float32's mantissa


def tf32(x, is_rounded):
    """The nearest number with 10 bits of mantissa (ties away from zero), or the next one towards zero."""
    bits = x.float().contiguous(memory_format=torch.channels_last).view(torch.int32)
    bits = bits + (1 << LOWER_BITS - 1) if is_rounded else bits
    return (bits >> LOWER_BITS << LOWER_BITS).view(torch.float32)


class Tf32Conv(ModulatedConv):
    """Rounds both factors; products and sums stay in float32."""

    is_rounded = True

    def convolve(self, scaled):
        return super().convolve(tf32(scaled, self.is_rounded))


class CutTf32Conv(Tf32Conv):
    """Cuts the lower bits off."""

    is_rounded = False


def in_tf32(network, chosen, kind):
    """The network with the convolutions of these layers in TF32."""

    def convolution(plain):
        return kind(tf32(plain.weight, kind.is_rounded), plain.energy, plain.gain)

    layers = [
        replace(layer, convolution=convolution(layer.convolution)) if i in chosen else layer
        for i, layer in enumerate(network.layers)
    ]
    return replace(network, layers=tuple(layers))


def glass():
    architecture, arrays = read_checkpoint(Preset.load("glass").generator_path)
    generator = Generator(architecture, arrays, CPU)
    rows = generator.map(latents_from_seeds(range(1), generator.z_dim))
    return architecture, arrays, torch.cat([generator.broadcast(generator.w_avg[None]), rows])


def reference_case(case, num_fp16_res):
    architecture = type(case)(case.arguments | {"num_fp16_res": num_fp16_res}, {}, {}).architecture
    return architecture, case.weights, torch.from_numpy(case.outputs["w_psi10"][:2])


def worst_db(pictures, expected):
    return min(psnr_db(one[None], other[None]) for one, other in zip(pictures, expected, strict=True))


@pytest.mark.parametrize("kind", [Tf32Conv, CutTf32Conv], ids=["rounded", "cut"])
@pytest.mark.parametrize("name", ["t64 1", "r64 1", "glass"])
def test_low_layers_hold_45_db_in_tf32(cases, monkeypatch, name, kind):
    """Beside float32, by themselves and in half precision; the number after a name is num_fp16_res."""
    case, _, number = name.partition(" ")
    architecture, arrays, ws = reference_case(cases[case], int(number)) if number else glass()
    weights = with_defaults(architecture, {key: torch.from_numpy(array) for key, array in arrays.items()}, CPU)
    full = SynthesisNetwork.prepare(architecture, weights, layer_precision(False, CPU))
    expected = full(ws)
    monkeypatch.setitem(HALF, "cpu", HALF["cuda"])
    monkeypatch.setitem(WIDE_RANGE, "cpu", WIDE_RANGE["cuda"])
    choose = layer_precision(True, CPU)
    half = SynthesisNetwork.prepare(architecture, weights, choose)
    described = geometry.layers(architecture)
    low = [i for i, layer in enumerate(described) if choose(layer).tf32]
    assert low == list(range(len(low)))
    assert low
    alone = worst_db(in_tf32(full, low, kind)(ws), expected)
    every = worst_db(in_tf32(full, range(len(described) - 1), kind)(ws), expected)
    both = worst_db(in_tf32(half, low, kind)(ws), expected)
    exact = worst_db(half(ws), expected)
    print(
        f"{name} {kind.__name__}: layers {low} {alone:.1f} dB, every layer {every:.1f}, in half precision {both:.1f}; "
        f"with float32 in these layers {exact:.1f}"
    )
    assert 45 <= WANTED_DB <= min(alone, every, both)
    assert max(alone, every, both) < 100  # the emulation rounds


def test_the_emulation_keeps_ten_bits():
    x = torch.tensor([1.0, 1 + 2**-10, 1 + 2**-11, 1 + 2**-12, -1 - 2**-11, 3.0e38, 1e-30]).reshape(1, -1, 1, 1)
    expected = torch.tensor([1.0, 1 + 2**-10, 1 + 2**-10, 1.0, -1 - 2**-10])
    assert torch.equal(tf32(x, True)[0, :5, 0, 0], expected)
    assert torch.equal(tf32(x, False)[0, :5, 0, 0], torch.tensor([1.0, 1 + 2**-10, 1.0, 1.0, -1.0]))
    for is_rounded in (True, False):
        torch.testing.assert_close(tf32(x, is_rounded), x, rtol=2**-10, atol=0)
