"""The steps of `benchmarks.gpu`, each run as: python -m benchmarks.gpu_steps STEP FILE.jsonl DEVICE"""

import gc
import json
import logging
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import gpu_kernels
from benchmarks.gpu import WRONG
from benchmarks.gpu_step import Step, stored_arrays, w_of
from shared.image.download import Download, in_flight
from shared.image.fast import FastLayer, FastSynthesis
from shared.image.generator import Generator, psnr_db
from shared.image.graphs import Graphs
from shared.image.ops.cuda.convolution import CudnnConv
from shared.image.self_check import LIMITS, layer_errors

WIDE = 16 / 9
LEAST_DB = {"full": 84.0, "half": 45.0}
ROOT = Path(__file__).parents[1]
Prepared = tuple[str, Callable[[str], Generator], np.ndarray]
"""A name, what prepares the generator in a precision, and latents."""
SOUND = ROOT / "presets" / "glass" / "sounds" / "glass.flac"


def environment(step: Step) -> None:
    """The card, the software, and the ceilings: float16 and float32 products, memory."""
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.platform(),
    }
    if step.device.type == "cuda":
        card = torch.cuda.get_device_properties(step.device)
        facts |= {
            "card": card.name,
            "capability": f"{card.major}.{card.minor}",
            "memory_gb": card.total_memory / 2**30,
            "multiprocessors": card.multi_processor_count,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        }
    step.add(**facts)
    size = 256 if step.rehearses else 8192
    for dtype in (torch.float32,) if step.rehearses else (torch.float16, torch.float32):
        a = torch.ones(size, size, dtype=dtype, device=step.device)
        times = step.milliseconds(partial(torch.mm, a, a))
        step.add(ceiling=f"{dtype} products", tmac_s=size**3 / times["least"] / 1e9)
    source = torch.ones(2**20 if step.rehearses else 2**28, dtype=torch.uint8, device=step.device)
    times = step.milliseconds(partial(torch.empty_like(source).copy_, source))
    step.add(ceiling="memory read and written", gb_s=2 * source.numel() / times["least"] / 1e6)


def operators(step: Step) -> None:
    """Every operator of every layer beside the plain one in float32."""
    for network in reversed(step.networks):
        for precision in ("full", "half"):
            g = Generator(network.architecture, stored_arrays(network), step.device, precision)
            if g.fast is None:
                step.add(network=network.name, precision=precision, backend=g.backend)
                continue
            limit = LIMITS[precision] * (5 if step.rehearses else 1)  # bfloat16 is coarser than float16
            for errors in layer_errors(g.fast, g.plain, g.config, g.weights, w_of(g, network), g.plain.transform):
                right = errors.convolution <= limit and errors.filters <= limit
                step.judge(
                    right,
                    network=network.name,
                    precision=precision,
                    layer=errors.name,
                    convolution=errors.convolution,
                    filters=errors.filters,
                )


def pictures(step: Step) -> None:
    """Whole pictures, square and wide, of each precision beside the plain path in float32, if that fits into memory."""
    from shared.image.canvas import covering_shape

    for network in reversed(step.networks):
        judge = step.generator(network, "full")
        w = judge.map(network.z())
        for name, size in (("square", None), ("16:9", covering_shape(judge.config, WIDE))):
            try:
                expected, source = judge.judge(w, shape=size).cpu(), "plain path"
            except torch.cuda.OutOfMemoryError:
                expected, source = judge.synthesize_float(w, shape=size).cpu(), "fused path in float32"
            for precision in ("full", "half"):
                g = step.generator(network, precision)
                agreement = psnr_db(g.synthesize_float(w, shape=size), expected)
                again = torch.equal(g.synthesize(w, shape=size), g.synthesize(w, shape=size))
                step.judge(
                    agreement >= LEAST_DB[precision] and again,
                    network=network.name,
                    shape=name,
                    precision=precision,
                    backend=g.backend,
                    beside=source,
                    db=agreement,
                    repeats=again,
                )
                del g
                gc.collect()


def speed(step: Step) -> None:
    """Milliseconds per picture: plain and fused, operator by operator and as a graph, and cuDNN free to choose."""
    from shared.image.generator import load_generator

    made: list[Prepared] = [(network.name, partial(step.generator, network), network.z()) for network in step.networks]
    glass = ROOT / "presets" / "glass" / "generator.safetensors"
    made.append(("glass", lambda precision: load_generator(glass, step.device.type, precision), step.networks[0].z()))
    for name, prepare, z in made:
        for precision in ("half", "full"):
            g = prepare(precision)
            w = g.map(z)
            for label, work in _ways(step, g, w):
                try:
                    step.add(network=name, precision=precision, way=label, **step.milliseconds(work))
                except (RuntimeError, MemoryError) as error:
                    step.add(network=name, precision=precision, way=label, error=str(error).splitlines()[0][:200])
            del g
            gc.collect()


def _ways(step: Step, g: Generator, w: Tensor) -> Iterator[tuple[str, Callable[[], object]]]:
    from shared.image.canvas import covering_shape

    on_device = w.to(step.device)
    with torch.cuda.device(step.device) if step.device.type == "cuda" else torch.no_grad():
        yield f"as shipped: {g.backend}", partial(g.synthesize, w)
        yield "as shipped, 16:9", partial(g.synthesize, w, None, covering_shape(g.config, WIDE))
        if g.fast is not None:
            yield "fused, operator by operator", partial(g.fast.picture, None, on_device, g.plain.transform)
            if step.device.type == "cuda":
                free = _with_benchmark(g.fast)
                work = Graphs(step.device)
                yield (
                    "fused, graph, cuDNN free to choose",
                    partial(work, "free", partial(free.picture, None), w, g.plain.transform),
                )
        yield "plain, operator by operator", partial(g.plain, on_device)
        if step.device.type == "cuda":
            plain = Graphs(step.device)
            yield "plain, graph", partial(plain, "plain", g.plain, w)


