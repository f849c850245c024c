"""Equality of the other systems' features with librosa, frame by frame, on every reference sound."""

import librosa
import numpy as np
import pytest
import soundfile

from shared.audio import librosa_features
from shared.audio.descriptors import DESCRIPTORS, SETS, WIDE, WIDE_TABLE, Analyzer, describe_blocks, heard
from shared.audio.librosa_features import OnsetStrength
from shared.audio.spectrum import power_and_magnitude
from tests.audio.signals import HARD
from tests.audio.test_reference import FOLDER, SOUNDS
from tests.contract import check_stage

pytestmark = pytest.mark.slow

FRAMES = {"n_fft": 1024, "hop_length": 512, "center": True, "pad_mode": "constant"}


def analysed(samples):
    return np.concatenate([*describe_blocks([samples], WIDE)])


def reference(samples):
    """librosa's onset (1, m), chroma (12, m) and mel levels (40, m), in double precision."""
    y = samples.astype(np.float64)
    decibels = {"ref": 1.0, "amin": 1e-10, "top_db": None}
    mel = librosa.feature.melspectrogram(y=y, sr=44100, **FRAMES, n_mels=40, fmin=20, fmax=10_000)
    many = librosa.feature.melspectrogram(y=y, sr=44100, **FRAMES, n_mels=128, fmax=11_025)
    chroma = librosa.feature.chroma_stft(y=y, sr=44100, **FRAMES, tuning=0, norm=np.inf)
    onset = librosa.onset.onset_strength(
        S=librosa.power_to_db(many, **decibels), sr=44100, lag=1, max_size=1, center=False
    )
    return onset[None], chroma, librosa.power_to_db(mel, **decibels)


@pytest.mark.filterwarnings("ignore:n_fft=1024 is too large")  # a sound of 300 samples
@pytest.mark.parametrize("name", SOUNDS)
def test_features_are_those_of_librosa(name):
    samples, rate = soundfile.read(FOLDER / f"{name}.wav", dtype="float32")
    assert rate == 44100
    if samples.ndim > 1:
        samples = samples.mean(axis=1)
    ours = analysed(samples)[:, 23:].T
    theirs = np.concatenate(reference(samples))
    assert ours.shape == theirs.shape
    errors = np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))
    largest = [float(errors[part].max()) for part in (slice(0, 1), slice(1, 13), slice(13, 53))]
    print(f"{name}: onset {largest[0]:.1e}, chroma {largest[1]:.1e}, mel {largest[2]:.1e}")
    assert max(largest) <= 1e-5


def test_features_of_an_ordinary_sound_in_librosas_own_precision():
    """librosa computes float32 sound in float32; quiet bands beside loud ones then differ by its rounding."""
    samples, _ = soundfile.read(FOLDER / "glass_shatter.wav", dtype="float32")
    mel = librosa.feature.melspectrogram(y=samples, sr=44100, **FRAMES, n_mels=40, fmin=20, fmax=10_000)
    theirs = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None).T
    ours = analysed(samples)[:, 36:]
    assert np.abs(ours - theirs).max() <= 0.01


@pytest.mark.parametrize("name", HARD)
def test_contract(name):
    rows = check_stage(lambda: Analyzer(WIDE), HARD[name](30_000))
    assert rows.shape == (30_000 // 512, 76)


def test_contract_of_onset_strength():
    frames = np.random.default_rng(0).standard_normal((400, 1024)).astype(np.float32)
    check_stage(OnsetStrength, power_and_magnitude(frames)[0])


def test_the_first_23_columns_are_the_descriptors():
    samples = HARD["noise"](30_000)
    assert np.array_equal(Analyzer(WIDE).process(samples)[:, :23], Analyzer().process(samples))


def test_sets_are_parts_of_what_is_heard():
    assert {name: len(columns) for name, columns in SETS.items()} == {
        "flucoma": 23,
        "mel": 40,
        "onsets+chroma": 13,
        "combined": 76,
    }
    assert SETS["combined"] == (*DESCRIPTORS, "onset", *(f"chroma{i}" for i in range(1, 13)), *SETS["mel"])
    for name, columns in SETS.items():
        assert set(columns) <= set(heard(name))
        assert "loudness" in heard(name)
    assert len({row.name for row in WIDE_TABLE}) == 76


def test_a_tone_has_its_pitch_class():
    t = np.arange(8192) / 44100
    rows = analysed((0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32))
    chroma = rows[8, 24:36]
    assert chroma.argmax() == 9  # A
    assert chroma.max() == 1
    assert analysed(np.zeros(4096, np.float32))[3, 36:].tolist() == [-100.0] * 40


def test_filters_are_made_once():
    assert librosa_features.chroma_filters() is librosa_features.chroma_filters()
