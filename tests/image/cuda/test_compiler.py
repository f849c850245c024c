"""NVRTC from its wheel compiles the kernel for cards, within limits on registers and shared memory."""

import re

import pytest

from shared.image.ops.cuda.nvrtc import OPTIONS, SOURCE, KernelError, nvrtc
from shared.image.ops.cuda.plan import SHARED_BYTES, FilterPlan, plan_launch
from tests.image.cuda.layer_kinds import layer_kinds, radial_layers
from tests.image.cuda.test_kernel import filters_of

pytestmark = pytest.mark.slow

CARDS = ("75", "80", "89", "90", "120")
REPORT = r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers.*? (\d+) bytes smem"
REGISTERS = 128  # of 65536 per multiprocessor: two blocks of 256 threads
LIMITS = {
    "T same": (32_000, 0, 0),
    "T doubled": (27_200, 140, 72),
    "R same, 2 terms": (28_600, 0, 0),
    "R doubled, 2 terms": (34_900, 210, 32),
    "R same, 3 terms": (41_200, 0, 0),
}
"""Bytes of shared memory; bytes of registers spilled to local memory, stores and loads, on capability 7.5 and on later cards."""


@pytest.fixture(scope="module")
def compiler():
    try:
        return nvrtc()
    except KernelError as error:
        pytest.skip(f"NVRTC comes for Linux and Windows only: {error}")


def launches():
    """Each kind of kernel in float16, as a wide layer of a published network takes it."""
    t = [layer for layer in layer_kinds().values() if not layer.radial]
    chosen = {
        "T same": next(layer for layer in t if layer.up == 2),
        "T doubled": next(layer for layer in t if layer.up == 4),
    }
    for layer in radial_layers().values():
        filters = FilterPlan.prepare(*filters_of(layer), up=layer.up, padding=layer.padding)
        chosen.setdefault(f"R {'same' if layer.up == 2 else 'doubled'}, {filters.terms} terms", layer)
    made = {}
    for name, layer in chosen.items():
        filters = FilterPlan.prepare(*filters_of(layer), up=layer.up, padding=layer.padding)
        made[name] = plan_launch(filters, 64, 1044, x_half=True, y_half=True)
    return made


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("name", LIMITS)
def test_registers_and_shared_memory_of_the_kernel(compiler, name, card):
    launch = launches()[name]
    options = (*OPTIONS, "--ptxas-options=-v", *(f"-D{macro}={value}" for macro, value in launch.macros))
    code, log = compiler.compile(SOURCE.read_bytes(), options, f"sm_{card}")
    assert code.startswith(b"\x7fELF")
    _, stores, loads, registers, shared = map(int, re.search(REPORT, log, re.DOTALL).groups())
    most_shared, *spilled = LIMITS[name]
    print(
        f"{name}, sm_{card}: {registers} registers, {stores} + {loads} bytes spilled, {shared} bytes shared, {len(code)} bytes"
    )
    assert registers <= REGISTERS
    assert stores + loads <= spilled[card != "75"]
    assert shared <= most_shared <= SHARED_BYTES
    assert shared == launch.shared_bytes