def _with_benchmark(fast: FastSynthesis) -> FastSynthesis:
    """The same network, its convolutions by whichever algorithm cuDNN finds fastest."""

    class Free(CudnnConv):
        def convolve(self, scaled: Tensor) -> Tensor:
            border = self.weight.shape[2] - 1
            x = scaled.to(self.weight.dtype)
            return torch.cudnn_convolution(
                x,
                self.weight,
                (border, border),
                (1, 1),
                (1, 1),
                1,
                benchmark=True,
                deterministic=False,
                allow_tf32=self.tf32,
            )

    def free(convolution: Any) -> Any:
        return Free(convolution.weight, convolution.tf32)

    layers = tuple(FastLayer(free(layer.convolution), layer.nonlinearity) for layer in fast.layers)
    return replace(fast, layers=layers, torgb=free(fast.torgb))


def copies(step: Step) -> None:
    """The copy to the host alone, and pictures one by one and with two in flight."""
    for side in (256, 512, 1024):
        image = torch.zeros(side, side, 3, dtype=torch.uint8, device=step.device)
        step.add(side=side, **step.milliseconds(partial(_download, image)))
    network = step.networks[0]
    g = step.generator(network, "half")
    w, count = g.map(network.z()), 4 if step.rehearses else 60
    for label, make in (
        ("one by one", lambda: [Download(g.synthesize(w)).result() for _ in range(count)]),
        ("two in flight", lambda: list(in_flight(lambda _: Download(g.synthesize(w)), range(count)))),
    ):
        make()
        began = time.perf_counter()
        make()
        step.add(network=network.name, pictures=label, a_second=count / (time.perf_counter() - began))


def _download(image: Tensor) -> np.ndarray:
    return Download(image).result()


def render(step: Step) -> None:
    """The same render twice must give the same hash."""
    hashes = []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(2):
            end = ["--end", "0.5"] if step.rehearses else []
            target = str(Path(folder, f"{i}.mp4"))
            arguments = [
                "render",
                "glass",
                str(SOUND),
                "-o",
                target,
                "--frames-hash",
                "--device",
                step.device.type,
                *end,
            ]
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "ponticello.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"render: {done.stderr.strip().splitlines()[-1]}")
            hashes.append(done.stdout.split()[-1])
            step.add(render=i, seconds=time.perf_counter() - began, hash=hashes[-1])
    step.judge(hashes[0] == hashes[1], renders="equal hashes" if hashes[0] == hashes[1] else "different hashes")


def live(step: Step) -> None:
    """A show without a window: pictures a second, what is dropped, latency."""
    seconds = 4 if step.rehearses else 25
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder, "stats.json")
        arguments = [
            "live",
            "glass",
            "--input",
            str(SOUND),
            "--loop",
            "--offscreen",
            "--osc-port",
            "0",
            "--osc-to",
            "127.0.0.1:9",
        ]
        arguments += ["--seconds", str(seconds), "--stats", str(stats), "--device", step.device.type]
        done = subprocess.run(
            [sys.executable, "ponticello.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if not stats.exists():
            raise RuntimeError(f"live: {done.stderr.strip().splitlines()[-1:]}")
        numbers = json.loads(stats.read_text("utf-8"))
    step.add(
        a_second=numbers["pictures"] / numbers["seconds"],
        dropped=numbers["dropped"],
        latency_ms=numbers["latency_ms"]["p50"],
        generator_ms=numbers["generator_ms"]["p50"],
        copy_ms=numbers["stages_ms"]["copy"]["p50"],
        errors=numbers["errors"],
    )


def window(step: Step) -> None:
    """OpenGL on the card's EGL: upload and draw a picture without a window system."""
    import moderngl

    context = moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]
    image = np.zeros((1024, 1024, 3), np.uint8)
    texture = context.texture((1024, 1024), 3)

    def upload() -> None:
        texture.write(image)
        context.finish()

    step.add(renderer=context.info["GL_RENDERER"], upload=1024, **step.milliseconds(upload))


def tests(step: Step) -> None:
    """The tests that need a card; warnings are shown, not errors."""
    command = [sys.executable, "-m", "pytest", "-W", "default", "-p", "no:cacheprovider", "tests/image/test_cuda.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    lines = done.stdout.strip().splitlines()
    step.add(tests=lines[-1] if lines else f"status {done.returncode}")
    if done.returncode not in (0, 5):
        raise RuntimeError(lines[-1] if lines else done.stderr[-300:])


@contextmanager
def _shown_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


STEPS = {
    each.__name__: each
    for each in (
        environment, operators, pictures, speed, copies, render, live, gpu_kernels.layers, gpu_kernels.profile, gpu_kernels.blocks, window, tests,
    )
}  # fmt: skip


def main(name: str, file: Path, device: str) -> int:
    """Run a step; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    step = Step(file, device)
    with torch.no_grad(), _shown_warnings():
        STEPS[name](step)
    return 0 if step.is_right else WRONG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
