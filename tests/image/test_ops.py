"""Each operator against a slow program that follows the formula literally, in float64."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d

from shared.image.geometry import Signal
from shared.image.ops.filtered_lrelu import FilteredLReLU
from shared.image.ops.filters import separable_lowpass
from shared.image.ops.fourier_features import FourierFeatures
from shared.image.ops.fully_connected import FullyConnected
from shared.image.ops.modulated_conv import ModulatedConv
from shared.image.ops.paired_conv import PairedConv
from shared.image.ops.styles import Styles
from shared.image.stylegan3 import unit_mean_square

pytestmark = pytest.mark.slow


def tensor(array):
    return torch.from_numpy(np.asarray(array, np.float32))


def literal_filtered_lrelu(z, up_filter, down_filter, *, up, down, padding, gain, slope, clamp):
    """z (h, w): insert zeros, pad or crop, filter, bend, clamp, filter, drop."""
    raised = np.zeros((z.shape[0] * up, z.shape[1] * up))
    raised[::up, ::up] = z
    low, high = padding
    raised = np.pad(raised, (max(low, 0), max(high, 0)))
    raised = raised[max(-low, 0) : len(raised) - max(-high, 0), max(-low, 0) : raised.shape[1] - max(-high, 0)]

    def along_both(x, taps):
        rows = np.stack([np.convolve(row, taps, "valid") for row in x])
        return np.stack([np.convolve(column, taps, "valid") for column in rows.T]).T

    u = along_both(raised, up_filter * up) * gain
    v = np.where(u < 0, u * slope, u)
    if clamp is not None:
        v = np.clip(v, -clamp, clamp)
    separable = down_filter.ndim == 1
    y = along_both(v, down_filter) if separable else correlate2d(v, down_filter[::-1, ::-1], "valid")
    return y[::down, ::down]


@st.composite
def resampling_cases(draw):
    up, down = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    taps_up, taps_down = draw(st.integers(1, 13)), draw(st.integers(1, 9))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    low, high = draw(st.integers(-9, 14)), draw(st.integers(-9, 14))
    shortest = min(height, width) * up
    assume(min(low, high) >= up - shortest)  # cropping leaves something of the picture
    assume(shortest + low + high - (taps_up - 1) >= taps_down)
    assume(shortest + min(low, 0) + min(high, 0) >= up)
    return {
        "up": up,
        "down": down,
        "taps": (taps_up, taps_down),
        "shape": (draw(st.integers(1, 2)), draw(st.integers(1, 3)), height, width),
        "padding": (low, high),
        "radial": draw(st.booleans()),
        "clamp": draw(st.sampled_from([None, 0.5, 3.0])),
        "slope": draw(st.sampled_from([0.2, 1.0])),
        "seed": draw(st.integers(0, 99)),
        "channels_last": draw(st.booleans()),
    }


@settings(max_examples=150, deadline=None)
@given(resampling_cases())
def test_filtered_lrelu(case):
    rng = np.random.default_rng(case["seed"])
    n, channels, *_ = case["shape"]
    x, bias, scale = rng.normal(size=case["shape"]), rng.normal(size=channels), rng.normal(size=(n, channels))
    taps_up, taps_down = case["taps"]
    up_filter = rng.normal(size=taps_up) if taps_up > 1 else np.ones(1)
    down_filter = (
        rng.normal(size=(taps_down, taps_down) if case["radial"] else taps_down) if taps_down > 1 else np.ones(1)
    )
    arguments = {key: case[key] for key in ("up", "down", "padding", "slope", "clamp")} | {"gain": np.sqrt(2)}
    operator = FilteredLReLU.prepare(tensor(bias), tensor(up_filter), tensor(down_filter), **arguments)
    layout = torch.channels_last if case["channels_last"] else torch.contiguous_format
    given_x = tensor(x).contiguous(memory_format=layout)
    kept = given_x.clone()
    y = operator(given_x, tensor(scale)).numpy()
    assert torch.equal(given_x, kept)
    z = scale[:, :, None, None] * x + bias[:, None, None]
    wanted = [[literal_filtered_lrelu(map_, up_filter, down_filter, **arguments) for map_ in sample] for sample in z]
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=2e-5 * max(1, np.abs(wanted).max()))


def test_filtered_lrelu_in_half_precision_stays_finite():
    """The largest input that a clamped layer of 256 channels can make, at a gain of 4, which trained layers have."""
    up_filter, down_filter = separable_lowpass(12, 8.0, 6.0, 64), separable_lowpass(12, 8.0, 6.0, 64)
    arguments = {"up": 2, "down": 2, "padding": (9, 8), "gain": 2**0.5, "slope": 0.2, "clamp": 256.0}
    half, full = (
        FilteredLReLU.prepare(torch.zeros(2), tensor(up_filter), tensor(down_filter), **arguments, dtype=dtype)
        for dtype in (torch.float16, torch.float32)
    )
    x = torch.full((1, 2, 14, 14), 256 * 16 * 3.0)
    x[:, 1] *= -1
    scale = torch.full((1, 2), 4.0)
    assert torch.finfo(torch.float16).max < 256 * 16 * 3 * 4 * 2**0.5  # or nothing would be at stake
    y = half(x.half(), scale)
    assert y.dtype == torch.float16
    assert y.isfinite().all()
    torch.testing.assert_close(y.float(), full(x, scale), rtol=5e-3, atol=0.5)


def test_filtered_lrelu_in_half_precision_without_a_second_filter():
    arguments = {"up": 2, "down": 1, "padding": (9, 8), "gain": 2**0.5, "slope": 0.2, "clamp": 256.0}
    up_filter, x = tensor(separable_lowpass(12, 8.0, 6.0, 64)), torch.randn(1, 2, 9, 9)
    half, full = (
        FilteredLReLU.prepare(torch.ones(2), up_filter, torch.ones(1), **arguments, dtype=dtype)(
            x.to(dtype), torch.ones(1, 2)
        )
        for dtype in (torch.float16, torch.float32)
    )
    torch.testing.assert_close(half.float(), full, rtol=5e-3, atol=5e-3)


def literal_modulated_conv(x, weight, style, magnitude_ema, demodulate):
    """One sample (c, h, w), style (c,): weights of its own, demodulated with the epsilon, full cross-correlation."""
    k = weight.shape[2]
    if demodulate:
        weight = weight / np.sqrt(np.mean(weight**2, axis=(1, 2, 3), keepdims=True))
        style = style / np.sqrt(np.mean(style**2))
        own = weight * style[None, :, None, None]
        own = own / np.sqrt(np.sum(own**2, axis=(1, 2, 3), keepdims=True) + 1e-8)
    else:
        own = weight * style[None, :, None, None] / np.sqrt(weight[0].size)
    own = own / np.sqrt(magnitude_ema)
    padded = np.pad(x, ((0, 0), (k - 1, k - 1), (k - 1, k - 1)))
    return np.stack([sum(correlate2d(padded[c], row[c], "valid") for c in range(len(x))) for row in own])


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("style_scale", [1e-3, 1.0, 1e3])
def test_modulated_conv(kernel, demodulate, style_scale):
    rng = np.random.default_rng(kernel)
    weight, x = rng.normal(size=(5, 4, kernel, kernel)) * 3, rng.normal(size=(2, 4, 6, 7))
    style = rng.normal(size=(2, 4)) * style_scale
    operator = ModulatedConv.prepare(tensor(weight), 0.3, demodulate=demodulate, dtype=torch.float32)
    y, factors = operator(tensor(x), tensor(style))
    y = (y * factors[:, :, None, None]).numpy()
    wanted = [literal_modulated_conv(x[i], weight, style[i], 0.3, demodulate) for i in range(2)]
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=3e-6 * np.abs(wanted).max())


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 8),
    st.integers(1, 30),
    st.integers(1, 15),
    st.sampled_from([torch.float32, torch.bfloat16]),
)
def test_two_columns_at_a_time(inputs, outputs, height, pairs, dtype):
    """The paired convolution against the one that it replaces."""
    rng = np.random.default_rng(inputs + 100 * outputs)
    weight = torch.from_numpy(rng.normal(size=(outputs, inputs, 3, 3)).astype(np.float32))
    plain = ModulatedConv.prepare(weight, 1.0, demodulate=True, dtype=dtype, memory_format=torch.channels_last)
    x = torch.from_numpy(rng.normal(size=(1, inputs, height, 2 * pairs)).astype(np.float32))
    x = x.contiguous(memory_format=torch.channels_last)
    y, wanted = PairedConv.prepare(plain).convolve(x), plain.convolve(x)
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(
        y, wanted, rtol=2**-6 if dtype == torch.bfloat16 else 1e-5, atol=2**-7 if dtype == torch.bfloat16 else 1e-5
    )


def test_the_epsilon_of_demodulation():
    """If the style makes an output nearly zero, the epsilon matters."""
    weight = np.zeros((1, 2, 3, 3))
    weight[0, 0] = 1.0
    style, x = np.array([1e-5, 1.0]), np.ones((2, 3, 3))
    wanted = literal_modulated_conv(x, weight, style, 1.0, True)
    operator = ModulatedConv.prepare(tensor(weight), 1.0, demodulate=True, dtype=torch.float32)
    y, factors = operator(tensor(x)[None], tensor(style)[None])
    np.testing.assert_allclose((y * factors[:, :, None, None])[0].numpy(), wanted, rtol=1e-4)
    assert wanted.max() < 2  # without it: 3, the sum of a full window of unit weights


@pytest.mark.parametrize("widths", [(4, 7, 3), (5, 3), (1, 1, 9, 2, 1), (64, 64, 48, 11, 3)])
def test_all_styles_at_once(widths):
    """The same factors as layer by layer, whatever the widths, in the same bits with any number of threads."""
    rng = np.random.default_rng(4)
    layers = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        kernel = 3 if i % 2 else 1
        affine = FullyConnected.prepare(tensor(rng.normal(size=(inputs, 32))), tensor(rng.normal(size=inputs)))
        weight = tensor(rng.normal(size=(outputs, inputs, kernel, kernel)))
        last = i == len(widths) - 2
        layers.append((affine, ModulatedConv.prepare(weight, 0.3 + i, demodulate=not last, dtype=torch.float32)))
    styles, w = Styles.prepare(layers), tensor(rng.normal(size=(len(layers), 32)))
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append([factor for pair in styles(w) for factor in pair])
    torch.set_num_threads(before)
    wanted = [
        factor for (affine, conv), row in zip(layers, w, strict=True) for factor in conv.modulation(affine(row[None]))
    ]
    for one, two, three, expected in zip(*results, wanted, strict=True):
        torch.testing.assert_close(one, expected, rtol=1e-5, atol=1e-6)
        assert torch.equal(one, two)
        assert torch.equal(one, three)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_modulated_conv_in_half_precision_stays_finite(dtype):
    """All inputs at the clamp, with the signs of the weights: the largest possible result."""
    operator = ModulatedConv.prepare(torch.ones(2, 512, 3, 3), 1.0, demodulate=True, dtype=dtype)
    x = torch.full((1, 512, 4, 4), 256.0)
    y, factors = operator(x, torch.full((1, 512), 40.0))
    assert y.dtype == dtype
    assert y.isfinite().all()
    assert float((y.float() * factors[:, :, None, None]).max()) == pytest.approx(256 * np.sqrt(512) * 3, rel=1e-2)


def literal_fourier_features(motion, transform, weight, frequencies, phases, signal):
    c, s, a, b = motion / np.hypot(motion[0], motion[1])
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    shift = np.array([[1, 0, -a], [0, 1, -b], [0, 0, 1]])
    matrix = turn @ shift @ transform
    waves = np.zeros((signal.channels, signal.size, signal.size))
    for channel in range(signal.channels):
        phase = phases[channel] + frequencies[channel] @ matrix[:2, 2]
        wave = frequencies[channel] @ matrix[:2, :2]
        excess = (np.hypot(*wave) - signal.cutoff) / (signal.sampling_rate / 2 - signal.cutoff)
        amplitude = np.clip(1 - excess, 0, 1)
        for i in range(signal.size):
            for j in range(signal.size):
                x, y = ((place + 0.5 - signal.size / 2) / signal.sampling_rate for place in (j, i))
                waves[channel, i, j] = amplitude * np.sin(2 * np.pi * (wave @ [x, y] + phase))
    return np.einsum("oc,cij->oij", weight / np.sqrt(signal.channels), waves)


@pytest.mark.parametrize("zoom", [0.5, 1.0, 3.0])
def test_fourier_features(zoom):
    """A zoom of 3 takes some waves beyond the band, where they fade, and some beyond Nyquist, where they are gone."""
    rng = np.random.default_rng(0)
    signal = Signal(channels=6, size=13, sampling_rate=8, cutoff=2.0, half_width=1.0)
    frequencies, phases, weight = rng.normal(size=(6, 2)), rng.uniform(size=6), rng.normal(size=(6, 6))
    transform = np.array([[zoom, 0.2, 0.3], [-0.1, zoom, -0.2], [0, 0, 1]])
    motions = rng.normal(size=(2, 4))
    operator = FourierFeatures.prepare(tensor(weight), tensor(frequencies), tensor(phases), signal)
    given_maps = operator(tensor(motions), tensor(transform)).numpy()
    wanted = [literal_fourier_features(m, transform, weight, frequencies, phases, signal) for m in motions]
    np.testing.assert_allclose(given_maps, wanted, atol=2e-5)


def test_one_transform_for_each_of_a_batch():
    signal = Signal(channels=2, size=5, sampling_rate=4, cutoff=1.0, half_width=1.0)
    operator = FourierFeatures.prepare(torch.eye(2), torch.ones(2, 2) / 2, torch.zeros(2), signal)
    motion, transforms = torch.tensor([[1.0, 0, 0, 0]] * 2), torch.eye(3).repeat(2, 1, 1)
    transforms[1, 0, 2] = 0.25
    both = operator(motion, transforms)
    for i in range(2):
        torch.testing.assert_close(both[i : i + 1], operator(motion[:1], transforms[i]))
    assert not torch.allclose(both[0], both[1])


@pytest.mark.parametrize("leaky", [True, False])
def test_fully_connected(leaky):
    rng = np.random.default_rng(1)
    weight, bias, x = rng.normal(size=(4, 9)) * 100, rng.normal(size=4), rng.normal(size=(3, 9))
    y = x @ (weight * 0.01 / 3).T + bias * 0.01
    wanted = np.where(y < 0, 0.2 * y, y) * np.sqrt(2) if leaky else y
    operator = FullyConnected.prepare(tensor(weight), tensor(bias), lr_multiplier=0.01, leaky=leaky)
    np.testing.assert_allclose(operator(tensor(x)).numpy(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1e-4, 1.0, 1e6])
def test_normalisation_has_an_epsilon(scale):
    x = np.random.default_rng(2).normal(size=(2, 8)) * scale
    wanted = x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(unit_mean_square(tensor(x)).numpy(), wanted, rtol=1e-5)
