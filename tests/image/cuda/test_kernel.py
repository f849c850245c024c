"""The source of the CUDA kernel, compiled for the CPU, against the plain operator; needs no card."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.image.ops.cuda.filtered_lrelu import CudaFilteredLReLU
from shared.image.ops.cuda.nvrtc import SOURCE
from shared.image.ops.cuda.plan import FilterPlan, fits, plan_launch, shape
from shared.image.ops.filtered_lrelu import FilteredLReLU
from shared.image.ops.filters import down_filter, up_filter
from tests.image.cuda.cpu_driver import CpuDriver, build, needs_compiler
from tests.image.cuda.layer_kinds import layer_kinds, radial_layers

pytestmark = pytest.mark.slow

FULL, HALF = torch.float32, torch.float16
ERRORS = {(FULL, False): 2e-6, (FULL, True): 1e-4, (HALF, False): 6e-4, (HALF, True): 6e-4}
"""Relative to the largest value, by result and radial filter; half a unit in float16's last place is 4.9e-4."""
KINDS = layer_kinds()
RUNS = 12


@pytest.fixture(scope="module", autouse=True)
def _compiler():
    needs_compiler()


def filters_of(layer):
    return torch.from_numpy(up_filter(layer)), torch.from_numpy(down_filter(layer))


