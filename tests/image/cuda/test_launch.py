"""From a network to launches of the kernel, without a card: whole pictures, and CUDA's driver with a stand-in library."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from shared.image import geometry, self_check
from shared.image.architecture import Architecture
from shared.image.card_memory import is_out_of_memory, needed_bytes, out_of_memory_message
from shared.image.device import HALF, WIDE_RANGE
from shared.image.fast import FastSynthesis, to_image
from shared.image.fused_cuda import FusedCuda
from shared.image.ops.cuda import driver as drivers
from shared.image.ops.cuda import plan
from shared.image.ops.cuda.driver import CudaDriver
from shared.image.ops.cuda.kernel_cache import KernelCache
from shared.image.ops.cuda.nvrtc import KernelError, nvrtc
from shared.image.stylegan3 import SynthesisNetwork, layer_precision, with_defaults
from tests.image.cuda.cpu_driver import CpuDriver, needs_compiler
from tests.image.cuda.test_compiler import launches
from tests.image.reference import psnr

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


@pytest.fixture
def _no_card(monkeypatch):
    """The parts of CUDA that the fused path uses, on the CPU."""

    def convolution(x, weight, padding, stride, dilation, groups, *, benchmark, deterministic, allow_tf32):
        assert (stride, dilation, groups, benchmark, deterministic) == ((1, 1), (1, 1), 1, False, True)
        assert x.dtype == weight.dtype
        assert not (allow_tf32 and x.dtype != torch.float32)
        assert x.shape[1] % 8 == 0
        assert x.is_contiguous(memory_format=torch.channels_last)
        y = conv2d(x, weight, padding=padding)
        return y.contiguous(memory_format=torch.channels_last)

    monkeypatch.setattr(torch, "cudnn_convolution", convolution)
    monkeypatch.setitem(HALF, "cpu", HALF["cuda"])
    monkeypatch.setitem(WIDE_RANGE, "cpu", WIDE_RANGE["cuda"])


def network(precision, radial=False, **changed):
    """A small network, its weights, and its plain and fused synthesis in a precision."""
    arguments = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 32, "img_channels": 3, "num_layers": 5}
    arguments |= {"channel_base": 180, "channel_max": 11, "margin_size": 4, "num_fp16_res": 1}
    arguments |= {"use_radial_filters": radial, "conv_kernel": 1 if radial else 3} | changed
    architecture = Architecture.from_arguments(arguments)
    rng = np.random.default_rng(3)
    stored = {
        name: torch.from_numpy(np.asarray(rng.normal(size=tensor.shape) if tensor.shape else 0.7, np.float32))
        for name, tensor in geometry.tensors(architecture).items()
        if tensor.required
    }
    weights = with_defaults(architecture, stored, CPU)
    chosen = layer_precision(precision == "half", CPU)
    plain = SynthesisNetwork.prepare(architecture, weights, chosen)
    driver = CpuDriver()
    fast = FastSynthesis.prepare(architecture, weights, chosen, plain, FusedCuda(driver))
    w = torch.from_numpy(rng.normal(size=(1, architecture.num_ws, 8)).astype(np.float32))
    return SimpleNamespace(architecture=architecture, weights=weights, plain=plain, fast=fast, driver=driver, w=w)


@pytest.mark.usefixtures("_no_card")
@pytest.mark.parametrize("radial", [False, True], ids=["T", "R"])
@pytest.mark.parametrize(("precision", "least_db"), [("full", 84), ("half", 45)])
def test_a_whole_picture(radial, precision, least_db):
    """Channels that are no multiple of 8, layers in both formats, grey and colour."""
    needs_compiler()
    n = network(precision, radial)
    formats = {
        layer_precision(precision == "half", CPU)(layer).convolution for layer in geometry.layers(n.architecture)
    }
    assert formats == ({torch.float32} if precision == "full" else {torch.float32, torch.float16})
    full = SynthesisNetwork.prepare(n.architecture, n.weights, layer_precision(False, CPU))
    expected = full(n.w)
    contrast = 0.4 / expected.std()
    assert psnr(n.fast(n.w) * contrast, expected * contrast) >= least_db
    assert n.driver.launches == len(n.fast.layers)
    assert torch.equal(n.fast.image(n.w), to_image(n.fast(n.w)))
    both = n.fast(torch.cat([n.w, n.w * 0.5]))
    assert torch.equal(both[0], n.fast(n.w)[0])


@pytest.mark.usefixtures("_no_card")
@pytest.mark.parametrize("precision", ["full", "half"])
def test_on_a_card_low_rates_use_tf32_and_torgb_never(precision):
    n = network(precision)
    wide = [layer.convolution.tf32 for layer in n.fast.layers]
    is_half = [layer.convolution.weight.dtype == torch.float16 for layer in n.fast.layers]
    assert wide == [precision == "half" and not half for half in is_half]
    assert any(wide) == (precision == "half")
    assert n.fast.torgb.weight.dtype == torch.float32
    assert not n.fast.torgb.tf32
    exact = network(precision, num_fp16_res=0)
    assert not any(layer.convolution.tf32 for layer in exact.fast.layers)


@pytest.mark.usefixtures("_no_card")
@pytest.mark.parametrize("precision", ["full", "half"])
def test_the_self_check_passes_and_finds_a_fault(precision, monkeypatch):
    needs_compiler()
    n = network(precision)
    arguments = (n.fast, n.plain, n.architecture, n.weights, n.w, n.plain.transform, precision)
    assert self_check.disagreement(*arguments) == ""
    monkeypatch.setattr(self_check, "GROUP_SAMPLES", 4000)  # some channels at a time
    assert self_check.disagreement(*arguments) == ""
    slope = n.fast.layers[2].nonlinearity
    object.__setattr__(slope, "slope", 0.25)
    assert self_check.disagreement(*arguments).startswith("the filters of L2_")
    object.__setattr__(slope, "slope", 0.2)
    convolution = n.fast.layers[3].convolution
    convolution.weight[0, 0] *= 1.5
    assert self_check.disagreement(*arguments).startswith("the convolution of L3_")
    convolution.weight[0, 0] = torch.nan
    assert "nan" in self_check.disagreement(*arguments)


class Library:
    """A stand-in for libcuda that records the calls of `CudaDriver`."""

    def __init__(self, error=0):
        self.error, self.calls = error, []

    def cuModuleLoadData(self, module, code):
        self.calls.append(("load", code))
        module._obj.value = 7
        return self.error

    def cuModuleGetFunction(self, function, module, name):
        self.calls.append(("get", module.value, name))
        function._obj.value = 8
        return 0

    def cuLaunchKernel(self, function, *arguments):
        self.calls.append(("launch", function.value, arguments))
        return self.error

    def cuGetErrorString(self, code, text):
        text._obj.value = b"out of memory" if code == 2 else b"invalid device function"


@pytest.fixture
def library(monkeypatch):
    """Installs stand-ins for libcuda and for the few functions of torch that the driver calls."""
    monkeypatch.setattr(torch.cuda, "device", lambda index: torch.no_grad())
    stream = SimpleNamespace(cuda_stream=99, query=lambda: True)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: stream)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    return Library()


def test_the_driver_loads_once_and_launches_on_torchs_stream(library, tmp_path):
    try:
        nvrtc()
    except KernelError as error:
        pytest.skip(str(error))
    driver, macros, device = (
        CudaDriver(KernelCache(tmp_path), library),
        launches()["T same"].macros,
        torch.device("cuda:1"),
    )
    assert driver.capability(device) == "9.0"
    function = driver.function(macros, device)
    assert driver.function(macros, device) is function
    assert [call[0] for call in library.calls] == ["load", "get"]
    assert library.calls[0][1].startswith(b"\x7fELF")
    assert library.calls[1] == ("get", 7, b"filtered_lrelu")
    values = [ctypes.c_void_p(5), ctypes.c_int(3)]
    driver.launch(function, (2, 3, 4), 256, values, device)
    (_, number, (*shape, shared, stream, pointers, extra)) = library.calls[-1]
    assert (number, shape, shared, stream.value, extra) == (8, [2, 3, 4, 256, 1, 1], 0, 99, None)
    assert [ctypes.c_int.from_address(pointers[1]).value, ctypes.c_void_p.from_address(pointers[0]).value] == [3, 5]
    library.error = 98
    with pytest.raises(KernelError, match="cuLaunchKernel: invalid device function"):
        driver.launch(function, (1, 1, 1), 32, values, device)
    library.error = 2
    with pytest.raises(KernelError, match="out of memory") as caught:
        driver.launch(function, (1, 1, 1), 32, values, device)
    assert is_out_of_memory(caught.value)


def test_a_machine_without_a_driver(monkeypatch):
    monkeypatch.setattr(drivers, "LIBRARY", "libcuda-of-nowhere.so.1")
    with pytest.raises(KernelError, match=r"cannot load libcuda-of-nowhere\.so\.1"):
        CudaDriver()


@pytest.mark.parametrize("x_half", [True, False])
def test_every_planned_block_fits_into_shared_memory(x_half):
    number = "X_HALF"
    for (up, terms), rows in plan.ROWS.items():
        for groups, channels in plan.SHAPES[up]:
            width = plan.block_width(up, 0, groups)
            macros = plan.shape(up, terms, groups, channels, width, up // 2) | {
                "UP": up,
                "TERMS": terms,
                number: int(x_half),
            }
            launch = plan.Launch(tuple(macros.items()))
            assert launch.shared_bytes <= plan.SHARED_BYTES, (up, terms, rows, groups, channels)
            assert launch.threads % 32 == 0
            assert launch.threads <= 512


def test_blocks_that_were_measured_replace_the_planned_ones(monkeypatch):
    layer = geometry.layers(
        Architecture.from_arguments({"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_channels": 3, "img_resolution": 256})
    )[0]
    from tests.image.cuda.test_kernel import filters_of

    filters = plan.FilterPlan.prepare(*filters_of(layer), up=2, padding=layer.padding)
    blocks = plan.shape(2, 1, 24, 8, plan.block_width(2, 0, 24), 1)
    monkeypatch.setattr(plan, "measured_blocks", lambda: {"9.0": {plan.kind(2, 1, True): blocks}})
    measured = plan.plan_launch(filters, 64, 148, x_half=True, y_half=True, capability="9.0")
    assert dict(measured.macros)["GROUPS"] == 24
    for other in ({"capability": "8.9", "x_half": True}, {"capability": "9.0", "x_half": False}):
        launch = plan.plan_launch(filters, 64, 148, y_half=True, **other)
        assert dict(launch.macros)["GROUPS"] == 32


@pytest.mark.parametrize("slots", [1, 24 * 2, 132 * 2, 10_000])
def test_strips_cover_the_map(slots):
    for launch in launches().values():
        for height, width in ((36, 36), (148, 260), (1044, 1044), (7, 500)):
            strip = launch.strip(64, height, width, slots)
            unit = dict(launch.macros)["UP"] // 2
            assert strip % unit == 0
            across, along, down = launch.grid(64, height, width, strip)
            assert across * dict(launch.macros)["CHANNELS"] >= 64
            assert along * launch.width >= width > (along - 1) * launch.width
            assert down * strip >= height > (down - 1) * strip


def test_too_little_memory_is_one_line_with_what_would_fit(cases):
    architecture = cases["t64"].architecture
    assert needed_bytes(architecture, True) < needed_bytes(architecture, False)
    gigabyte = 2**30
    line = out_of_memory_message("x.safetensors", architecture, "cuda:0", "half", gigabyte // 10, 8 * gigabyte)
    assert line.startswith("x.safetensors does not fit into the memory of cuda:0: it needs about 0.")
    assert "0.1 GB of 8.0 GB are free; close other programs that use the card" in line
    line = out_of_memory_message("x", architecture, "cuda:0", "half", gigabyte // 10, gigabyte // 2)
    assert line.endswith("choose a smaller generator or --device cpu")
    large = Architecture.from_arguments(
        cases["t64"].arguments | {"img_resolution": 2048, "channel_base": 65536, "channel_max": 1024}
    )
    line = out_of_memory_message("x", large, "cuda:0", "full", 4 * gigabyte, 8 * gigabyte)
    assert "--precision half takes about" in line
