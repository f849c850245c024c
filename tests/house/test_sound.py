"""The shipped sounds match their scores, and can be made again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from jaxtyping import Int

pytestmark = pytest.mark.slow

PRESET = Path(__file__).parents[2] / "presets" / "glass"
SECONDS = {"glass": 29.0, "strings": 15.0}
LARGEST_BYTES = {"glass": 2_500_000, "strings": 1_500_000}


def read(folder: Path, name: str) -> Int[np.ndarray, "samples"]:
    """The 16-bit samples of NAME.flac as they are, in an int type with room for differences."""
    samples, sample_rate = soundfile.read(folder / f"{name}.flac", dtype="int16")
    assert sample_rate == 44100
    assert samples.ndim == 1
    return np.asarray(samples, dtype=int)


def longest_silence(samples: Int[np.ndarray, "samples"]) -> int:
    """Length of the longest run of exact zeros."""
    edges = np.flatnonzero(np.concatenate([[1], samples, [1]]))
    return int(np.max(np.diff(edges))) - 1


@pytest.mark.parametrize("name", SECONDS)
def test_length_level_and_size(name: str) -> None:
    samples = read(PRESET / "sounds", name)
    assert soundfile.info(PRESET / "sounds" / f"{name}.flac").subtype == "PCM_16"
    assert len(samples) == round(SECONDS[name] * 44100)
    peak_dbfs = 20 * np.log10(np.max(np.abs(samples)) / 32768)
    assert peak_dbfs == pytest.approx(-1.0, abs=0.01)
    assert abs(np.mean(samples)) < 1.0  # no DC
    assert samples[-1] == 0
    assert (PRESET / "sounds" / f"{name}.flac").stat().st_size < LARGEST_BYTES[name]


def test_glass_is_silent_for_a_second_and_near_silent_elsewhere() -> None:
    samples = read(PRESET / "sounds", "glass")
    assert longest_silence(samples) >= 44100
    blocks = samples[: len(samples) // 4410 * 4410].reshape(-1, 4410)
    level_dbfs = 20 * np.log10(np.sqrt(np.mean((blocks / 32768) ** 2, axis=1)) + 1e-9)
    assert np.mean((level_dbfs > -75) & (level_dbfs < -45)) > 0.05
    assert np.max(level_dbfs) > -14


@pytest.mark.parametrize("name", SECONDS)
def test_silence_begins_and_ends_without_a_click(name: str) -> None:
    samples = read(PRESET / "sounds", name)
    sounding = np.flatnonzero(samples)
    pauses = np.flatnonzero(np.diff(sounding) > 2205)
    edges = np.concatenate([sounding[pauses], sounding[pauses + 1], sounding[[0, -1]]])
    assert len(pauses) == {"glass": 2, "strings": 0}[name]
    assert np.max(np.abs(samples[edges])) < 33  # 60 dB below full scale


def test_the_script_makes_the_same_samples(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, PRESET / "make" / "sound.py", tmp_path], check=True, capture_output=True, timeout=300
    )
    for name in SECONDS:
        # FFTs and exponentials of another machine round differently: a few steps of 16 bits are allowed
        assert np.max(np.abs(read(tmp_path, name) - read(PRESET / "sounds", name))) <= 4
