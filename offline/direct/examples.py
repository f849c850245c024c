"""What a decoder learns from: pairs with the generator's pictures, pictures between them, or pictures from files."""

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from numpy.typing import NDArray

from offline.direct.fit import Examples
from offline.direct.moments import Moment, read_picture
from offline.progress import progress
from offline.train import played, scaled_pairs
from shared.controls import aspect_ratio, weight_and_offset
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
AROUND = 0.5  # deviations between the preset's sounds and those around them: the next performance differs a little


@dataclass(frozen=True)
class _Square:
    img_resolution: int


def new_architecture(training: DirectTraining, inputs: int) -> DecoderArchitecture:
    """The decoder for these settings. Raises ModelError for a shape that is too long."""
    rows, columns = covering_shape(_Square(training.size), float(aspect_ratio(training.shape)))
    halvings = max(2, round(math.log2(training.size / FIRST_SIDE)))
    return DecoderArchitecture(inputs=inputs, rows=rows, columns=columns, channels=(64,) * (halvings - 2) + (48, 24))


def pairs_to_learn(preset: Preset, training: DirectTraining) -> Pairs:
    """The pairs of a preset: in the mapping's scale if pictures between are to be learned, else in that of the corpus.

    The mapping makes the pictures between, so the decoder hears in its scale. Raises PresetError if there are no pairs, or
    if pictures between need a mapping that does not know these pairs.
    """
    pairs, stored = scaled_pairs(preset)
    if not training.between:
        return pairs
    remedy = f"train it first: ponticello train {pasted(preset.folder)}, or use --between 0"
    if not (preset.folder / MAPPING).is_file():
        raise PresetError(f"{preset.name} has no mapping yet, which makes the pictures between the pairs; {remedy}")
    mapping, inputs = preset.mapping, preset.settings.inputs
    outputs = stored.space, stored.latents.shape[1], stored.classes.shape[1]
    is_same = stored.descriptors.shape[1] == len(inputs) and (stored.inputs or inputs) == inputs
    if is_same and outputs == (mapping.space, mapping.latent_size, mapping.classes):
        rescaled = stored.standardised_by(mapping.scaler)
        if mapping.pairs_digest in ("", rescaled.digest):
            return rescaled
    raise PresetError(
        f"{preset.name}: the mapping, which makes the pictures between the pairs, was trained on other pairs; {remedy}"
    )


def from_files(moments: list[Moment], architecture: DecoderArchitecture) -> Examples:
    """Pictures from files with their moments of sound. Raises UserError for a file that cannot be read as a picture."""
    images = _empty_images(len(moments), architecture, "use fewer pictures or a smaller --size")
    for number, moment in enumerate(moments):
        images[number] = read_picture(moment.file, architecture.rows, architecture.columns)
    return Examples(np.stack([moment.descriptors for moment in moments]), images, len(moments))


def from_generator(
    preset: Preset, pairs: Pairs, training: DirectTraining, architecture: DecoderArchitecture, device: str
) -> Examples:
    """The pairs' images, and `between` pictures that mapping and generator make of other sounds.

    A mapping learns a pair at its own descriptors, whatever weight and offset are, and so does the decoder: at equal inputs
    both give the same picture, for any weights. The sounds between are those that reach the mapping, see `sounds_between`.
    Drawn without truncation and motion, which act when the decoder plays. pairs: from `pairs_to_learn`.
    """
    labels = list(pairs.classes) if pairs.classes.shape[1] else [None] * len(pairs)
    latents: list[NDArray[np.float32]] = list(pairs.latents)
    descriptors = pairs.descriptors
    images = _empty_images(len(pairs) + training.between, architecture, "lower between or size")
    if training.between:
        mapping = preset.mapping
        between = sounds_between(preset, pairs, training)
        for row in between:
            latent, label = mapping.parted(mapping.predict(row))
            latents.append(latent)
            labels.append(label)
        descriptors = np.vstack([descriptors, between])
    pictures = [
        Picture(
            preset.generator_sha256, latent, pairs.space, 1.0, 0.0, (0.0, 0.0), 1.0,
            aspect=aspect_ratio(training.shape), label=label,
        )
        for latent, label in zip(latents, labels, strict=True)
    ]  # fmt: skip
    with progress("pictures to learn", len(pictures)) as advance:
        for done, image in enumerate(_drawn(preset, pictures, architecture, device)):
            images[done] = image
            advance(done + 1)
    return Examples(descriptors, images, len(pairs))


def sounds_between(preset: Preset, pairs: Pairs, training: DirectTraining) -> Float64[np.ndarray, "between d"]:
    """Inputs of the mapping in the pairs' scale, with the preset's weights and offsets.

    Half are moments of the preset's own sounds, evenly in time; the others are scattered around them. Without sounds, each
    lies between two pairs.
    """
    count, chance = training.between, np.random.default_rng(training.seed)
    weight, offset = weight_and_offset(preset.controls, preset.settings.inputs)
    if preset.has_corpus:
        corpus = preset.corpus
        frames = np.concatenate(played(corpus, float(str(preset.controls["smoothing"]))))
        frames = (pairs.scaler or corpus.scaler).rescaled(frames, corpus.scaler)
        on_the_way = count - count // 2
        rows = frames[np.linspace(0, len(frames) - 1, on_the_way).astype(int)]
        around = frames[chance.integers(len(frames), size=count // 2)]
        around = around + AROUND * chance.standard_normal(around.shape)
        return np.asarray(np.vstack([rows, around]) * weight + offset)
    one, other = (pairs.descriptors[chance.integers(len(pairs), size=count)] for _ in range(2))
    return np.asarray((one + chance.random((count, 1)) * (other - one)) * weight + offset)


def _drawn(
    preset: Preset, pictures: list[Picture], architecture: DecoderArchitecture, device: str
) -> Iterator[NDArray[np.uint8]]:
    import torch

    from shared.image.threads import side_by_side
    from shared.painter import Painter, resized

    painter = Painter(device)
    generator = painter.load_untrained(preset)

    def draw(picture: Picture) -> NDArray[np.uint8]:
        image = painter.paint(picture).to(torch.float32)
        fitting: Float32[torch.Tensor, "rows columns 3"] = resized(image, (architecture.rows, architecture.columns))
        return np.asarray((fitting + 0.5).clamp(0, 255).to(torch.uint8).cpu().numpy())

    with closing(side_by_side(draw, pictures, None if generator.device.type == "cpu" else 1)) as images:
        for _, image in images:
            yield image


def _empty_images(
    count: int, architecture: DecoderArchitecture, remedy: str
) -> UInt8[np.ndarray, "count rows columns 3"]:
    """Room for so many images. Raises SettingError, which ends with the remedy, if they do not fit into the memory."""
    needed, free = 2 * count * architecture.rows * architecture.columns * 3, available_bytes()
    if free is not None and needed > free:
        raise SettingError(
            f"{count} pictures of {architecture.columns} x {architecture.rows} pixels need about {needed / 2**30:.1f} GB of "
            f"memory, {free / 2**30:.1f} GB are available; {remedy}"
        )
    return np.empty((count, architecture.rows, architecture.columns, 3), np.uint8)
