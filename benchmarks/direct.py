"""`python -m benchmarks.direct FOLDER`: *glass* drawn directly from its sound beside its generator, as docs/direct.md shows it.

Trains decoders for copies of *glass* in FOLDER, on the pairs alone and with pictures between; those that are there already
are kept. Prints the processor time of a training; mean absolute error, PSNR and sharpness against the generator's pictures
at the pairs, along the preset's own sound, and along a glide that was not trained; the processor time of a picture. Writes
FOLDER/direct.jpg: the generator's pictures above the direct ones, along ten seconds of the sound.
"""

import shutil
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import UInt8
from msgspec.structs import replace as replace_settings
from numpy.typing import NDArray
from PIL import Image

from offline.direct.training import train_directly
from offline.laboratory.page import strip
from offline.pictures import thumbnail
from shared.painter import Painter
from shared.picture import Picture
from shared.pipeline import Pipeline, Tick
from shared.preset.places import SHIPPED
from shared.preset.preset import DIRECT, Preset
from shared.stage import SAMPLE_RATE

START_S, SECONDS, SHOWN = 5, 10, 12
EVERY = 10  # ticks between two that are compared
RATED = 40  # pictures

Images = UInt8[np.ndarray, "n side side 3"]


def prepared(folder: Path, between: int) -> Preset:
    """A copy of *glass* with a decoder: trained now, unless it is there."""
    if not (folder / DIRECT).is_file():
        shutil.copytree(SHIPPED / "glass", folder, dirs_exist_ok=True)
        preset = Preset.load(folder)
        began = time.process_time()
        trained = train_directly(preset, replace_settings(preset.settings.direct, between=between))
        print(
            f"{folder.name}: trained in {time.process_time() - began:.0f} s of processor time; "
            f"{(folder / DIRECT).stat().st_size / 1e6:.1f} MB; {trained.at_pairs.mean():.1f} grey levels at the pairs"
        )
    return Preset.load(folder)


def ticks(preset: Preset, samples: NDArray[np.float32]) -> list[Tick]:
    """The ticks of a sound that have a picture."""
    return [tick for tick in Pipeline(preset).process(samples) if tick.picture.level > 0]


def painted(preset: Preset, pictures: list[Picture], side: int) -> Images:
    """Their images, as squares of `side` pixels."""
    painter = Painter()
    painter.load(preset)
    return np.stack([thumbnail(painter.paint(picture).numpy(), side) for picture in pictures])


def at_pairs(preset: Preset, tick: Tick) -> list[Picture]:
    """The pictures of its pairs, as the mapping gives them."""
    mapping = preset.mapping
    return [replace(tick.picture, latent=mapping.predict(row), space=mapping.space) for row in preset.pairs.descriptors]


def sharpness(images: Images) -> float:
    """Mean absolute difference of neighbouring pixels, in grey levels."""
    grey = images.astype(np.float32).mean(axis=3)
    return float((np.abs(np.diff(grey, axis=1)).mean() + np.abs(np.diff(grey, axis=2)).mean()) / 2)


def compared(images: Images, wanted: Images) -> str:
    """Error and sharpness in words."""
    error = images.astype(np.float32) - wanted
    psnr_db = 10 * np.log10(255**2 / np.square(error).mean())
    share = sharpness(images) / sharpness(wanted)
    return f"L1 {np.abs(error).mean():.1f}, PSNR {psnr_db:.1f} dB, sharpness {100 * share:.0f} %"


def glide(seconds: float) -> NDArray[np.float32]:
    """A tone that rises over three octaves and grows noisy: none of the sounds of *glass*."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * 196 * seconds / (3 * np.log(2)) * (np.exp2(3 * t / seconds) - 1)
    noise = np.random.default_rng(0).standard_normal(len(t)) * t / seconds
    return np.asarray(0.3 * np.sin(phase) + 0.1 * noise, np.float32)


def ms_of_a_picture(preset: Preset, pictures: list[Picture]) -> float:
    """Milliseconds of processor time."""
    painter = Painter()
    painter.load(preset)
    painter.paint(pictures[0])
    began = time.process_time()
    for picture in islice(pictures, RATED):
        painter.paint(picture)
    return (time.process_time() - began) / min(RATED, len(pictures)) * 1000


def main(folder: Path) -> None:
    """Measure, and write the strip."""
    glass = Preset.load(SHIPPED / "glass")
    own, _ = soundfile.read(glass.folder / "sounds" / "glass.flac", dtype="float32")
    presets = [prepared(folder / "alone", 0), prepared(folder / "between", 600)]
    side = presets[0].direct.architecture.img_resolution
    sounds = {"its own sound": own if own.ndim == 1 else own.mean(axis=1), "a glide": glide(8.0)}
    generated = {name: ticks(glass, samples) for name, samples in sounds.items()}
    shown = range(START_S * 30, (START_S + SECONDS) * 30, SECONDS * 30 // SHOWN)
    rows = []
    for preset in (glass, *presets):
        direct = {name: ticks(preset, samples) for name, samples in sounds.items()}
        by_number = {tick.number: tick.picture for tick in direct["its own sound"]}
        print(
            f"{preset.folder.name}: a picture takes {ms_of_a_picture(preset, list(by_number.values())):.1f} ms of one core"
        )
        rows.append(strip(list(painted(preset, [by_number[number] for number in shown], side))))
        if preset is glass:
            continue
        first = generated["its own sound"][0]
        images = painted(preset, at_pairs(preset, direct["its own sound"][0]), side)
        print(f"  at the pairs: {compared(images, painted(glass, at_pairs(glass, first), side))}")
        for name, heard in generated.items():
            wanted = painted(glass, [tick.picture for tick in heard[::EVERY]], side)
            images = painted(preset, [tick.picture for tick in direct[name][::EVERY]], side)
            print(f"  along {name}: {compared(images, wanted)}")
    gap = np.zeros((2, rows[0].shape[1], 3), np.uint8)
    sheet = np.concatenate([part for row in rows for part in (row, gap)][:-1])
    Image.fromarray(sheet).save(folder / "direct.jpg", quality=88)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
