"""`ponticello doctor`: checks what a show needs, how pictures are computed here, and what would be faster."""

import logging
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

import typer

from shared.command_line import DeviceOption, PrecisionOption, example, new_app
from shared.errors import Failure, PonticelloError, printable

Verdict = Literal["ok", "note", "broken"]
MEASURED_S = 1.0
SHOWN_PER_S = 30  # pictures
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")  # as named by Linux: x86, then Arm


class Check(NamedTuple):
    """A line of the report."""

    what: str
    verdict: Verdict
    text: str


app = new_app()


@app.command(epilog=example("ponticello doctor", "ponticello doctor mine --device cuda"))
def command(
    preset: Annotated[
        str, typer.Argument(metavar="PRESET", help="Preset folder or name, or a generator file.")
    ] = "glass",
    device: DeviceOption = None,
    precision: PrecisionOption = "auto",
) -> None:
    """Check this machine. The exit status is 1 if something that a show needs is broken."""
    broken = []
    for look in (
        check_sound,
        check_screen,
        check_ffmpeg,
        check_processor,
        lambda: check_generator(preset, device, precision),
        check_kernels,
    ):
        for check in look():
            print(printable(f"{check.what:<10} {check.verdict:<7} {' '.join(check.text.split())}"), flush=True)
            broken += [check.what] if check.verdict == "broken" else []
    if broken:
        raise Failure(f"broken: {', '.join(dict.fromkeys(broken))}; see above")


def check_sound() -> Iterator[Check]:
    """Sound devices."""
    from shared.sound_card.client import list_devices
    from shared.sound_card.devices import channels_of, listing

    try:
        devices = list_devices()
    except PonticelloError as error:
        yield Check("sound", "broken", str(error))
        return
    inputs = [device for device in devices if channels_of(device, "input")]
    if inputs:
        yield Check("sound", "ok", f"PortAudio has {listing(inputs)}")
    else:
        yield Check("sound", "note", "PortAudio works but has no input: play a file or osc")


def check_screen() -> Iterator[Check]:
    """Monitors and OpenGL."""
    from live.display.monitors import probe

    screens = probe()
    if screens.problem:
        yield Check("screen", "note", screens.problem)
    else:
        yield Check("screen", "ok", f"OpenGL works; {', '.join(map(str, screens.monitors))}")


def check_ffmpeg() -> Iterator[Check]:
    """The ffmpeg that renders use."""
    from shared.ffmpeg import find_ffmpeg, version

    try:
        found = find_ffmpeg("libx264")
        yield Check("ffmpeg", "ok", f"{found}: {version(found)}")
    except Failure as error:
        yield Check("ffmpeg", "broken", str(error))


def check_processor() -> Iterator[Check]:
    """Cores, instructions and settings of threads."""
    import torch

    from shared.image.device import multiplies_bfloat16

    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    known = [name for name in FEATURES if name in _cpu_flags()]
    about = f"{platform.machine()}, {cores} cores, {threads} threads{', ' + ', '.join(known) if known else ''}"
    if threads < cores and "OMP_NUM_THREADS" in os.environ:
        yield Check("processor", "note", f"{about}: one thread per core is faster; unset OMP_NUM_THREADS")
    else:
        yield Check("processor", "ok", about)
    if not multiplies_bfloat16():
        text = (
            "no bfloat16 arithmetic (AVX512-BF16, AMX), so float32 is used; a processor with it is up to twice as fast"
        )
        yield Check("processor", "note", text)
    policy = os.environ.get("OMP_WAIT_POLICY", "not set")
    if policy.upper() == "PASSIVE":
        yield Check("threads", "ok", f"OMP_WAIT_POLICY={policy}: waiting threads leave their core to the sound")
    else:
        text = (
            f"OMP_WAIT_POLICY is {policy}: waiting threads keep their core busy, which is many times slower; unset it"
        )
        yield Check("threads", "broken", text)