def block(layer, groups, channels):
    """A fixed block, so that few kernels are compiled."""
    filters = FilterPlan.prepare(*filters_of(layer), up=layer.up, padding=layer.padding)
    unit = layer.up // 2
    width = ((layer.up * groups - filters.shift - 12) // 2 + 1) // unit * unit
    return shape(layer.up, filters.terms, groups, channels, width, unit)


def compare(
    layer, *, channels, size, types=(FULL, FULL), blocks=None, x=None, spread=1.0, multiprocessors=24, **changed
):
    """The largest error of the kernel on a map of noise, relative to the largest value; NaNs must agree."""
    rng = np.random.default_rng(channels + size[0])

    def numbers(*shape):
        return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))

    bias, scale, style = numbers(channels), numbers(1, channels).abs() + 0.5, numbers(1, channels)
    x = numbers(1, channels, *size) * spread if x is None else x
    x = x.to(types[0]).contiguous(memory_format=torch.channels_last)
    kept = x.clone()
    arguments = {"up": layer.up, "padding": layer.padding, "gain": 2**0.5, "slope": 0.2, "clamp": 256.0} | changed
    plain = FilteredLReLU.prepare(bias, *filters_of(layer), down=layer.down, **arguments)
    expected = plain(x.float(), scale) * style[:, :, None, None]
    driver = CpuDriver(multiprocessors)
    forced = block(layer, *(blocks or ((16, 8) if layer.up == 2 else (12, 8))))
    operator = CudaFilteredLReLU.prepare(
        bias, *filters_of(layer), **arguments, dtype=types[1], driver=driver, forced=forced
    )
    y = operator(x, scale, style)
    assert driver.launches == 1
    assert torch.equal(torch.nan_to_num(x), torch.nan_to_num(kept))
    assert y.dtype == types[1]
    assert y.shape == expected.shape
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(y.isnan(), expected.isnan())
    y, expected = y.float().nan_to_num(), expected.nan_to_num()
    return float((y - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("types", [(FULL, FULL), (HALF, HALF)], ids=["float32", "float16"])
@pytest.mark.parametrize("name", KINDS)
def test_layers_of_published_networks(name, types):
    layer = KINDS[name]
    assert fits(layer.up, layer.down, *filters_of(layer))
    size = (35, 47) if layer.up == 2 else (29, 31)
    assert compare(layer, channels=16, size=size, types=types) <= ERRORS[types[1], layer.radial]


def kinds_by_factor():
    """A layer that keeps the rate and one that doubles it, T and R."""
    found = {}
    for layer in KINDS.values():
        found.setdefault((layer.up, layer.radial), layer)
    return found


FACTORS = kinds_by_factor()


@pytest.mark.parametrize("channels", [1, 7, 10, 33])
@pytest.mark.parametrize("up", [2, 4])
def test_odd_channels_and_sizes(up, channels):
    """Numbers are loaded one, two or eight at a time; the last block of channels is not full."""
    layer = FACTORS[up, False]
    for size in ((23, 50), (31, 24)):
        assert compare(layer, channels=channels, size=size, types=(HALF, HALF)) <= ERRORS[HALF, False]


@pytest.mark.parametrize("size", [(22, 150), (150, 23), (40, 40)])
@pytest.mark.parametrize("up", [2, 4])
def test_wide_and_high_maps_in_many_strips(up, size):
    for multiprocessors in (1, 24, 132):
        layer = FACTORS[up, True]
        error = compare(layer, channels=8, size=size, types=(HALF, HALF), multiprocessors=multiprocessors)
        assert error <= ERRORS[HALF, True]


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("clamp", [None, 0.5, 256.0])
def test_clamp_and_slope(slope, clamp):
    layer = FACTORS[2, False]
    error = compare(layer, channels=8, size=(33, 30), slope=slope, clamp=clamp, spread=100.0)
    assert error <= ERRORS[FULL, False]


@pytest.mark.parametrize("types", [(FULL, HALF), (HALF, FULL)], ids=["to float16", "to float32"])
def test_a_change_of_format(types):
    """Behind the lowest layers, and before ToRGB."""
    assert compare(FACTORS[4, False], channels=16, size=(30, 33), types=types) <= ERRORS[types[1], False]


@pytest.mark.parametrize("up", [2, 4])
def test_nan_spreads_as_on_the_plain_path(up):
    layer = FACTORS[up, False]
    x = torch.randn(1, 8, 40, 41, generator=torch.Generator().manual_seed(0))
    x[0, 3, 20, 22], x[0, 5, 2, 39] = torch.nan, torch.nan
    assert compare(layer, channels=8, size=(40, 41), types=(HALF, HALF), x=x) <= ERRORS[HALF, False]


@pytest.mark.parametrize(("up", "blocks"), [(2, (32, 16)), (4, (16, 16))])
def test_the_block_shapes_of_large_layers(up, blocks):
    error = compare(FACTORS[up, True], channels=40, size=(40, 70), types=(HALF, HALF), blocks=blocks)
    assert error <= ERRORS[HALF, True]


def test_radial_filters_need_few_terms():
    counts = {
        name: FilterPlan.prepare(*filters_of(layer), up=layer.up, padding=layer.padding).terms
        for name, layer in radial_layers().items()
    }
    assert set(counts.values()) == {2, 3, 4}
    assert list(counts.values()).count(2) > len(counts) / 2
    published = {counts[name] for name in counts if name.startswith("R-1024 14 layers")}
    assert published == {2, 3}


def test_filters_that_the_kernel_does_not_support():
    symmetric, slanted = torch.ones(12), torch.arange(12.0)
    assert fits(2, 2, torch.ones(12), symmetric)
    assert fits(4, 2, torch.ones(24), torch.ones(12, 12))
    assert not fits(2, 2, torch.ones(16), symmetric)
    assert not fits(3, 2, torch.ones(18), symmetric)
    assert not fits(8, 2, torch.ones(48), symmetric)  # a network of 1024 pixels with few layers
    assert not fits(2, 1, torch.ones(12), symmetric)
    assert not fits(2, 2, torch.ones(12), slanted)
    noise = torch.rand(6, 6, generator=torch.Generator().manual_seed(0))
    noise = torch.cat([noise, noise.flip(0)])
    assert not fits(2, 2, torch.ones(12), torch.cat([noise, noise.flip(1)], dim=1))  # six terms


@pytest.mark.parametrize("barrier", [None, 0, 1, 2])
def test_a_missing_barrier_is_a_race(barrier, tmp_path):
    """With a real thread for each of the card's, ThreadSanitizer finds a race without any of the barriers, and none with all."""
    layer = FACTORS[2, False]
    filters = FilterPlan.prepare(*filters_of(layer), up=2, padding=layer.padding)
    forced = block(layer, 16, 8) | {"VECTOR": 2}
    launch = plan_launch(filters, 8, 32, x_half=True, y_half=True, forced=forced)
    parts = SOURCE.read_text("utf-8").split("__syncthreads();")
    assert len(parts) == 4
    text = "".join(part + ("" if i == barrier else "__syncthreads();") for i, part in enumerate(parts[:-1])) + parts[-1]
    kernel = Path(tmp_path, SOURCE.name)
    kernel.write_text(text, "utf-8")
    program = tmp_path / "race"
    build(program, launch.macros, "race.cpp", "-fsanitize=thread", "-g", kernel=kernel)
    races = 0
    for _ in range(3 if barrier is None else RUNS):  # it sees a race in most runs, not in all
        done = subprocess.run(["setarch", "-R", program], capture_output=True, text=True, timeout=100, check=False)
        if "FATAL: ThreadSanitizer" in done.stderr:
            pytest.skip(f"ThreadSanitizer does not run here: {done.stderr.splitlines()[0]}")
        races += done.stderr.count("WARNING: ThreadSanitizer: data race")
        if races:
            break
    assert (races > 0) == (barrier is not None)
