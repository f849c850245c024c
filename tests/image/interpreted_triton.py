"""The Triton operator against the plain one, under Triton's interpreter: `test_triton` starts it in a process of its own."""

import numpy as np
import pytest
import torch

from shared.image import fast, geometry
from shared.image.architecture import Architecture
from shared.image.device import HALF
from shared.image.ops.filtered_lrelu import FilteredLReLU
from shared.image.ops.filters import down_filter, up_filter
from shared.image.ops.triton_filtered_lrelu import NEGLIGIBLE, TritonFilteredLReLU
from shared.image.stylegan3 import SynthesisNetwork, layer_precision, with_defaults

TYPES = [torch.float32, torch.float16]


def kinds_of_layers():
    """One layer of each kind that T and R networks have: factors, padding, taps, radial or not; ids say which."""
    kinds = {}
    for resolution in (128, 256, 1024):
        for count in (8, 10, 14):
            for radial in (False, True):
                arguments = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": resolution, "img_channels": 3}
                arguments |= {"num_layers": count, "use_radial_filters": radial, "conv_kernel": 1 if radial else 3}
                for layer in geometry.layers(Architecture.from_arguments(arguments))[:-1]:
                    kind = (layer.up, layer.down, layer.up_taps, layer.down_taps, layer.padding, layer.radial)
                    kinds.setdefault(kind, layer)
    return [pytest.param(layer, id=str(kind)) for kind, layer in kinds.items()]


def compare(taps, dtype, *, channels_last=False, size=(13, 17), **arguments):
    rng = np.random.default_rng(0)

    def numbers(*shape):
        return torch.from_numpy(rng.normal(size=shape).astype(np.float32))

    filters = [torch.from_numpy(np.asarray(each, np.float32)) for each in taps]
    bias, scale, style, x = numbers(2), numbers(1, 2), numbers(1, 2), numbers(1, 2, *size).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    kept = x.clone()
    arguments = {"gain": 2**0.5, "slope": 0.2, "clamp": 2.0} | arguments
    wanted = FilteredLReLU.prepare(bias, *filters, **arguments)(x.float(), scale) * style[:, :, None, None]
    y = TritonFilteredLReLU.prepare(bias, *filters, **arguments, dtype=dtype)(x, scale, style)
    assert torch.equal(x, kept)
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    largest = float(wanted.abs().max())
    omitted = NEGLIGIBLE[dtype] if filters[1].ndim == 2 else 0.0
    rounding = 1e-5 if dtype == torch.float32 else 4e-3
    assert y.shape == wanted.shape
    torch.testing.assert_close(y.float(), wanted, rtol=0, atol=(rounding + 4 * omitted) * largest)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("layer", kinds_of_layers())
def test_layers_of_published_networks(layer, dtype):
    size = (27, 25) if layer.up == 2 and min(layer.padding) < 0 else (21, 19)  # of what is cropped, some is left
    taps = (up_filter(layer), down_filter(layer))
    compare(taps, dtype, up=layer.up, down=layer.down, padding=layer.padding, size=size)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize(
    ("up", "down", "taps", "padding"),
    [
        (1, 1, (1, 1), (0, 0)),
        (1, 2, (1, 12), (5, 6)),
        (2, 1, (12, 1), (6, 5)),
        (4, 4, (24, 24), (18, 17)),
        (3, 2, (13, 7), (5, 6)),
        (2, 2, (12, 12), (-3, 12)),
    ],
)
def test_other_filters(up, down, taps, padding, dtype):
    rng = np.random.default_rng(1)
    filters = [rng.normal(size=count) / count if count > 1 else np.ones(1) for count in taps]
    compare(filters, dtype, up=up, down=down, padding=padding, clamp=None, size=(9, 12))


@pytest.mark.parametrize("slope", [0.2, 1.0, 1.5])
def test_slope_strides_and_a_filter_that_cannot_be_separated(slope):
    rng = np.random.default_rng(2)
    filters = rng.normal(size=12) / 6, rng.normal(size=(12, 12)) / 12
    compare(filters, torch.float32, up=2, down=2, padding=(9, 8), slope=slope, channels_last=True)


@pytest.mark.parametrize("radial", [False, True])
def test_a_network(radial, monkeypatch):
    """As it runs on a card, float16 where the design allows it, beside float32 on the plain path."""
    arguments = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 16, "img_channels": 3, "conv_kernel": 1}
    arguments |= {"channel_base": 16, "channel_max": 4, "num_layers": 3, "margin_size": 4, "use_radial_filters": radial}
    architecture = Architecture.from_arguments(arguments)
    rng = np.random.default_rng(3)
    arrays = {
        name: rng.normal(size=tensor.shape).astype(np.float32) if tensor.shape else np.array(0.7, np.float32)
        for name, tensor in geometry.tensors(architecture).items()
        if tensor.required
    }
    device = torch.device("cpu")
    stored = {name: torch.from_numpy(array) for name, array in arrays.items()}
    weights = with_defaults(architecture, stored, device)
    monkeypatch.setitem(HALF, "cpu", HALF["cuda"])
    on_a_card = fast._operator
    monkeypatch.setattr(fast, "_operator", lambda device, *rest: on_a_card(torch.device("cuda"), *rest))
    full = SynthesisNetwork.prepare(architecture, weights, layer_precision(False, device))
    w = torch.from_numpy(rng.normal(size=(1, architecture.num_ws, 8)).astype(np.float32))
    wanted = full(w)
    for half, least_db in ((False, 110), (True, 50)):
        chosen = layer_precision(half, device)
        plain = SynthesisNetwork.prepare(architecture, weights, chosen)
        picture = fast.FastSynthesis.prepare(architecture, weights, chosen, plain)(w)
        difference = (picture - wanted) / wanted.std() * 0.4
        assert -10 * torch.log10(difference.square().mean() / 4) >= least_db


def test_float16_stays_finite():
    """The largest input that a clamped layer of 256 channels can make, at a gain of 4, which trained layers have."""
    taps = torch.ones(12) / 12
    arguments = {"up": 2, "down": 2, "padding": (9, 8), "gain": 2**0.5, "slope": 0.2, "clamp": 256.0}
    operator = TritonFilteredLReLU.prepare(torch.zeros(2), taps, taps, **arguments, dtype=torch.float16)
    x = torch.full((1, 2, 14, 14), 256 * 16 * 3.0).half()
    x[:, 1] *= -1
    y = operator(x, torch.full((1, 2), 4.0), torch.ones(1, 2))
    wanted = FilteredLReLU.prepare(torch.zeros(2), taps, taps, **arguments)(x.float(), torch.full((1, 2), 4.0))
    assert y.isfinite().all()
    torch.testing.assert_close(y.float(), wanted, rtol=5e-3, atol=0.5)
