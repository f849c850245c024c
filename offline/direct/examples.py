"""What a decoder learns from: pairs with the generator's pictures, pictures between them, or pictures from files."""

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from offline.direct.fit import Examples
from offline.direct.moments import Moment, read_picture
from offline.progress import progress
from offline.train import played
from shared.controls import aspect_ratio
from shared.errors import PresetError, SettingError, pasted
from shared.image.canvas import covering_shape
from shared.image.decoder_architecture import DecoderArchitecture
from shared.image.memory import available_bytes
from shared.picture import Picture
from shared.preset import Preset
from shared.preset.direct import DirectTraining
from shared.preset.pairs import Pairs
from shared.preset.preset import MAPPING

FIRST_SIDE = 16  # about the samples a side of a decoder's first map
AROUND = 0.5  # deviations between the sound and the pictures around it, so that other sounds are met, too


@dataclass(frozen=True)
class _Square:
    img_resolution: int


def new_architecture(training: DirectTraining, inputs: int) -> DecoderArchitecture:
    """The decoder for these settings. Raises ModelError for a shape that is too long."""
    rows, columns = covering_shape(_Square(training.size), float(aspect_ratio(training.shape)))
    halvings = max(2, round(math.log2(training.size / FIRST_SIDE)))
    return DecoderArchitecture(inputs=inputs, rows=rows, columns=columns, channels=(64,) * (halvings - 2) + (48, 24))


def from_files(preset: Preset, moments: list[Moment], architecture: DecoderArchitecture) -> Examples:
    """Pictures from files with their moments of sound. Raises UserError for a file that is none."""
    images = [read_picture(moment.file, architecture.rows, architecture.columns) for moment in moments]
    descriptors = _weighted(preset, np.stack([moment.descriptors for moment in moments]))
    return Examples(descriptors, np.stack(images), len(moments))


def from_generator(
    preset: Preset, pairs: Pairs, training: DirectTraining, architecture: DecoderArchitecture, device: str | None
) -> Examples:
    """The pairs' images, and `between` pictures that the mapping and the generator make of other sounds.

    Half of those lie on the way of the preset's own sounds, evenly in time; the others are scattered around it. Drawn without
    truncation and motion, which act when the decoder plays. Raises PresetError if there is no mapping to make pictures with.
    """
    labels = list(pairs.classes) if pairs.classes.shape[1] else [None] * len(pairs)
    latents: list[NDArray[np.float32]] = list(pairs.latents)
    descriptors, space = _weighted(preset, pairs.descriptors), pairs.space
    if training.between:
        if not (preset.folder / MAPPING).is_file():
            raise PresetError(
                f"{preset.name} has no mapping yet, which makes the pictures between the pairs; train it first "
                f"(ponticello train {pasted(preset.folder)}), or use --between 0"
            )
        mapping = preset.mapping
        between = sounds_between(preset, pairs, training)
        for row in between:
            latent, label = mapping.parted(mapping.predict(row))
            latents.append(latent)
            labels.append(label)
        descriptors = np.vstack([descriptors, between])
    _check_memory(len(latents), architecture)
    pictures = [
        Picture(
            preset.generator_sha256, latent, space, 1.0, 0.0, (0.0, 0.0), 1.0,
            aspect=aspect_ratio(training.shape), label=label,
        )
        for latent, label in zip(latents, labels, strict=True)
    ]  # fmt: skip
    images = np.empty((len(pictures), architecture.rows, architecture.columns, 3), np.uint8)
    with progress("pictures to learn", len(pictures)) as advance:
        for done, image in enumerate(_drawn(preset, pictures, architecture, device)):
            images[done] = image
            advance(done + 1)
    return Examples(descriptors, images, len(pairs))


def sounds_between(preset: Preset, pairs: Pairs, training: DirectTraining) -> Float64[np.ndarray, "between d"]:
    """Weighted descriptors: on and around the way of the preset's sounds; without sounds between two pairs each."""
    count, chance = training.between, np.random.default_rng(training.seed)
    if preset.has_corpus:
        frames = np.concatenate(played(preset.corpus, float(str(preset.controls["smoothing"]))))
        on_the_way = count - count // 2
        rows = frames[np.linspace(0, len(frames) - 1, on_the_way).astype(int)]
        around = frames[chance.integers(len(frames), size=count // 2)]
        around = around + AROUND * chance.standard_normal(around.shape)
        return _weighted(preset, np.vstack([rows, around]))
    one, other = (pairs.descriptors[chance.integers(len(pairs), size=count)] for _ in range(2))
    return _weighted(preset, one + chance.random((count, 1)) * (other - one))


def _drawn(
    preset: Preset, pictures: list[Picture], architecture: DecoderArchitecture, device: str | None
) -> Iterator[NDArray[np.uint8]]:
    import torch

    from shared.image.device import pick_device
    from shared.image.threads import side_by_side
    from shared.painter import Painter, resized

    painter = Painter(pick_device(device))
    generator = painter.load_untrained(preset)

    def draw(picture: Picture) -> NDArray[np.uint8]:
        image = painter.paint(picture).to(torch.float32)
        fitting: Float32[torch.Tensor, "rows columns 3"] = resized(image, (architecture.rows, architecture.columns))
        return np.asarray((fitting + 0.5).clamp(0, 255).to(torch.uint8).cpu().numpy())

    with closing(side_by_side(draw, pictures, None if generator.device.type == "cpu" else 1)) as images:
        for _, image in images:
            yield image


def _weighted(preset: Preset, rows: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
    """Standardised descriptors as they reach a mapping: times the preset's weights, plus its offsets."""
    weight, offset = (
        np.array([preset.controls[f"{control}/{name}"] for name in preset.settings.inputs], np.float64)
        for control in ("weight", "offset")
    )
    return np.asarray(rows * weight + offset)


def _check_memory(pictures: int, architecture: DecoderArchitecture) -> None:
    """Raises SettingError if so many pictures do not fit into the memory."""
    needed, free = 2 * pictures * architecture.rows * architecture.columns * 3, available_bytes()
    if free is not None and needed > free:
        raise SettingError(
            f"{pictures} pictures of {architecture.columns} x {architecture.rows} pixels need about {needed / 2**30:.1f} GB of "
            f"memory, {free / 2**30:.1f} GB are available; lower between or size"
        )
