"""Bands, sizes and paddings of a generator's layers, from its architecture alone (Karras et al. 2021, sections 3, 3.2, C).

All of it is float64 arithmetic on the numbers of `Architecture`, without weights and without torch.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from shared.errors import ModelError
from shared.image.architecture import Architecture


@dataclass(frozen=True)
class Signal:
    """The signal between two layers: a map of `channels` channels with `size` samples per side, and its band.

    Rates and frequencies are in cycles per picture width.
    """

    channels: int
    size: int
    sampling_rate: int
    cutoff: float
    half_width: float
    """Half the transition band of the filters that make this signal."""


@dataclass(frozen=True)
class Layer:
    """One synthesis layer: a modulated convolution, then a leaky ReLU at a higher rate between two filters."""

    name: str
    source: Signal
    target: Signal
    is_torgb: bool
    kernel: int
    up: int
    down: int
    up_taps: int
    """1: no filter."""
    down_taps: int
    radial: bool
    """The down filter is a kernel of down_taps x down_taps that is not separable."""
    padding: tuple[int, int]
    """Samples before and after, at the higher rate, the same along x and y; negative values crop."""
    allows_half: bool
    """The design allows half precision in this layer: not at the lowest rates, which need more range than float16 has."""
    design_allows_half: bool
    """The design allows half precision in some layer."""

    @property
    def rate(self) -> int:
        """Sampling rate of the nonlinearity."""
        return self.source.sampling_rate * self.up


@lru_cache(maxsize=32)
def signals(architecture: Architecture) -> tuple[Signal, ...]:
    """The signals that layers 0..N write; layer 0 reads one of the same kind from the Fourier features."""
    a = architecture
    last_cutoff = a.img_resolution / 2
    last_stopband = last_cutoff * a.last_stopband_rel
    table = []
    for i in range(a.num_layers + 1):
        exponent = min(i / (a.num_layers - a.num_critical), 1)
        cutoff = a.first_cutoff * (last_cutoff / a.first_cutoff) ** exponent
        stopband = a.first_stopband * (last_stopband / a.first_stopband) ** exponent
        rate = 2 ** math.ceil(math.log2(min(2 * stopband, a.img_resolution)))
        half_width = max(stopband, rate / 2) - cutoff
        is_cropped = i >= a.num_layers - 1
        channels = a.img_channels if i == a.num_layers else round(min(a.channel_base / 2 / cutoff, a.channel_max))
        if channels < 1:
            raise ModelError(
                f"layer {i} would have no channels; channel_base {a.channel_base:g} is too small for {a.img_resolution} pixels"
            )
        table.append(
            Signal(channels, a.img_resolution if is_cropped else rate + 2 * a.margin_size, rate, cutoff, half_width)
        )
    return tuple(table)


@lru_cache(maxsize=32)
def layers(architecture: Architecture) -> tuple[Layer, ...]:
    """Layers 0..N in order; N is ToRGB."""
    written = signals(architecture)
    return tuple(_layer(architecture, i, written[max(i - 1, 0)], target) for i, target in enumerate(written))


def _layer(a: Architecture, i: int, source: Signal, target: Signal) -> Layer:
    is_torgb = i == a.num_layers
    is_critical = i >= a.num_layers - a.num_critical
    kernel = 1 if is_torgb else a.conv_kernel
    rate = max(source.sampling_rate, target.sampling_rate) * (1 if is_torgb else a.lrelu_upsampling)
    up, down = rate // source.sampling_rate, rate // target.sampling_rate
    up_taps = 1 if up == 1 or is_torgb else a.filter_size * up
    down_taps = 1 if down == 1 or is_torgb else a.filter_size * down
    total = (target.size - 1) * down + 1 - (source.size + kernel - 1) * up + up_taps + down_taps - 2
    low = (total + up) // 2
    return Layer(
        name=f"L{i}_{target.size}_{target.channels}",
        source=source,
        target=target,
        is_torgb=is_torgb,
        kernel=kernel,
        up=up,
        down=down,
        up_taps=up_taps,
        down_taps=down_taps,
        radial=a.use_radial_filters and not is_critical and down_taps > 1,
        padding=(low, total - low),
        allows_half=target.sampling_rate * 2**a.num_fp16_res > a.img_resolution,
        design_allows_half=a.num_fp16_res > 0,
    )


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a weights file."""

    name: str
    shape: tuple[int, ...]
    required: bool = True
    """False: derived from the architecture if the file lacks it."""
    precise: bool = False
    """Kept in float32 in a half-precision file: few numbers, and much depends on them."""


@lru_cache(maxsize=32)
def tensors(architecture: Architecture) -> dict[str, StoredTensor]:
    """The state dict under the published names."""
    a = architecture
    first = signals(a)[0].channels
    mapping_inputs = [a.z_dim + (a.w_dim if a.c_dim else 0)] + [a.w_dim] * (a.mapping_kwargs.num_layers - 1)
    table = [
        *(tensor for j, width in enumerate(mapping_inputs) for tensor in _affine(f"mapping.fc{j}", a.w_dim, width)),
        *(_affine("mapping.embed", a.w_dim, a.c_dim) if a.c_dim else ()),
        StoredTensor("mapping.w_avg", (a.w_dim,)),
        StoredTensor("synthesis.input.weight", (first, first)),
        *_affine("synthesis.input.affine", 4, a.w_dim),
        StoredTensor("synthesis.input.transform", (3, 3), required=False, precise=True),
        StoredTensor("synthesis.input.freqs", (first, 2), precise=True),
        StoredTensor("synthesis.input.phases", (first,), precise=True),
    ]
    for layer in layers(a):
        prefix = f"synthesis.{layer.name}"
        table += [
            StoredTensor(
                f"{prefix}.weight", (layer.target.channels, layer.source.channels, layer.kernel, layer.kernel)
            ),
            StoredTensor(f"{prefix}.bias", (layer.target.channels,)),
            *_affine(f"{prefix}.affine", layer.source.channels, a.w_dim),
            StoredTensor(f"{prefix}.magnitude_ema", (), precise=True),
        ]
        if layer.up_taps > 1:
            table.append(StoredTensor(f"{prefix}.up_filter", (layer.up_taps,), required=False, precise=True))
        if layer.down_taps > 1:
            shape = (layer.down_taps,) * (2 if layer.radial else 1)
            table.append(StoredTensor(f"{prefix}.down_filter", shape, required=False, precise=True))
    return {tensor.name: tensor for tensor in table}


def _affine(name: str, rows: int, columns: int) -> tuple[StoredTensor, StoredTensor]:
    return StoredTensor(f"{name}.weight", (rows, columns)), StoredTensor(f"{name}.bias", (rows,))
