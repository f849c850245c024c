"""The generator's speed beside the textbook's (`benchmarks/textbook.py`), in one process and in turns."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks import roofline
from benchmarks.networks import CONTRAST, FULL, NETWORKS, ONE_AT_A_TIME, SEVERAL_AT_ONCE, Network
from benchmarks.textbook import Textbook, memory_by_default
from shared.child import module_command, module_environment
from shared.image.device import pick_precision
from shared.image.fast import FastSynthesis
from shared.image.generator import Generator, psnr_db
from shared.image.geometry import layers
from shared.image.ops.fused_filtered_lrelu import FusedFilteredLReLU
from shared.image.ops.modulated_conv import ModulatedConv
from shared.image.ops.paired_conv import PairedConv
from shared.image.stylegan3 import with_defaults
from shared.image.threads import side_by_side

CPU = torch.device("cpu")
TEXTBOOK = "textbook"
QUICK_TURNS, TURNS = 2, 3
PICTURES = 3  # the agreement is the median over these
WANTED_DB = {"full": 84.0, "half": 45.0}


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and print for each network and path: milliseconds per picture, ratio to the textbook, PSNR, shares of the time.

    Milliseconds are wall time on all cores, or CPU time of one thread: median, minimum and maximum. On a machine that is
    busy with other work, the ratios of CPU time are more reliable.
    """
    ceilings = {} if quick else roofline.ceilings()
    if ceilings:
        print("a core: " + ", ".join(f"{name} {figure:.0f}" for name, figure in ceilings.items()))
    rows = [
        _row(network, QUICK_TURNS if quick else TURNS, ceilings) for network in NETWORKS if network.quick or not quick
    ]
    met = all(row["met"] for row in rows)
    if quick:
        names = {ONE_AT_A_TIME: "one", SEVERAL_AT_ONCE: "several", FULL: "float32"}
        print(
            "ratios to the textbook: "
            + "; ".join(
                f"{row['network']} "
                + ", ".join(
                    f"{names[path]} {row['paths'][path]['ratio']:.1f} ({target:g})" for path, target in row["targets"]
                )
                for row in rows
            )
        )
    print(f"targets in brackets: {'met' if met else 'missed'}; auto precision here is {pick_precision('auto', 'cpu')}")
    return {"threads": torch.get_num_threads(), "ceilings": ceilings, "networks": rows, "met": met}


def _row(network: Network, turns: int, ceilings: dict[str, float]) -> dict[str, Any]:
    full, half, textbook, w = _generators(network)
    assert half.fast is not None
    turns = 1 if network.once else turns
    paths: dict[str, Callable[[], Tensor]] = {
        TEXTBOOK: lambda: _by_the_book(textbook, w, network),
        "plain": lambda: full.plain(w),
        FULL: lambda: full.synthesize_float(w),
        ONE_AT_A_TIME: lambda: half.synthesize_float(w),
        SEVERAL_AT_ONCE: lambda: [y for _, y in side_by_side(half.synthesize_float, [w] * several)][-1],
    }
    several = 2 if network.once else 8
    if 5 * largest_map_bytes(network) > _free_bytes():
        print(f"{network.name}: not enough free memory for the textbook; no ratios")
        del paths[TEXTBOOK]
        judge = FULL
    else:
        judge = TEXTBOOK
    wall: dict[str, list[float]] = {name: [] for name in paths}
    cpu: dict[str, list[float]] = {name: [] for name in paths}
    began = time.perf_counter()
    wanted = paths[judge]()
    if network.once:  # takes minutes: a first call's overhead does not matter
        wall[judge].append((time.perf_counter() - began) * 1e3)
    agreement = {judge: psnr_db(wanted, wanted)}
    agreement |= {name: psnr_db(picture(), wanted) for name, picture in paths.items() if name != judge}
    if network.targets and not network.once:
        agreement |= {ONE_AT_A_TIME: _typical_psnr(full, half, network)}
        agreement[SEVERAL_AT_ONCE] = agreement[ONE_AT_A_TIME]
    threads = torch.get_num_threads()
    for turn in range(turns):
        for name, picture in paths.items():
            if network.once and name == judge:
                continue
            count = several if name == SEVERAL_AT_ONCE else 1
            if name == "plain" and not network.once:
                picture()  # takes back the memory that the textbook returned to the system
            began = time.perf_counter()
            picture()
            wall[name].append((time.perf_counter() - began) * 1e3 / count)
        torch.set_num_threads(1)
        for name, picture in paths.items():
            if name != SEVERAL_AT_ONCE and not network.once and (turn == 0 or turns > QUICK_TURNS):
                began = time.thread_time()
                picture()
                cpu[name].append((time.thread_time() - began) * 1e3)
        torch.set_num_threads(threads)
    figures = {}
    for name in paths:
        ratio = (
            median(a / b for a, b in zip(wall[judge], wall[name], strict=True)) if judge == TEXTBOOK else float("nan")
        )
        row: dict[str, Any] = {"wall_ms": _spread(wall[name]), "ratio": ratio, "psnr_db": agreement[name]}
        if cpu[name]:
            row["cpu_ms"] = _spread(cpu[name])
            row["cpu_ratio"] = median(a / b for a, b in zip(cpu[judge], cpu[name], strict=True))
        figures[name] = row
    result = {
        "network": network.name,
        "paths": figures,
        "targets": network.targets,
        "shares": _shares(half.fast, w, turns),
        "peak_mb": None if turns == QUICK_TURNS else _peak_mb(network),
        "layers": roofline.layers(network.architecture, half.fast, w, ceilings) if ceilings else [],
    }
    result["met"] = all(
        figures[path]["ratio"] >= target and figures[path]["psnr_db"] >= WANTED_DB[path.partition(",")[0]]
        for path, target in network.targets
    )
    _print(result)
    return result


