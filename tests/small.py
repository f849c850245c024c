"""A small preset with a generator of random weights, and sounds to play through it."""

import numpy as np
import soundfile

from shared.audio.descriptors import DESCRIPTORS
from shared.image.architecture import Architecture
from shared.image.checkpoint import write_checkpoint
from shared.image.decoder_architecture import DecoderArchitecture
from shared.image.geometry import tensors
from shared.mapping.regression import Training
from shared.mapping.scaling import Standardizer
from shared.preset.candidates import THUMBNAIL, Candidates, Draw, Origin
from shared.preset.corpus import Corpus, CorpusSound, MapFacts
from shared.preset.direct import DirectPictures
from shared.preset.learned import LearnedMapping
from shared.preset.pairs import Pairs
from shared.preset.preset import sha256_of

LATENT = 16


def write_generator(path, resolution=16, seed=0):
    """A StyleGAN3 of a few thousand weights: fast, but real."""
    architecture = Architecture.from_arguments(
        {
            "z_dim": LATENT,
            "c_dim": 0,
            "w_dim": LATENT,
            "img_resolution": resolution,
            "img_channels": 3,
            "channel_base": 64,
            "channel_max": 4,
            "num_layers": 4,
            "margin_size": 4,
        }
    )
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, tensor in tensors(architecture).items():
        if not tensor.required:
            continue
        values = rng.standard_normal(tensor.shape)
        if name.endswith("magnitude_ema"):
            values = np.array(1.0)
        elif name.endswith("input.affine.bias"):
            values = np.array([1.0, 0, 0, 0])
        elif name.startswith("mapping.fc") and name.endswith("weight"):
            values *= 100
        arrays[name] = np.asarray(values, np.float32)
    write_checkpoint(path, architecture, arrays)


def make_preset(folder, *, space="z", toml="version = 1\n", seed=0, inputs=23):
    """Make a complete preset folder; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preset.toml").write_text(toml, "utf-8")
    write_generator(folder / "generator.safetensors", seed=seed)
    rng = np.random.default_rng(seed)
    n = 6
    pairs = Pairs(
        tuple(f"image {i}" for i in range(n)),
        rng.standard_normal((n, inputs)),
        rng.standard_normal((n, LATENT)).astype(np.float32),
        np.full((n, 2), np.nan),
        space,
    )
    pairs.save(folder / "pairs.safetensors")
    scaler = Standardizer(rng.standard_normal(inputs) * 100, np.full(inputs, 500.0))
    LearnedMapping.learn(scaler, pairs, Training(epochs=50)).save(folder / "mapping.safetensors")
    return folder


def write_decoder(folder, rows=32, columns=32, inputs=23, seed=0, **others):
    """Write a decoder of random weights for a preset; return it."""
    architecture = DecoderArchitecture(inputs=inputs, rows=rows, columns=columns, hidden=(16,), channels=(6, 4))
    rng = np.random.default_rng(seed)
    weights = {
        name: (0.4 * rng.standard_normal(shape)).astype(np.float32) for name, shape in architecture.shapes.items()
    }
    scaler = Standardizer(rng.standard_normal(inputs) * 100, np.full(inputs, 500.0))
    moments = rng.standard_normal((6, inputs))
    direct = DirectPictures(scaler, tuple(f"image {i}" for i in range(6)), moments, architecture, weights, **others)
    direct.save(folder / "direct.safetensors")
    return direct


def make_direct_preset(folder, *, toml="", **decoder):
    """Make a preset that draws directly, with no other files; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preset.toml").write_text('version = 1\npicture = "direct"\n' + toml, "utf-8")
    write_decoder(folder, **decoder)
    return folder


def sound(seconds=1.0, rate=44100, channels=1, seed=0):
    """(n, channels) float32: tones that glide, noise, a silence in the middle."""
    n = round(seconds * rate)
    t = np.arange(n) / rate
    rng = np.random.default_rng(seed)
    x = 0.3 * np.sin(2 * np.pi * (220 * t + 400 * t**2)) + 0.05 * rng.standard_normal(n)
    x[n // 2 : n // 2 + n // 10] = 0
    return np.stack([x * (1 - 0.3 * c) for c in range(channels)], axis=1).astype(np.float32)


def write_sound(path, seconds=1.0, rate=44100, channels=1, subtype="PCM_16"):
    """Write a sound file; return its path."""
    soundfile.write(path, sound(seconds, rate, channels), rate, subtype=subtype)
    return path


def write_candidates(folder, count=8, space="z", size=LATENT, kept=()):
    """Write candidates for a preset, without the images; return them."""
    rng = np.random.default_rng(count)
    candidates = Candidates(
        tuple(range(count)),
        rng.standard_normal((count, size)).astype(np.float32),
        rng.integers(0, 256, (count, THUMBNAIL, THUMBNAIL, 3)).astype(np.uint8),
        Origin(sha256_of(folder / "generator.safetensors"), 1.0, 0.0, (0.0, 0.0)),
        Draw(0, count, space),
        frozenset(kept),
    )
    candidates.save(folder / "candidates.safetensors")
    return candidates


def make_unpaired(folder):
    """Make a preset with a corpus and twelve candidates but no pairs; return the folder."""
    make_preset(folder)
    (folder / "pairs.safetensors").unlink()
    (folder / "mapping.safetensors").unlink()
    write_corpus(folder)
    write_candidates(folder, 12)
    return folder


def write_corpus(folder, frames=(60, 40), inputs=DESCRIPTORS, seed=0):
    """Write a corpus of noise for a preset, and return it: sounds a, b, ..., with the first and every fourth frame silent."""
    rng = np.random.default_rng(seed)
    sound, frame, stands_for = [], [], []
    for number, count in enumerate(frames):
        sounding = np.arange(count) % 4 != 0
        stands_for.append(np.maximum(np.cumsum(sounding) - 1, 0) + len(np.concatenate([[], *frame])))
        frame.append(np.flatnonzero(sounding))
        sound.append(np.full(sounding.sum(), number))
    rows = sum(map(len, frame))
    corpus = Corpus(
        rng.standard_normal((rows, 23)) * 10 + 100,
        rng.random((rows, 2)),
        np.concatenate(sound),
        np.concatenate(frame),
        np.concatenate(stands_for).astype(np.int64),
        MapFacts(
            DESCRIPTORS,
            inputs,
            tuple(CorpusSound(f"sounds/{'abc'[i]}.wav", str(i) * 64, None, count) for i, count in enumerate(frames)),
            19,
            0.991,
            0,
        ),
    )
    corpus.save(folder / "corpus.safetensors")
    return corpus