def check_generator(preset: str, device: str | None, precision: str) -> Iterator[Check]:
    """The backend that draws a preset's pictures, its speed, and what would be faster."""
    import torch

    from shared.image.device import pick_device
    from shared.image.generator import load_generator
    from shared.painter import Draws, Painter
    from shared.preset import Preset

    try:
        logging.getLogger("shared.image.generator").addFilter(_warns)  # the backend has a line of its own
        began = time.perf_counter()
        if preset.endswith(".safetensors"):
            g: Draws = load_generator(Path(preset), pick_device(device), precision)
        else:
            g = Painter(pick_device(device), precision).load_untrained(Preset.load(preset))
        w = g.broadcast(g.w_avg[None])
        g.synthesize(w)
        started = time.perf_counter() - began
        rate = _per_second(lambda: g.synthesize(w).cpu())
    except PonticelloError as error:
        yield Check("generator", "broken", str(error))
        return
    finally:
        logging.getLogger("shared.image.generator").removeFilter(_warns)
    why = {
        "half": "the device supports it, and its average picture matches float32 to 45 dB",
        "full": "half is not faster here, or not accurate enough: see above",
    }
    chosen = f"auto is {g.precision}: {why[g.precision]}" if precision == "auto" else f"{precision} precision, as given"
    text = f"{g.device}, {g.backend} ({chosen}); {rate:.0f} pictures of {g.img_resolution} pixels a second, the first after {started:.1f} s"
    yield Check("generator", "ok" if rate >= SHOWN_PER_S else "note", text)
    yield from _faster(g.device.type, g.backend, torch.version.cuda is not None, rate)
    if g.device.type == "cuda":
        yield from _card_kernels()


def _warns(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _faster(kind: str, backend: str, for_cuda: bool, rate: float) -> Iterator[Check]:
    """What would be faster than this backend."""
    if kind != "cuda" and shutil.which("nvidia-smi"):
        why = "use --device cuda" if for_cuda else "this build of torch is for the CPU only; install one for CUDA"
        yield Check("faster", "note", f"this machine has an NVIDIA card: {why}")
    elif kind == "cpu" and rate < SHOWN_PER_S:
        yield Check(
            "faster",
            "note",
            "a smaller network, or a graphics card (CUDA, MPS); a render contains every picture anyway",
        )
    if backend.startswith("the plain path") and "unusual" in backend:
        yield Check("faster", "note", "a network with the usual filters: the fused path supports no others")
    elif backend.startswith("the plain path") and kind == "cuda":
        yield Check("faster", "note", "the fused path, once it works here; see the reason above")


def _card_kernels() -> Iterator[Check]:
    """The compiler of the CUDA kernel, and where its results are cached."""
    from shared.image.ops.cuda.kernel_cache import default_folder
    from shared.image.ops.cuda.nvrtc import KernelError, nvrtc

    try:
        version = ".".join(map(str, nvrtc().version))
        yield Check(
            "card",
            "ok",
            f"NVRTC {version} compiles the picture kernel, kept in {default_folder()}; no other compiler is needed",
        )
    except KernelError as error:
        yield Check("card", "note", f"the picture kernel cannot be compiled, the plain path is used: {error}")


def check_kernels() -> Iterator[Check]:
    """Where numba keeps the compiled kernels."""
    from shared.image.ops.fused_kernels import filter_tile

    folder = cast(Any, filter_tile).stats.cache_path
    if folder and os.access(folder, os.W_OK):
        yield Check("kernels", "ok", f"compiled once, cached in {folder}")
    elif folder:
        yield Check("kernels", "ok", f"read from {folder}, which is not writable")
    else:
        text = "no writable cache, so they are compiled at every start: set NUMBA_CACHE_DIR to a writable folder"
        yield Check("kernels", "note", text)


def _per_second(picture: Callable[[], object]) -> float:
    """Pictures per second, one after the other."""
    picture()
    count, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < MEASURED_S or count < 3:
        picture()
        count += 1
    return count / passed


def _cpu_flags() -> set[str]:
    """Features of the processor, on systems that list them (Linux)."""
    listed = Path("/proc/cpuinfo")
    if not listed.exists():
        return set()
    lines = listed.read_text("utf-8", errors="replace").splitlines()
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split(":")[1].split()}
