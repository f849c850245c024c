import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies

from shared.audio import loudness, mfcc, pitch, spectral_shape, spectrum
from shared.audio.descriptors import BATCH, DESCRIPTORS, TABLE, Analyzer, warm_up
from shared.audio.framing import Framer
from shared.audio.loudness import Loudness
from tests.audio.signals import HARD, noise, sine
from tests.contract import check_stage

pytestmark = pytest.mark.slow

KERNELS = [
    spectrum.taper,
    spectrum.measure,
    spectral_shape.spectral_shape,
    mfcc.mfcc,
    pitch.deepest_dip,
    loudness.frame_loudness,
]


@pytest.mark.parametrize("name", HARD)
def test_contract(name):
    rows = check_stage(Analyzer, HARD[name](30_000))
    assert rows.shape == (30_000 // 512, 23)
    assert rows.dtype == np.float64


@pytest.mark.parametrize("name", ["noise", "sound, then silence"])
def test_contract_of_loudness(name):
    check_stage(Loudness, Framer().process(HARD[name](30_000)))


def test_more_frames_than_a_batch_in_one_block():
    x = noise(512 * (2 * BATCH + 5))
    analyzer = Analyzer()
    rows = np.concatenate([analyzer.process(block) for block in x.reshape(-1, 512)])
    assert Analyzer().process(x).tobytes() == rows.tobytes()


@settings(max_examples=25)
@given(strategies.lists(strategies.integers(0, 4000), min_size=1, max_size=8), strategies.integers(0, 2**32))
def test_any_cutting(sizes, seed):
    x = noise(sum(sizes), seed)
    analyzer = Analyzer()
    rows = np.concatenate([analyzer.process(part) for part in np.split(x, np.cumsum(sizes)[:-1])])
    assert rows.tobytes() == Analyzer().process(x).tobytes()


def test_a_row_of_a_batch_has_the_bits_of_that_row_alone():
    rows = np.random.default_rng(0).standard_normal((37, 1024))
    power = rows[:, :513] ** 2
    assert np.fft.rfft(rows).tobytes() == b"".join(np.fft.rfft(row[None]).tobytes() for row in rows)
    together = np.fft.irfft(power, 1024, norm="forward")
    assert together.tobytes() == b"".join(np.fft.irfft(row[None], 1024, norm="forward").tobytes() for row in power)


def test_latency_is_as_declared():
    """A click may appear in the first frame whose centre is within a window of it: count samples until rows arrive."""
    analyzer = Analyzer()
    came_at = []
    for n, sample in enumerate(noise(4096), 1):
        came_at += [n] * len(analyzer.process(np.array([sample])))
    waits = [n - 512 * k for k, n in enumerate(came_at)]
    assert max(waits) == analyzer.latency == 512


def test_finite_for_the_loudest_float32():
    loudest = np.where(noise(9000) > 0, np.finfo(np.float32).max, np.finfo(np.float32).min).astype(np.float32)
    assert np.isfinite(Analyzer().process(loudest)).all()


def test_silence():
    row = Analyzer().process(np.zeros(2048, np.float32))[-1]
    expected = [
        5017.236328125,
        2884.2975704066712,
        0,
        1.7999550224887546,
        9491.826575237772,
        *[0] * 17,
        -157.22659774527023,
    ]
    assert row == pytest.approx(expected, abs=1e-9)


def test_loudness_stays_at_the_floor_after_a_sound():
    """The ringing filter must not end in subnormal numbers, which are slow, nor ring forever."""
    analyzer = Analyzer()
    analyzer.process(sine(100, 44100))
    rows = analyzer.process(np.zeros(10 * 44100, np.float32))
    assert rows[-1, 22] == pytest.approx(-157.22659774527023, abs=1e-9)
    assert not analyzer.state()["filter"].any()


@pytest.mark.parametrize("hz", [196.0, 440.0, 1234.5, 5000.0])
def test_pitch_of_a_sine(hz):
    row = Analyzer().process(sine(hz, 4096))[-1]
    assert row[DESCRIPTORS.index("pitch")] == pytest.approx(hz, rel=0.03)  # the taper pulls long periods
    assert row[DESCRIPTORS.index("confidence")] > 0.7


def test_magnitude_of_a_full_scale_sine():
    frames = Framer().process(sine(100 * 44100 / 1024, 4096, gain=1))
    power, magnitude = spectrum.power_and_magnitude(frames)
    assert magnitude[-1, 100] == pytest.approx(256)
    assert power[-1, 100] == pytest.approx(256**2)
    assert magnitude.shape[1] == 233


def test_k_weighting_is_the_published_filter():
    """The products at 44.1 kHz as FluCoMa computes them."""
    numerator = [1.5308412300503478, -5.712662455255425, 8.001880300281394, -4.989138154997904, 1.169079079921587]
    denominator = [1, -3.6528247868858164, 5.011086762528284, -3.0631592490055355, 0.704898710356287]
    assert np.convolve(loudness.TAPS, [1, -2, 1]) == pytest.approx(numerator, rel=1e-12)
    assert list(loudness.A) == pytest.approx(denominator, rel=1e-12)


def test_loudness_of_the_reference_tone():
    """ITU-R BS.1770-4: a full-scale sine of 997 Hz in one channel reads -3.01 LKFS."""
    assert Analyzer().process(sine(997, 44100, gain=1))[-1, 22] == pytest.approx(-3.01, abs=0.1)


def test_names():
    shape = ["centroid", "spread", "skewness", "kurtosis", "rolloff", "flatness", "crest"]
    assert list(DESCRIPTORS) == [*shape, *(f"mfcc{i}" for i in range(1, 14)), "pitch", "confidence", "loudness"]
    assert all(row.meaning for row in TABLE)


def test_nothing_is_left_to_compile_while_playing():
    warm_up()
    for kernel in KERNELS:
        assert len(kernel.signatures) == 1
        (arguments,) = kernel.signatures
        with pytest.raises(TypeError, match="No matching definition"):
            kernel(*([np.zeros((2, 2), np.int8)] * len(arguments)))


def test_memory_stays_flat():
    analyzer = Analyzer()
    block = noise(1000)
    for _ in range(50):
        analyzer.process(block)
    tracemalloc.start()
    for _ in range(500):
        analyzer.process(block)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000


def test_sound_analysis_needs_neither_torch_nor_librosa():
    code = "import sys, shared.audio.descriptors, shared.audio.files; print(*{'torch', 'librosa'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
