"""Steps of `benchmarks.gpu` about single kernels: each layer beside the roofline, a profile, block shapes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor

from benchmarks.gpu_step import Step, w_of
from shared.image import geometry
from shared.image.ops.cuda.filtered_lrelu import CudaFilteredLReLU
from shared.image.ops.cuda.plan import DOWN, SHAPES, block_width, kind, shape

PRODUCTS = {2: 48, 4: 42}
"""Multiplications and additions per sample of y, by up, without the second filter's, which are 24 per term."""


def layers(step: Step) -> None:
    """Each layer's convolution and filters in ms, beside what the roofline says of the filters."""
    for network in step.networks:
        g = step.generator(network, "half")
        fast = g.fast
        if fast is None:
            continue
        totals = {"convolutions_ms": 0.0, "filters_ms": 0.0}
        modulations = fast.modulations(w_of(g, network))
        described = geometry.layers(g.config)

        def observe(i: int, x: Tensor, convolved: Tensor, y: Tensor) -> None:
            layer, factors = fast.layers[i], (modulations[i][1], modulations[i + 1][0])  # noqa: B023
            convolution = step.milliseconds(partial(layer.convolution.convolve, x))["least"]
            filters = step.milliseconds(partial(layer.nonlinearity, convolved, *factors))["least"]
            totals["convolutions_ms"] += convolution  # noqa: B023
            totals["filters_ms"] += filters  # noqa: B023
            macs = described[i].source.channels * described[i].kernel ** 2 * convolved.numel()  # noqa: B023
            terms = getattr(getattr(layer.nonlinearity, "filters", None), "terms", 1)
            sums = y.numel() * (PRODUCTS[described[i].up] + 24 * terms)  # noqa: B023
            moved = convolved.numel() * convolved.element_size() + y.numel() * y.element_size()
            step.add(
                network=network.name,  # noqa: B023
                layer=described[i].name,  # noqa: B023
                convolution_ms=convolution,
                tmac_s=macs / convolution / 1e9,
                filters_ms=filters,
                gsum_s=sums / filters / 1e6,
                gb_s=moved / filters / 1e6,
                **_roofline(step, sums, moved),
            )

        fast.picture(None, w_of(g, network), g.plain.transform, observe)
        whole = step.milliseconds(partial(g.synthesize, g.map(network.z())))["ms"]
        step.add(network=network.name, **totals, picture_ms=whole, rest_ms=whole - sum(totals.values()))


def _roofline(step: Step, sums: int, moved: int) -> dict[str, float]:
    """The least time of the filters: 128 sums per clock and multiprocessor, and memory at the rate of `environment`."""
    if step.device.type != "cuda":
        return {}
    card = torch.cuda.get_device_properties(step.device)
    clock = getattr(card, "clock_rate", 0) * 1e3  # Hz
    return {"sums_ms": sums / (128 * card.multi_processor_count * clock) * 1e3} if clock else {}


def profile(step: Step) -> None:
    """The kernels that take most of a picture, operator by operator."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if step.device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    for network in step.networks[:2]:
        g = step.generator(network, "half")
        inputs = w_of(g, network), g.plain.transform
        make = partial(g.fast.picture, None, *inputs) if g.fast else partial(g.plain, *inputs)
        make()
        with torch.profiler.profile(activities=activities) as profiler:
            make()
            step.wait()
        attribute = "self_device_time_total" if step.device.type == "cuda" else "self_cpu_time_total"
        rows = sorted(profiler.key_averages(), key=lambda row: -getattr(row, attribute))
        for row in rows[:12]:
            step.add(network=network.name, kernel=row.key[:90], calls=row.count, ms=getattr(row, attribute) / 1e3)


def blocks(step: Step) -> None:
    """Block shapes of the kernel, by layer; the best of each kind, for `shared/image/ops/cuda/blocks.json`."""
    if step.device.type != "cuda":
        step.add(blocks="measured on a card only")
        return
    card = torch.cuda.get_device_properties(step.device)
    totals: dict[str, dict[str, float]] = {}
    for network in step.networks:
        g = step.generator(network, "half")
        fast = g.fast
        if fast is None:
            continue
        modulations = fast.modulations(w_of(g, network))

        def observe(i: int, x: Tensor, convolved: Tensor, y: Tensor) -> None:
            operator = cast(CudaFilteredLReLU, fast.layers[i].nonlinearity)  # noqa: B023
            factors = modulations[i][1], modulations[i + 1][0]  # noqa: B023
            for label, block in _block_shapes(operator):
                forced = replace(operator, forced=block, _launches={})
                try:
                    took = step.milliseconds(partial(forced, convolved, *factors))["least"]
                except Exception as error:  # a shape that the card or the compiler refuses
                    step.add(blocks=label, error=str(error)[:120])
                    continue
                name = kind(operator.filters.up, operator.filters.terms, convolved.dtype == torch.float16)
                of_kind = totals.setdefault(name, {})
                of_kind[label] = of_kind.get(label, 0.0) + took

        fast.picture(None, w_of(g, network), g.plain.transform, observe)
        for name, times in totals.items():
            best = min(times, key=lambda label: times[label])
            step.add(
                after=network.name,
                capability=f"{card.major}.{card.minor}",
                kind=name,
                best=json.loads(best),
                **{"ms": times[best]},
            )


def _block_shapes(operator: CudaFilteredLReLU) -> Iterator[tuple[str, dict[str, int]]]:
    filters = operator.filters
    for groups, channels in SHAPES[filters.up]:
        width = block_width(filters.up, filters.shift, groups)
        planned = shape(filters.up, filters.terms, groups, channels, width, filters.up // DOWN)
        for vector in (1, 2):
            for rows in {planned["ROWS"], max(1, planned["ROWS"] // 2)}:
                if 6 % rows or rows * filters.up % DOWN:
                    continue
                threads = groups * channels // vector
                if threads % 32 or threads > 512:
                    continue
                block = planned | {"VECTOR": vector, "ROWS": rows, "BLOCKS": max(1, 512 // threads)}
                yield json.dumps(block, sort_keys=True), block
