"""The fast paths against the plain ones; threads and other rows of a batch do not change a bit."""

import re
import shutil
import subprocess
import sys
import threading
import weakref
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.image import generator as generators
from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.fast import unusual
from shared.image.generator import Generator, agreement_db, load_generator
from shared.image.graphs import Graphs
from shared.image.ops import fused_filtered_lrelu as fused
from shared.image.ops.filtered_lrelu import FilteredLReLU
from shared.image.ops.filters import radial_lowpass, separable_terms
from shared.image.ops.fused_filtered_lrelu import FusedFilteredLReLU, fits, tiles
from shared.image.ops.modulated_conv import ModulatedConv
from shared.image.ops.steady_conv import SteadyConv
from shared.image.threads import run_each, side_by_side
from tests.image.reference import psnr
from tests.image.test_generator import GLASS

pytestmark = pytest.mark.slow

TYPES = st.sampled_from([torch.float32, torch.bfloat16])


@st.composite
def fused_cases(draw):
    up = draw(st.sampled_from([2, 4]))
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    low, high = draw(st.integers(-20, 50)), draw(st.integers(-20, 50))
    assume((up - 1 - low) % 2 == (up == 4))
    shortest = min(height, width) * up
    assume(shortest + min(low, 0) + min(high, 0) >= up)
    assume(shortest + low + high - (6 * up - 1) >= 12)
    return {
        "up": up,
        "shape": (1, draw(st.sampled_from([1, 2, 3, 8, 13, 16, 17, 33, 48, 70])), height, width),
        "padding": (low, high),
        "radial": draw(st.booleans()),
        "clamp": draw(st.sampled_from([None, 0.5, 3.0])),
        "slope": draw(st.sampled_from([0.2, 1.0, 0.0])),
        "types": (draw(TYPES), draw(TYPES)),
        "channels_last": draw(st.booleans()),
        "tile": draw(st.sampled_from([1_000, 8_000, 40_000, 200_000])),
        "threads": draw(st.sampled_from([1, 2, 3])),
        "seed": draw(st.integers(0, 99)),
    }


def mirrored(taps):
    for axis in range(taps.ndim):
        taps = (taps + taps.flip(axis)) / 2
    return taps


@pytest.fixture
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads_as_before")
@settings(max_examples=120)
@given(fused_cases())
def test_fused_filtered_lrelu_is_the_plain_one(case):
    rng = np.random.default_rng(case["seed"])

    def numbers(*shape):
        return torch.from_numpy(rng.normal(size=shape).astype(np.float32))

    _, channels, *_ = case["shape"]
    bias, scale, style = numbers(channels), numbers(1, channels), numbers(1, channels)
    up_filter = mirrored(numbers(6 * case["up"]) / 6)
    down_filter = mirrored(numbers(12, 12) / 12 if case["radial"] else numbers(12) / 6)
    layout = torch.channels_last if case["channels_last"] else torch.contiguous_format
    arguments = {key: case[key] for key in ("up", "padding", "slope", "clamp")} | {"gain": 2**0.5}
    given_type, wanted_type = case["types"]
    x = numbers(*case["shape"]).to(given_type).contiguous(memory_format=layout)
    kept = x.clone()
    left = down_filter
    if case["radial"]:  # what is left of the filter is judged by itself, in the test of terms
        along_y, along_x = separable_terms(down_filter.numpy(), fused.NEGLIGIBLE[wanted_type])
        left = torch.from_numpy(along_y.T @ along_x)
    plain = FilteredLReLU.prepare(bias, up_filter, left, down=2, **arguments)
    wanted = plain(x.float(), scale) * style[:, :, None, None]
    operator = FusedFilteredLReLU.prepare(bias, up_filter, down_filter, **arguments, dtype=wanted_type)
    torch.set_num_threads(1)
    y = operator(x, scale, style)
    torch.set_num_threads(case["threads"])
    tiles.cache_clear()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fused, "TILE_FLOATS", case["tile"])
        assert torch.equal(operator(x, scale, style), y)  # not a bit depends on where it is cut
    tiles.cache_clear()
    assert torch.equal(x, kept)
    assert y.dtype == wanted_type
    assert y.shape == wanted.shape
    largest = max(1.0, float(wanted.abs().max()))
    rounding = 2.0**-8 if wanted_type == torch.bfloat16 else 2e-5
    torch.testing.assert_close(y.float(), wanted, rtol=rounding, atol=1e-5 * largest)


