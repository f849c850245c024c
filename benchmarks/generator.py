"""The generator's speed beside the textbook's (`benchmarks/textbook.py`), in one process and in turns."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks import roofline, wide
from benchmarks.memory import peak_mb
from benchmarks.networks import CONTRAST, FULL, NETWORKS, ONE_AT_A_TIME, SEVERAL_AT_ONCE, Network
from benchmarks.textbook import Textbook, memory_by_default
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
        _measure(network, QUICK_TURNS if quick else TURNS, ceilings)
        for network in NETWORKS
        if network.quick or not quick
    ]
    shapes = wide.run(quick)
    met = shapes["met"] and all(row["met"] for row in rows)
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
    return {"threads": torch.get_num_threads(), "ceilings": ceilings, "networks": rows, "shapes": shapes, "met": met}


def _measure(network: Network, turns: int, ceilings: dict[str, float]) -> dict[str, Any]:
    """All figures of one network."""
    full, half, textbook, w = _generators(network)
    assert half.fast is not None
    comparison = _Comparison(network, full, half, textbook, w)
    comparison.compare()
    comparison.time(1 if network.once else turns, in_one_thread=not network.once, every_turn=turns > QUICK_TURNS)
    figures = comparison.figures()
    result = {
        "network": network.name,
        "paths": figures,
        "targets": network.targets,
        "shares": _shares(half.fast, w, 1 if network.once else turns),
        "peak_mb": None if turns == QUICK_TURNS else peak_mb(network.name),
        "layers": roofline.layers(network.architecture, half.fast, w, ceilings) if ceilings else [],
    }
    result["met"] = all(
        figures[path]["ratio"] >= target and figures[path]["psnr_db"] >= WANTED_DB[path.partition(",")[0]]
        for path, target in network.targets
    )
    _print(result)
    return result


class _Comparison:
    """The paths by which a network draws an image, beside the judge: the textbook, or float32 if memory is short."""

    def __init__(self, network: Network, full: Generator, half: Generator, textbook: Textbook, w: Tensor) -> None:
        self._network, self._full, self._half = network, full, half
        self._at_once = 2 if network.once else 8
        self.paths: dict[str, Callable[[], Tensor]] = {
            TEXTBOOK: lambda: _by_the_book(textbook, w, network),
            "plain": lambda: full.plain(w),
            FULL: lambda: full.synthesize_float(w),
            ONE_AT_A_TIME: lambda: half.synthesize_float(w),
            SEVERAL_AT_ONCE: lambda: [y for _, y in side_by_side(half.synthesize_float, [w] * self._at_once)][-1],
        }
        self._judge = TEXTBOOK
        if 5 * largest_map_bytes(network) > _free_bytes():
            print(f"{network.name}: not enough free memory for the textbook; no ratios")
            del self.paths[TEXTBOOK]
            self._judge = FULL
        self._wall: dict[str, list[float]] = {name: [] for name in self.paths}
        self._cpu: dict[str, list[float]] = {name: [] for name in self.paths}
        self._psnr_db: dict[str, float] = {}

    def compare(self) -> None:
        """Draw an image by every path: its PSNR against the judge's."""
        began = time.perf_counter()
        wanted = self.paths[self._judge]()
        if self._network.once:  # takes minutes: a first call's overhead does not matter
            self._wall[self._judge].append((time.perf_counter() - began) * 1e3)
        self._psnr_db = {
            name: psnr_db(wanted if name == self._judge else picture(), wanted) for name, picture in self.paths.items()
        }
        if self._network.targets and not self._network.once:
            typical = _typical_psnr(self._full, self._half, self._network)
            self._psnr_db |= {ONE_AT_A_TIME: typical, SEVERAL_AT_ONCE: typical}

    def time(self, turns: int, *, in_one_thread: bool, every_turn: bool) -> None:
        """Time every path once a turn: wall time on all cores, and CPU time in one thread (in the first turn, or in all)."""
        threads = torch.get_num_threads()
        for turn in range(turns):
            for name in self.paths:
                self._time_wall(name)
            if in_one_thread and (turn == 0 or every_turn):
                torch.set_num_threads(1)
                for name in self.paths:
                    self._time_cpu(name)
                torch.set_num_threads(threads)

    def figures(self) -> dict[str, dict[str, Any]]:
        """Of each path: wall_ms and cpu_ms (median, min, max), their ratios to the textbook, psnr_db."""
        figures = {}
        for name in self.paths:
            has_ratio = self._judge == TEXTBOOK
            figure: dict[str, Any] = {
                "wall_ms": _spread(self._wall[name]),
                "ratio": _ratio(self._wall[self._judge], self._wall[name]) if has_ratio else float("nan"),
                "psnr_db": self._psnr_db[name],
            }
            if self._cpu[name]:
                figure |= {
                    "cpu_ms": _spread(self._cpu[name]),
                    "cpu_ratio": _ratio(self._cpu[self._judge], self._cpu[name]),
                }
            figures[name] = figure
        return figures

    def _time_wall(self, name: str) -> None:
        if self._network.once and name == self._judge:
            return  # timed already
        picture = self.paths[name]
        if name == "plain" and not self._network.once:
            picture()  # takes back the memory that the textbook returned to the system
        began = time.perf_counter()
        picture()
        count = self._at_once if name == SEVERAL_AT_ONCE else 1
        self._wall[name].append((time.perf_counter() - began) * 1e3 / count)

    def _time_cpu(self, name: str) -> None:
        if name != SEVERAL_AT_ONCE:
            began = time.thread_time()
            self.paths[name]()
            self._cpu[name].append((time.thread_time() - began) * 1e3)


def _ratio(slow: list[float], fast: list[float]) -> float:
    return median(a / b for a, b in zip(slow, fast, strict=True))


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
    """Memory available without swapping; infinite if the system does not report it."""
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