def _generators(network: Network) -> tuple[Generator, Generator, Textbook, Tensor]:
    """The generator in float32 and in half precision, the textbook's, and one w (1, num_ws, w_dim)."""
    arrays = network.arrays()
    full, half = (Generator(network.architecture, arrays, CPU, precision) for precision in ("full", "half"))
    stored = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return full, half, Textbook(full, with_defaults(network.architecture, stored, CPU)), full.map(network.z())


def _by_the_book(textbook: Textbook, w: Tensor, network: Network) -> Tensor:
    with memory_by_default(largest_map_bytes(network)):
        return textbook(w)


def largest_map_bytes(network: Network) -> int:
    """Approximate size of the largest layer's map at its higher rate, in float32; the textbook needs five of them."""
    return 4 * max(
        layer.target.channels * (2 * layer.target.size + 60) ** 2 for layer in layers(network.architecture)[:-1]
    )


def _free_bytes() -> int:
    """Memory available without swapping; unlimited where the system does not report it."""
    listed = Path("/proc/meminfo")
    if not listed.exists():
        return 2**62
    return next(
        int(line.split()[1]) * 1024 for line in listed.read_text("utf-8").splitlines() if "MemAvailable" in line
    )


def _spread(times: list[float]) -> dict[str, float]:
    return {"median": median(times), "min": min(times), "max": max(times)}


def _typical_psnr(full: Generator, half: Generator, network: Network) -> float:
    """The median over several pictures, each scaled to a natural contrast, in which networks of random weights differ much."""
    figures = []
    for w in full.map(network.z(PICTURES)):
        wanted = full.plain(w[None])
        contrast = CONTRAST / wanted.std()
        figures.append(psnr_db(half.synthesize_float(w[None]) * contrast, wanted * contrast))
    return median(figures)


def _shares(synthesis: FastSynthesis, w: Tensor, turns: int) -> dict[str, float]:
    """Shares of convolutions, filters and the rest in a picture's CPU time, on one thread."""
    spent = {"convolution": 0.0, "filtering": 0.0}

    def timed(name: str, work: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def measured(*arguments: Any) -> Tensor:
            began = time.thread_time()
            result = work(*arguments)
            spent[name] += time.thread_time() - began
            return result

        return measured

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with (
        patch.object(ModulatedConv, "convolve", timed("convolution", ModulatedConv.convolve)),
        patch.object(PairedConv, "convolve", timed("convolution", PairedConv.convolve)),
        patch.object(FusedFilteredLReLU, "__call__", timed("filtering", FusedFilteredLReLU.__call__)),
    ):
        began = time.thread_time()
        for _ in range(turns):
            synthesis(w)
        whole = time.thread_time() - began
    torch.set_num_threads(threads)
    shares = {name: seconds / whole for name, seconds in spent.items()}
    return shares | {"rest": 1 - sum(shares.values())}


def _peak_mb(network: Network) -> float:
    """Peak memory of a separate process that makes one picture in half precision, libraries included."""
    module = f"{__package__}.generator"  # not __name__, which is __main__ in a program
    done = subprocess.run(
        module_command(module, network.name), env=module_environment(), capture_output=True, text=True, check=True
    )
    return float(json.loads(done.stdout)["peak_mb"])


def _print(row: dict[str, Any]) -> None:
    shares = ", ".join(f"{name} {share:.0%}" for name, share in row["shares"].items())
    memory = f"; peak {row['peak_mb']:.0f} MB" if row["peak_mb"] else ""
    print(f"{row['network']}: {shares}{memory}")
    for kind in ("convolution", "filter") if row["layers"] else ():
        each = ", ".join(f"{100 * layer[f'{kind}_share']:.0f}" for layer in row["layers"])
        print(f"  {kind}s, % of a core's peak in each layer: {each}")
    for name, figure in row["paths"].items():
        times = figure["wall_ms"]
        one = (
            f", CPU of one thread {figure['cpu_ms']['median']:.1f} ({figure['cpu_ratio']:.1f} times)"
            if "cpu_ms" in figure
            else ""
        )
        target = dict(row["targets"]).get(name)
        print(
            f"  {name:22} {times['median']:8.1f} ms ({times['min']:.1f}-{times['max']:.1f}), {figure['ratio']:5.1f} times"
            f"{f' (target {target:g})' if target else ''}{one}, {figure['psnr_db']:.0f} dB"
        )


def _alone(name: str) -> None:
    """Make one picture and print the peak memory."""
    network = next(each for each in NETWORKS if each.name == name)
    _, half, _, w = _generators(network)
    half.synthesize(w)
    print(json.dumps({"peak_mb": _most_memory_kb() / 1024}))


def _most_memory_kb() -> int:
    """Peak memory of this process. On Linux, getrusage would also count the parent's memory at the start."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    _alone(sys.argv[1])
