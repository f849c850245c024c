"""The trainable filtered leaky ReLU: the fused operator against the plain one, whose parts are PyTorch's."""

import pytest
import torch

from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.ops.filtered_lrelu import FilteredLReLU
from shared.image.ops.trainable_filtered_lrelu import (
    Filters,
    TrainableFilteredLReLU,
    filtered_lrelu,
    plain_filtered_lrelu,
)

pytestmark = pytest.mark.slow

SIZES = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 64, "img_channels": 3, "channel_max": 5, "num_layers": 7}
T = Architecture.from_arguments(SIZES)
R = Architecture.from_arguments(SIZES | {"conv_kernel": 1, "use_radial_filters": True})
KINDS = {
    f"{name}-{layer.up}-{layer.down}-{layer.radial}-{layer.target.size == 64}": layer
    for name, architecture in (("t", T), ("r", R))
    for layer in geometry.layers(architecture)[:-1]
}


def random_map(layer, seed=0, dtype=torch.float32):
    size = layer.source.size + layer.kernel - 1
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, layer.target.channels, size, size, generator=generator, dtype=dtype)


@pytest.fixture(autouse=True)
def with_gradients():
    with torch.enable_grad():
        yield


@pytest.mark.parametrize("layer", KINDS.values(), ids=KINDS)
def test_fused_operator_and_its_gradient_are_the_plain_ones(layer):
    filters = Filters.of(layer, 0.2, 1.5)
    z = random_map(layer).requires_grad_()
    other = z.detach().double().requires_grad_()
    y, wanted = filtered_lrelu(z, filters), plain_filtered_lrelu(other, filters)
    torch.testing.assert_close(y.double(), wanted, rtol=1e-5, atol=1e-5)
    g = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    y.backward(g)
    wanted.backward(g.double())
    wrong = (z.grad - other.grad).abs() > 1e-4
    # where the signal at the higher rate is within rounding of a kink, either slope is right
    assert wrong.float().mean() < 1e-3


@pytest.mark.parametrize("layer", KINDS.values(), ids=KINDS)
def test_gradient_is_the_adjoint(layer):
    """With a slope of 1 the operator A is linear: <A z, g> = <z, A^T g>."""
    z = random_map(layer).requires_grad_()
    y = TrainableFilteredLReLU.apply(z, Filters.of(layer, 1.0, None))
    g = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    y.backward(g)
    assert float((y.detach().double() * g).sum()) == pytest.approx(
        float((z.detach().double() * z.grad).sum()), rel=1e-4, abs=1e-2
    )


@pytest.mark.parametrize("layer", KINDS.values(), ids=KINDS)
def test_plain_operator_is_the_generators(layer):
    filters = Filters.of(layer, 0.2, 1.5)
    operator = FilteredLReLU.prepare(
        torch.zeros(layer.target.channels),
        torch.from_numpy(filters.up_taps),
        torch.from_numpy(filters.down_taps),
        up=layer.up,
        down=layer.down,
        padding=layer.padding,
        gain=1.0,
        slope=0.2,
        clamp=1.5,
    )
    z = random_map(layer)
    with torch.no_grad():
        wanted = operator(z, torch.ones(2, layer.target.channels))
    torch.testing.assert_close(plain_filtered_lrelu(z, filters), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", [KINDS["t-2-2-False-False"], KINDS["r-2-2-True-False"]])
def test_plain_gradient_passes_gradcheck(layer):
    filters = Filters.of(layer, 0.2, 1.5)
    z = random_map(layer, dtype=torch.float64)[:1, :1, :12, :12].requires_grad_()
    assert torch.autograd.gradcheck(lambda z: plain_filtered_lrelu(z, filters), (z,), eps=1e-6, atol=1e-5)


def test_unusual_filters_take_the_plain_path():
    unusual = Architecture.from_arguments(SIZES | {"filter_size": 4})
    layer = geometry.layers(unusual)[3]
    filters = Filters.of(layer, 0.2, None)
    assert filters.upsampling is None
    z = random_map(layer)
    assert torch.equal(filtered_lrelu(z, filters), plain_filtered_lrelu(z, filters))


def test_maps_that_are_not_square_are_refused():
    layer = KINDS["t-2-2-False-False"]
    with pytest.raises(ValueError, match="square"):
        filtered_lrelu(random_map(layer)[..., :-2], Filters.of(layer, 0.2, None))


def test_the_number_of_threads_changes_nothing():
    layer = next(iter(KINDS.values()))
    filters, before = Filters.of(layer, 0.2, 1.5), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            z = torch.cat([random_map(layer, seed) for seed in range(3)]).requires_grad_()
            y = filtered_lrelu(z, filters)
            y.backward(y.detach())
            results.append((y.detach(), z.grad))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, three) for one, three in zip(*results, strict=True))
