"""StyleGAN3's synthesis exactly as the paper states it, without regard to speed: the baseline of the generator's benchmark.

Upsampling inserts zeros and filters all of them; downsampling filters at the full rate and discards samples; every picture
has its own modulated weights; channels first, float32. It lives here because Ponticello itself never uses it.
"""

import ctypes
import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import conv2d, leaky_relu, pad

from shared.image import memory
from shared.image.generator import Generator
from shared.image.geometry import Layer, layers
from shared.image.stylegan3 import Weights

EPSILON = 1e-8
Map = Float32[Tensor, "n channels h w"]
Next = Float32[Tensor, "n channels2 h2 w2"]


@contextmanager
def memory_by_default(largest_bytes: int) -> Iterator[None]:
    """Let the C library manage memory as it does by default when the largest map has `largest_bytes`.

    By default it keeps twice the size of the largest block freed so far, ignoring blocks above LARGEST_BYTES (mallopt(3)). The
    published code runs like that; keeping all freed memory is an optimisation of ours.
    """
    if not memory.keep_memory():
        yield
        return
    set_option = ctypes.CDLL(None).mallopt
    set_option(memory.M_TRIM_THRESHOLD, 2 * min(largest_bytes, memory.LARGEST_BYTES))
    try:
        yield
    finally:
        set_option(memory.M_TRIM_THRESHOLD, memory.KEPT_BYTES)


class Textbook:
    """Pictures of a float32 generator, computed from its weights by the paper's formulas."""

    def __init__(self, generator: Generator, weights: Weights) -> None:
        self._plain = generator.plain
        self._output_scale = generator.config.output_scale
        self._clamp = generator.config.conv_clamp
        self._layers = layers(generator.config)
        names = ("weight", "bias", "magnitude_ema", "up_filter", "down_filter")
        self._weights = [{name: weights(f"synthesis.{layer.name}.{name}") for name in names} for layer in self._layers]

    @torch.no_grad()
    def __call__(self, ws: Float32[Tensor, "n num_ws w_dim"]) -> Map:
        """The pictures, nominally -1 to 1."""
        first, *rest = ws.unbind(1)
        x = self._plain.features(self._plain.affine(first), self._plain.transform).contiguous()
        for layer, stored, plain, w in zip(self._layers, self._weights, self._plain.layers, rest, strict=True):
            x = modulated(x, stored["weight"], plain.affine(w), float(stored["magnitude_ema"]), not layer.is_torgb)
            x = x + stored["bias"][None, :, None, None]
            x = filtered(x, layer, stored["up_filter"], stored["down_filter"], self._clamp)
        return x * self._output_scale


def modulated(
    x: Map, weight: Float32[Tensor, "o c k k"], style: Float32[Tensor, "n c"], magnitude_ema: float, demodulate: bool
) -> Next:
    """Modulate the weights for each picture and convolve the batch in one grouped convolution."""
    n, (outputs, inputs, k, _) = len(x), weight.shape
    if demodulate:
        weight = weight * weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
        style = style * style.square().mean().rsqrt()
    else:
        style = style / math.sqrt(inputs * k * k)
    own = weight[None] * style[:, None, :, None, None]
    if demodulate:
        own = own * (own.square().sum(dim=(2, 3, 4), keepdim=True) + EPSILON).rsqrt()
    own = (own / math.sqrt(magnitude_ema)).reshape(n * outputs, inputs, k, k)
    y = conv2d(x.reshape(1, n * inputs, *x.shape[2:]), own, padding=k - 1, groups=n)
    return y.reshape(n, outputs, *y.shape[2:])


def filtered(x: Map, layer: Layer, up_filter: Tensor, down_filter: Tensor, clamp: float | None) -> Next:
    """Insert zeros, pad, filter, leaky ReLU, clamp, filter, keep every `down`-th sample."""
    if layer.up > 1:
        n, channels, height, width = x.shape
        stuffed = x.new_zeros(n, channels, height, layer.up, width, layer.up)
        stuffed[:, :, :, 0, :, 0] = x
        x = stuffed.reshape(n, channels, height * layer.up, width * layer.up)
    low, high = layer.padding
    if low or high:
        x = pad(x, (low, high, low, high))
    x = smoothed(x, up_filter * layer.up) if layer.up_taps > 1 else x
    x = x if layer.is_torgb else leaky_relu(x, 0.2) * math.sqrt(2)
    if clamp is not None:
        x = x.clamp(-clamp, clamp)
    x = smoothed(x, down_filter) if layer.down_taps > 1 else x
    return x[:, :, :: layer.down, :: layer.down].contiguous()


def smoothed(x: Map, taps: Float32[Tensor, "a"] | Float32[Tensor, "a a"]) -> Next:
    """Filter every channel with the same taps: along x, then y, or in two dimensions."""
    channels = x.shape[1]
    for kernel in (taps[None, :], taps[:, None]) if taps.ndim == 1 else (taps,):
        x = conv2d(x, kernel.flip(0, 1).repeat(channels, 1, 1, 1), groups=channels)
    return x
