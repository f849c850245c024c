"""Initial weights: not random, but of a network whose first layers already compute the renderer's smooth fields.

The input's waves are the renderer's, a sine and a cosine of each. sin(a + phase) = sin a cos phase + cos a sin phase, so the
styles cos phase and sin phase shift a wave. The mapping network computes them in w, each as a piecewise linear function of
one direction of p; the units of its first layer set the bends.
"""

import math

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import leaky_relu

from offline.training.generator import GAIN, TrainableGenerator
from presets.making.fields import Fields
from shared.image.ops.fully_connected import SLOPE

SAMPLES = 6000
RIDGE = 1e-3
MAPPING_BATCH, MAPPING_RATE = 256, 0.01
PASSED_ON = 3
"""Number of layers that pass the fields on."""
WIDEST = 2.6
"""The bends lie within this number of deviations of a direction of p."""


def projection(seed: int, parameters: int, z_dim: int) -> Float32[Tensor, "parameters z_dim"]:
    """The matrix of p = projection z, for z of unit mean square. Its rows are orthonormal: p is normally distributed if z is."""
    generator = torch.Generator().manual_seed(seed)
    rows: Tensor = torch.linalg.qr(torch.randn(z_dim, parameters, generator=generator))[0].T.contiguous()
    return rows


@torch.no_grad()
def prepare(network: TrainableGenerator, fields: Fields, to_p: Float32[Tensor, "parameters z_dim"]) -> None:
    """Set the input, the mapping and the first layers as described above; other weights do not change."""
    architecture, layout = network.architecture, fields.layout
    z_dim, w_dim, waves = architecture.z_dim, architecture.w_dim, len(layout.waves)
    if architecture.mapping_kwargs.num_layers != 2 or network.layers[0].source.channels < 2 * waves:
        raise ValueError(f"the network needs 2 mapping layers and {2 * waves} channels at the input")
    _set_waves(network, fields)

    # first layer of the mapping: each direction of p that is used, bent at `knots` places
    directions = torch.cat([fields.motion, torch.eye(layout.parameters)[: layout.colours]])
    directions = directions / directions.norm(dim=1, keepdim=True)
    knots = w_dim // len(directions)
    places = torch.linspace(-WIDEST, WIDEST, knots)
    signs = torch.where(places < 0, -1.0, 1.0).repeat(len(directions))
    rows = directions.repeat_interleave(knots, 0) * signs[:, None]
    spare = w_dim - len(rows)
    rows = torch.cat([rows, torch.randn(spare, layout.parameters) / math.sqrt(layout.parameters)])
    bends = torch.cat([-places.repeat(len(directions)) * signs, torch.zeros(spare)])
    rate = network.lr_multiplier
    network.get("mapping.fc0.weight").copy_(rows @ to_p * (math.sqrt(z_dim) / rate))
    network.get("mapping.fc0.bias").copy_(bends / rate)

    # second layer: each target and its negative, so that no information is lost in the leaky ReLU; other units are free
    p = torch.randn(SAMPLES, layout.parameters)
    hidden = leaky_relu(p @ rows.T + bends, SLOPE) * GAIN
    hidden = torch.cat([hidden, torch.ones(SAMPLES, 1)], dim=1)
    targets = fields.steer(p)
    count = targets.shape[1]
    gram = hidden.T @ hidden / SAMPLES + RIDGE * torch.eye(w_dim + 1)
    solution = torch.linalg.solve(gram, hidden.T @ targets / SAMPLES).T
    weight, bias = network.get("mapping.fc1.weight"), network.get("mapping.fc1.bias")
    for sign, first in ((1, 0), (-1, count)):
        weight[first : first + count] = sign * solution[:, :-1] * (math.sqrt(w_dim) / rate)
        bias[first : first + count] = sign * solution[:, -1] / rate

    # styles that restore the targets: (leaky(t) - leaky(-t)) / (1.2 sqrt 2) = t
    for each_layer in network.layers:
        network.get(f"synthesis.{each_layer.name}.affine.weight").zero_()
    reading = torch.zeros(count, w_dim)
    each = torch.arange(count)
    reading[each, each] = math.sqrt(w_dim) / ((1 + SLOPE) * GAIN)
    reading[each, each + count] = -reading[each, each]
    prefix = f"synthesis.{network.layers[0].name}"
    network.get(f"{prefix}.affine.weight")[: 2 * waves] = reading[: 2 * waves]
    network.get(f"{prefix}.affine.bias")[: 2 * waves] = 0.0
    turned = network.get("synthesis.input.affine.weight")
    turned.zero_()
    turned[:2] = reading[2 * waves : 2 * waves + 2]
    network.get("synthesis.input.affine.bias").zero_()

    sums = torch.zeros(len(layout.names), network.layers[0].source.channels)
    for i, wave in enumerate(layout.waves):
        sums[layout.names.index(wave.field), [i, waves + i]] = wave.amplitude
    _set_rows(network, 0, sums)
    for layer in range(1, PASSED_ON):  # fields arrive as leaky(f) and leaky(-f), and leave likewise
        differences = torch.zeros(len(layout.names), network.layers[layer].source.channels)
        each = torch.arange(len(layout.names))
        differences[each, 2 * each], differences[each, 2 * each + 1] = 1.0, -1.0
        _set_rows(network, layer, differences)