def test_rounding_to_bfloat16_is_torchs():
    """An identity: taps that pass one sample on. Every rounding, halves to even, as torch does it."""
    up_filter, down_filter = torch.zeros(12), torch.zeros(12)
    up_filter[5], up_filter[6], down_filter[5], down_filter[6] = 0.5, 0.5, 0.5, 0.5
    bits = torch.arange(0x3F80_0000, 0x3F80_0000 + 40_000 * 7, 7, dtype=torch.int32)
    x = bits.view(torch.float32).reshape(1, 1, 200, 200)
    arguments = {"up": 2, "padding": (5, 6 + 6), "gain": 1.0, "slope": 1.0, "clamp": None}
    one = torch.ones(1, 1)
    results = [
        FusedFilteredLReLU.prepare(torch.zeros(1), up_filter, down_filter, **arguments, dtype=dtype)(x, one, one)
        for dtype in (torch.float32, torch.bfloat16)
    ]
    assert results[0].unique().numel() > 1000
    assert torch.equal(results[0].bfloat16(), results[1])


def test_kernels_are_recompiled_when_one_of_their_files_changes(tmp_path):
    """Numba looks at the file that a function stands in alone: the name of what it keeps has a hash of the others."""
    folder = tmp_path / "ops"
    shutil.copytree(Path(fused.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    program = "import sys, importlib.util as u; m = u.module_from_spec(u.spec_from_file_location('p', sys.argv[1])); "
    program += (
        "u.spec_from_file_location('p', sys.argv[1]).loader.exec_module(m); print(m.upsample_x.py_func.__qualname__)"
    )

    def name():
        command = [sys.executable, "-c", program, str(folder / "fused_passes.py")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    first = name()
    assert first == name()
    with (folder / "fused_passes.py").open("a", encoding="utf-8") as file:
        file.write("\n# another\n")
    assert name() != first


def test_radial_filters_need_few_terms():
    for cutoff, half_width in ((20.0, 12.0), (8.0, 8.0), (2.0, 6.0)):
        taps = radial_lowpass(12, cutoff, half_width, 64)
        for negligible, terms in ((3e-5, 4), (1e-3, 3), (3e-2, 2)):
            along_y, along_x = separable_terms(taps, negligible)
            assert 1 <= len(along_y) <= terms
            assert (along_y.T @ along_x).sum() == pytest.approx(taps.sum(), rel=1e-6)
            np.testing.assert_allclose(along_y.T @ along_x, taps, atol=negligible * np.linalg.norm(taps, 2))


@pytest.mark.parametrize("up", [2, 4])
@pytest.mark.parametrize("channels", [3, 64, 65, 512])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (36, 36), (30, 700), (700, 1)])
def test_tiles_cover_the_map_once(channels, height, width, up):
    covered = np.zeros((channels, height, width), int)
    for threads in (1, 2, 5):
        covered[:] = 0
        made = tiles(channels, height, width, height, width, up, 9, 1, threads)
        assert len(made) >= min(threads, max(1, height // fused.LOWEST))
        for tile in made:
            channel, group, top, bottom = tile.plan[6:10]
            covered[channel : channel + group, top:bottom] += 1
        assert (covered == 1).all()


@pytest.mark.parametrize("name", ["t64", "r64"])
@pytest.mark.parametrize("precision", ["full", "half"])
@pytest.mark.usefixtures("threads_as_before")
def test_the_same_bits_with_any_number_of_threads(cases, name, precision):
    case = cases[name]
    g = case.generator(precision)
    assert g.fast is not None
    w = torch.from_numpy(case.outputs["w_psi10"])
    pictures = []
    for threads in (1, 2, 3, 4, 6, 12):
        torch.set_num_threads(threads)
        pictures.append([g.synthesize_float(row[None]) for row in w])
    pictures.append(list(g.synthesize_float(w).split(1)))
    pictures.append([picture for _, picture in side_by_side(lambda row: g.synthesize_float(row[None]), w, 2)])
    for others in pictures[1:]:
        for one, other in zip(pictures[0], others, strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["t64", "r64"])
def test_how_near_the_plain_path_it_comes(cases, name):
    case = cases[name]
    plain, full = case.generator(), case.generator()
    plain.synthesis = plain.plain
    w = case.outputs["w_psi10"][:1]
    assert psnr(full.synthesize_float(w), plain.synthesize_float(w)) >= (84 if name == "r64" else 110)
    assert psnr(case.generator("half").synthesize_float(w), plain.synthesize_float(w)) >= 45


def test_auto_takes_half_only_where_it_is_right(monkeypatch):
    monkeypatch.setattr(generators, "pick_precision", lambda name, device: "half" if name == "auto" else name)
    assert load_generator(GLASS, precision="auto").precision == "half"
    monkeypatch.setattr(generators, "agreement_db", lambda generator, judge: 44.9)
    assert load_generator(GLASS, precision="auto").precision == "full"
    monkeypatch.setattr(generators, "agreement_db", lambda generator, judge: float("nan"))
    assert load_generator(GLASS, precision="auto").precision == "full"


def test_agreement(cases):
    one, other = cases["t64"].generator(), cases["t64"].generator("half")
    assert agreement_db(one, one) == pytest.approx(200)
    assert 45 < agreement_db(other, one) < 90


def test_the_backend_in_use_is_logged(caplog):
    with caplog.at_level("INFO"):
        load_generator(GLASS)
    assert "generator.safetensors on cpu: the fused path, float32 convolutions" in caplog.text


def test_a_fused_path_that_is_wrong_or_fails_is_replaced_with_a_warning(cases, caplog, monkeypatch):
    g = cases["t64"].generator()
    g.check_fused_path()
    assert not caplog.text
    assert g.backend.startswith("the fused path")
    fused = FusedFilteredLReLU.__call__
    for fault, message in (
        (lambda *inputs: fused(*inputs) * 1.01, r"is wrong here \(the filters of L0_36_32: \S+ from the plain one"),
        (lambda *inputs: fused(*inputs) * torch.nan, r"is wrong here \(the filters of L0_36_32: inf"),
        (lambda *inputs: 1 / 0, "failed here: division by zero"),
    ):
        broken = cases["t64"].generator()
        with monkeypatch.context() as patched:
            patched.setattr(FusedFilteredLReLU, "__call__", fault)
            broken.check_fused_path()
        assert re.search(f"the fused path {message}.*: the plain path is used", caplog.text)
        assert broken.backend == "the plain path, full precision"
        w = g.broadcast(g.w_avg[None])
        assert torch.equal(broken.synthesize_float(w), g.judge(w))
        caplog.clear()


def test_a_lack_of_memory_is_no_verdict(cases, monkeypatch):
    def fault(*inputs):
        raise RuntimeError("CUDA error: out of memory")

    g = cases["t64"].generator()
    with monkeypatch.context() as patched:
        patched.setattr(FusedFilteredLReLU, "__call__", fault)
        with pytest.raises(RuntimeError, match="out of memory"):
            g.check_fused_path()
    assert g.backend.startswith("the fused path")


def test_why_the_plain_path_is_taken(cases):
    assert "fused" in cases["t64"].generator().backend
    for changed, reason in (
        ({"lrelu_upsampling": 4}, "they downsample by 4, the fused path by 2 only"),
        ({"filter_size": 4}, "they have 4 taps per phase, in the fused path 6"),
    ):
        arrays = {key: array for key, array in cases["t64"].weights.items() if not key.endswith("_filter")}
        architecture = Architecture.from_arguments(cases["t64"].arguments | changed)
        backend = Generator(architecture, arrays, torch.device("cpu")).backend
        assert f"(the filters of L0_36_32 are unusual: {reason})" in backend


def test_networks_of_1024_pixels_and_8_layers_say_what_is_unusual():
    """The published rule spreads the bands over the layers: with so few, one of them rises by 8."""
    arguments = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_channels": 3, "img_resolution": 1024}
    few = Architecture.from_arguments(arguments | {"num_layers": 8})
    assert [unusual(layer) for layer in geometry.layers(few)[:-1] if layer.up == 8] == [
        "the filters of L5_1044_81 are unusual: they upsample by 8, the fused path by 2 and 4 only"
    ]
    for count in range(9, 15):
        architecture = Architecture.from_arguments(arguments | {"num_layers": count})
        assert {layer.up for layer in geometry.layers(architecture)[:-1]} == {2, 4}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.usefixtures("threads_as_before")
def test_a_convolution_gives_the_same_bits_with_any_number_of_threads(dtype):
    """64 channels of 36 x 36: what the library itself gives in float32 with 4, 6 and 12 threads differs in the last bits."""
    rng = np.random.default_rng(0)
    weight = torch.from_numpy(rng.normal(size=(64, 64, 3, 3)).astype(np.float32))
    x = torch.from_numpy(rng.normal(size=(1, 64, 36, 36)).astype(np.float32))
    x = x.contiguous(memory_format=torch.channels_last)
    plain = ModulatedConv.prepare(weight, 1.0, demodulate=True, dtype=dtype, memory_format=torch.channels_last)
    steady = SteadyConv(plain)
    torch.set_num_threads(1)
    wanted = plain.convolve(x)
    for threads in (2, 4, 6, 7, 12, 16):
        torch.set_num_threads(threads)
        for _ in range(2):  # found out, then known
            assert torch.equal(steady.convolve(x), wanted)
            assert torch.get_num_threads() == threads


@pytest.mark.usefixtures("threads_as_before")
def test_nans_spread_alike_with_any_number_of_threads():
    x = torch.randn(1, 8, 64, 64, generator=torch.Generator().manual_seed(0))
    x[0, 0, 40, 30], x[0, 0, 2, 2] = np.nan, 1e6
    taps = mirrored(torch.rand(12, generator=torch.Generator().manual_seed(1)) / 6)
    operator = FusedFilteredLReLU.prepare(
        torch.zeros(8), taps, taps, up=2, padding=(9, 9), gain=1.0, slope=0.2, clamp=256.0, dtype=torch.float32
    )
    found = []
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        found.append(operator(x, torch.ones(1, 8), torch.ones(1, 8)))
    assert found[0].isnan().sum() > 0
    for other in found[1:]:
        torch.testing.assert_close(found[0], other, rtol=0, atol=0, equal_nan=True)


def test_filters_that_fit_are_symmetric_along_each_axis():
    """A filter that is the same upside down may still be slanted, and no product of symmetric ones."""
    up_filter = mirrored(torch.rand(12))
    assert fits(2, 2, (9, 9), up_filter, mirrored(torch.rand(12, 12)))
    slanted = torch.rand(12, 12)
    assert not fits(2, 2, (9, 9), up_filter, (slanted + slanted.flip(0, 1)) / 2)
    assert not fits(2, 2, (8, 8), up_filter, mirrored(torch.rand(12)))
    assert not fits(6, 2, (9, 9), mirrored(torch.rand(36)), mirrored(torch.rand(12)))


def test_filters_that_are_not_symmetric_are_left_to_the_plain_path(cases):
    arrays = dict(cases["t64"].weights)
    name = next(name for name in arrays if name.endswith("up_filter"))
    arrays[name] = arrays[name] * np.linspace(0.9, 1.1, len(arrays[name]), dtype=np.float32)
    g = Generator(cases["t64"].architecture, arrays, torch.device("cpu"))
    assert f"(the filters of {name.split('.')[1]} are unusual: they are not symmetric)" in g.backend
    assert g.fast is None


def test_recorded_work_is_replayed_with_new_numbers():
    """The bookkeeping of a CUDA graph, without one: the same places in memory, whatever the inputs."""
    recorded = []

    def capture(work):
        recorded.append(result := work())
        return result, lambda: result.copy_(work())

    graphs = Graphs(torch.device("cpu"), capture)
    x, y = torch.randn(2, 3), torch.randn(3, 4)
    first = graphs("product", torch.matmul, x, y)
    kept = first.clone()
    assert torch.equal(graphs("product", torch.matmul, x + 1, y), (x + 1) @ y)
    assert torch.equal(first, kept)  # the later call returned a tensor of its own
    assert torch.equal(first, x @ y)
    assert len(recorded) == 1
    assert torch.equal(graphs("product", torch.matmul, x[:1], y), x[:1] @ y)
    assert torch.equal(graphs("sum", torch.add, x, x), x + x)  # another key, another recording
    assert torch.equal(graphs("product", torch.matmul, x, y), x @ y)
    assert len(recorded) == 3


def test_threads_that_share_a_recording_get_their_own_results():
    def capture(work):
        result = work()
        return result, lambda: result.copy_(work())

    graphs, wrong = Graphs(torch.device("cpu"), capture), []

    def play(number):
        for i in range(200):
            x = torch.full((4,), float(number * 1000 + i))
            if not torch.equal(graphs("double", lambda x: x * 2, x), x * 2):
                wrong.append(number)

    players = [threading.Thread(target=play, args=(n,)) for n in range(4)]
    for player in players:
        player.start()
    for player in players:
        player.join()
    assert wrong == []


def test_side_by_side_keeps_order_and_bounds_memory():
    begun, lock = [], threading.Lock()

    def work(i):
        with lock:
            begun.append(i)
        assert torch.get_num_threads() == 1
        return i * i

    before = torch.get_num_threads()
    iterator = side_by_side(work, range(50), 2)
    for k, (item, result) in enumerate(iterator):
        assert (item, result) == (k, k * k)
        assert max(begun) <= k + 2
    assert sorted(begun) == list(range(50))
    assert torch.get_num_threads() == before


def test_side_by_side_raises_in_its_place_and_can_be_left():
    def work(i):
        if i == 3:
            raise ValueError("three")
        return i

    iterator = side_by_side(work, range(9), 2)
    assert [next(iterator) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
    with pytest.raises(ValueError, match="three"):
        next(iterator)
    iterator = side_by_side(work, range(3), 2)
    assert next(iterator) == (0, 0)
    iterator.close()
    assert list(side_by_side(work, [], 2)) == []


@pytest.mark.usefixtures("threads_as_before")
def test_run_each_does_all_in_as_many_threads_as_there_are():
    """Also from several threads at once, and from within; a helper that comes too late holds nobody up."""
    torch.set_num_threads(3)
    at_work, most, lock = 0, 0, threading.Lock()

    def work(results, item):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.002)
        with lock:
            at_work -= 1
        results.append(item)

    alone = []
    run_each(partial(work, alone), range(40))
    assert sorted(alone) == list(range(40))
    assert most == 3
    many = [[] for _ in range(4)]

    def both(results):
        torch.set_num_threads(2)
        run_each(lambda item: run_each(results.append, [item]), range(50))

    callers = [threading.Thread(target=both, args=(results,)) for results in many]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert [sorted(results) for results in many] == [list(range(50))] * 4
    helpers = threading.active_count()
    run_each(alone.append, range(3))
    assert threading.active_count() == helpers  # they are kept


@pytest.mark.usefixtures("threads_as_before")
def test_helpers_hold_on_to_nothing():
    torch.set_num_threads(3)
    big = torch.zeros(1000)
    let_go = weakref.ref(big)
    run_each(partial(torch.add, big), [1, 2, 3, 4])
    del big
    assert let_go() is None


@pytest.mark.usefixtures("threads_as_before")
def test_run_each_raises_what_a_helper_raised():
    torch.set_num_threads(2)
    done = []

    def work(i):
        if i == 7:
            raise ValueError("seven")
        done.append(i)

    with pytest.raises(ValueError, match="seven"):
        run_each(work, range(30))
    run_each(done.append, [])
