"""The peak performance of a CPU core, and the share of it that each layer of a network reaches."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn.functional import conv2d

from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.fast import FastSynthesis
from shared.image.ops.vectors import LANES, add, broadcast, fma, prefer_wide_vectors, store

ROUNDS = 5
CHAINS, STEPS = 8, 400_000
PRODUCTS_A_SAMPLE = 10
"""Per sample at the higher rate, with symmetric taps folded: 1.5 along x and 3 along y to upsample, 1 to activate, 3 and 1.5 to
downsample."""


@njit(nogil=True)
def _multiply_and_add(steps, out):  # type: ignore[no-untyped-def]
    """Eight independent chains, so that none waits for its own result."""
    prefer_wide_vectors()
    k = broadcast(np.float32(0.999))
    a = b = c = d = e = f = g = h = k
    for _ in range(steps):
        a, b, c, d = fma(k, a, k), fma(k, b, k), fma(k, c, k), fma(k, d, k)
        e, f, g, h = fma(k, e, k), fma(k, f, k), fma(k, g, k), fma(k, h, k)
    store(out, np.uintp(0), add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h))))


def ceilings() -> dict[str, float]:
    """The peak of one core, best of a few rounds: GMAC/s in float32 and bfloat16, GB/s of memory read and written."""
    out = np.empty(LANES, np.float32)
    source, target = np.ones(2**25, np.float32), np.ones(2**25, np.float32)
    x = torch.ones(1, 256, 96, 96, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(256, 256, 3, 3, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    figures = {
        "float32_gmac_s": CHAINS * STEPS * LANES / _best(lambda: _multiply_and_add(STEPS, out)) / 1e9,
        "bfloat16_gmac_s": weight.numel() * 96 * 96 / _best(lambda: conv2d(x, weight, padding=1)) / 1e9,
        "memory_gb_s": 2 * source.nbytes / _best(lambda: np.copyto(target, source)) / 1e9,
    }
    torch.set_num_threads(threads)
    return figures


def layers(
    architecture: Architecture, synthesis: FastSynthesis, w: Tensor, ceilings: dict[str, float]
) -> list[dict[str, Any]]:
    """Each layer on one core: GMAC/s of the convolution, ns of the filters per sample at the higher rate, and both as shares
    of the core's peak in bfloat16 and in float32.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = []
    with torch.no_grad():
        modulations = synthesis.styles(w[0, 1:])
        x = synthesis.features(synthesis.affine(w[:, 0]), synthesis.transform)
        x = (x * modulations[0][0][:, :, None, None]).contiguous(memory_format=synthesis.memory_format)
        for i, (layer, described) in enumerate(zip(synthesis.layers, geometry.layers(architecture), strict=False)):
            y = layer.convolution.convolve(x)
            convolved = _best(lambda: layer.convolution.convolve(x))  # noqa: B023  # called at once
            factors = modulations[i][1], modulations[i + 1][0]
            filtered = _best(lambda: layer.nonlinearity(y, *factors))  # noqa: B023
            x = layer.nonlinearity(y, *factors)
            macs = described.source.channels * described.kernel**2 * y.numel()
            rows.append(
                {
                    "layer": f"{i}: {x.shape[1]} x {x.shape[2]}",
                    "convolution_ms": convolved * 1e3,
                    "convolution_gmac_s": macs / convolved / 1e9,
                    "convolution_share": macs / convolved / 1e9 / ceilings["bfloat16_gmac_s"],
                    "filter_ms": filtered * 1e3,
                    "filter_ns_a_sample": filtered * 1e9 / (4 * x.numel()),
                    "filter_share": PRODUCTS_A_SAMPLE * 4 * x.numel() / filtered / 1e9 / ceilings["float32_gmac_s"],
                }
            )
    torch.set_num_threads(threads)
    return rows


def _best(work: Callable[[], object]) -> float:
    """Seconds of thread time, the minimum of several rounds."""
    work()
    times = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return min(times)