def fit_mapping(
    network: TrainableGenerator, fields: Fields, to_p: Float32[Tensor, "parameters z_dim"], steps: int, seed: int
) -> float:
    """Train the mapping alone to put `Fields.steer` into w (Adam, rate falling to 0); return the final mean absolute error."""
    weights = [weight for name, weight in network.trained.items() if name.startswith("mapping/fc")]
    adam = torch.optim.Adam(weights, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(seed)
    error = math.inf
    for step in range(steps):
        adam.param_groups[0]["lr"] = MAPPING_RATE * (1 - step / steps)
        p = torch.randn(MAPPING_BATCH, fields.layout.parameters, generator=generator)
        w = network.map(p @ to_p, is_normal=True)
        d = held(w, fields) - fields.steer(p)
        adam.zero_grad()
        d.square().mean().backward()  # type: ignore[no-untyped-call]
        adam.step()
        error = float(d.detach().abs().mean())
    return error


def held(w: Float32[Tensor, "n w_dim"], fields: Fields) -> Float32[Tensor, "n steering"]:
    """The steering values (see `Fields.steer`) in w: (leaky(t) - leaky(-t)) / (1.2 sqrt 2) = t."""
    count = fields.layout.steering_size
    return (w[:, :count] - w[:, count : 2 * count]) / ((1 + SLOPE) * GAIN)


def _set_rows(network: TrainableGenerator, layer: int, rows: Float32[Tensor, "fields inputs"]) -> None:
    """Set the first outputs of a convolution: each row as a kernel of one pixel, followed by its negative."""
    kernel = network.get(f"synthesis.{network.layers[layer].name}.weight")
    kernel[: 2 * len(rows)] = 0.0
    middle = kernel.shape[2] // 2
    kernel[: 2 * len(rows) : 2, :, middle, middle] = rows
    kernel[1 : 2 * len(rows) : 2, :, middle, middle] = -rows
    kernel.mul_(kernel.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt())


def _set_waves(network: TrainableGenerator, fields: Fields) -> None:
    """Set the input's waves: sines of the renderer's waves, their cosines, and random ones for the other channels."""
    frequencies, phases = network.get("synthesis.input.freqs"), network.get("synthesis.input.phases")
    waves, channels = len(fields.layout.waves), len(phases)
    frequencies[: 2 * waves] = fields.frequencies.repeat(2, 1)
    phases[: 2 * waves] = torch.cat([torch.zeros(waves), torch.full((waves,), 0.25)])
    others = channels - 2 * waves
    angle, radius = torch.rand(others) * 2 * math.pi, torch.rand(others).sqrt() * network.architecture.first_cutoff
    frequencies[2 * waves :] = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    phases[2 * waves :] = torch.rand(others)
    network.get("synthesis.input.weight").copy_(torch.eye(channels) * math.sqrt(channels))
