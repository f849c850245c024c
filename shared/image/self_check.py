"""Proof on this machine that the fused path is right: each of its operators beside the plain one, in bounded memory.

Cards, drivers and compilers differ, so a generator on a card proves itself when it is prepared. The plain path for a whole
picture needs several times the memory of the fused one; layer by layer and some channels at a time it needs little.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import conv2d

from shared.image import geometry
from shared.image.architecture import Architecture
from shared.image.fast import FastSynthesis, to_image
from shared.image.ops.filtered_lrelu import FilteredLReLU
from shared.image.ops.fully_connected import SLOPE
from shared.image.stylegan3 import SynthesisNetwork, Weights

LIMITS = {"full": 2e-4, "half": 4e-3}
"""Largest error of an operator, relative to the largest value of its result."""
GRAPH_LEVELS = 2
"""Largest difference between a replayed picture and the same operators one by one, of 255."""
GROUP_SAMPLES = 2**26  # upsampled samples that the plain operator holds at once: 256 MB
CORNER = 48  # rows and columns of a map on which the convolutions are compared


@dataclass(frozen=True)
class LayerErrors:
    """The errors of a layer's operators, relative to the largest value; NaN where NaNs do not agree."""

    name: str
    convolution: float
    filters: float


def disagreement(
    fast: FastSynthesis,
    plain: SynthesisNetwork,
    architecture: Architecture,
    weights: Weights,
    ws: Float32[Tensor, "1 num_ws w_dim"],
    transform: Float32[Tensor, "3 3"],
    precision: str,
) -> str:
    """What is wrong with the fused path for one picture, in words; empty if nothing is."""
    for errors in layer_errors(fast, plain, architecture, weights, ws, transform):
        for operator, error in (("convolution", errors.convolution), ("filters", errors.filters)):
            if not error <= LIMITS[precision]:
                return f"the {operator} of {errors.name}: {error:.1e} from the plain one, at most {LIMITS[precision]:.0e} is allowed"
    expected = to_image(fast.picture(None, ws, transform)).to(torch.int16)
    levels = int((fast.image(ws, transform).to(torch.int16) - expected).abs().max())
    return f"the replayed picture: {levels} of 255 from the recorded one" if levels > GRAPH_LEVELS else ""


def layer_errors(
    fast: FastSynthesis,
    plain: SynthesisNetwork,
    architecture: Architecture,
    weights: Weights,
    ws: Float32[Tensor, "1 num_ws w_dim"],
    transform: Float32[Tensor, "3 3"],
) -> list[LayerErrors]:
    """Each layer's operators against the plain ones in float32, on the fused path's own inputs."""
    layers = geometry.layers(architecture)
    modulations = fast.modulations(ws)
    found: list[LayerErrors] = []

    def observe(i: int, x: Tensor, convolved: Tensor, y: Tensor) -> None:
        factors = modulations[i][1], modulations[i + 1][0]
        weight = plain.layers[i].convolution.weight
        convolution = _convolution_error(x, convolved, weight)
        found.append(
            LayerErrors(
                layers[i].name, convolution, _filter_error(architecture, layers[i], weights, convolved, y, factors)
            )
        )

    fast.picture(None, ws, transform, observe)
    return found


def _convolution_error(x: Tensor, convolved: Tensor, weight: Tensor) -> float:
    """On the corner of the map, borders included."""
    outputs, inputs, kernel, _ = weight.shape
    corner = x[:, :inputs, :CORNER, :CORNER].float().contiguous()
    expected = conv2d(corner, weight.float().contiguous(), padding=kernel - 1)
    rows, columns = corner.shape[2:]
    return _error(convolved[:, :outputs, :rows, :columns].float(), expected[:, :, :rows, :columns])


def _filter_error(
    architecture: Architecture,
    layer: geometry.Layer,
    weights: Weights,
    x: Tensor,
    y: Tensor,
    factors: tuple[Tensor, Tensor],
) -> float:
    """On the whole map."""
    bias, up_filter, down_filter = (
        weights(f"synthesis.{layer.name}.{name}") for name in ("bias", "up_filter", "down_filter")
    )
    difference = largest = 0.0
    for group in _groups(len(bias), x.shape[2] * x.shape[3] * layer.up**2):
        operator = FilteredLReLU.prepare(
            bias[group],
            up_filter,
            down_filter,
            up=layer.up,
            down=layer.down,
            padding=layer.padding,
            gain=2**0.5,
            slope=SLOPE,
            clamp=architecture.conv_clamp,
        )
        expected = operator(x[:, group].float(), factors[0][:, group]) * factors[1][:, group, None, None]
        difference = max(difference, float((y[:, group].float() - expected).abs().max().nan_to_num(torch.inf)))
        largest = max(largest, float(expected.abs().max()))
    return difference / max(largest, 1e-30)


def _groups(channels: int, samples: int) -> Iterator[slice]:
    step = max(1, GROUP_SAMPLES // max(samples, 1))
    return (slice(start, min(start + step, channels)) for start in range(0, channels, step))


def _error(y: Tensor, expected: Tensor) -> float:
    return float((y - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
