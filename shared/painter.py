"""Draws pictures: a `Picture` and the generators, or decoders, to an image."""

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional

from shared.errors import PresetError
from shared.image.canvas import Shape, covering_shape
from shared.image.decoder import Decoder
from shared.image.generator import Generator, load_generator
from shared.image.latents import transform_matrix
from shared.picture import Picture
from shared.preset import Preset

Draws = Generator | Decoder
"""What draws the pictures of a preset: its generator, or the decoder of one that draws directly."""


class Painter:
    """Keeps the generators and draws pictures with them: cross-fades, then brightness."""

    def __init__(self, device: str = "cpu", precision: str = "auto") -> None:
        self._device = device
        self._precision = precision
        self._generators: dict[str, Draws] = {}

    def load(self, preset: Preset) -> Draws:
        """Load the preset's generator unless it is loaded already.

        Raises ModelError for a bad file, PresetError if generator and mapping do not fit each other.
        """
        mapping = preset.mapping
        generator = self._read(preset)
        wanted_classes = generator.c_dim if mapping.space == "z" else 0
        if mapping.classes != wanted_classes:
            path = preset.generator_path
            raise PresetError(
                f"{path} has {wanted_classes} classes in {mapping.space}, the mapping gives {mapping.classes}; "
                "pair and train with this generator"
            )
        wanted = {"z": generator.z_dim, "w": generator.w_dim}[mapping.space]
        if mapping.latent_size != wanted:
            raise PresetError(
                f"the mapping gives {mapping.latent_size} numbers, the generator takes {wanted} in {mapping.space}; "
                "pair and train with this generator"
            )
        self._generators[preset.generator_sha256] = generator
        return generator

    def load_untrained(self, preset: Preset) -> Draws:
        """Load the preset's generator without checking its mapping, for latents that are known to fit."""
        generator = self._generators[preset.generator_sha256] = self._read(preset)
        return generator

    def _read(self, preset: Preset) -> Draws:
        if (loaded := self._generators.get(preset.generator_sha256)) is not None:
            return loaded
        if preset.is_direct:
            direct = preset.direct
            return Decoder(direct.architecture, direct.weights, torch.device(self._device))
        return load_generator(preset.generator_path, self._device, self._precision)

    def keep(self, presets: Iterable[Preset]) -> None:
        """Drop all generators except those of these presets."""
        kept = {preset.generator_sha256 for preset in presets}
        self._generators = {key: generator for key, generator in self._generators.items() if key in kept}

    def paint(self, picture: Picture) -> UInt8[Tensor, "h w 3"]:
        """The image (H, W, 3) uint8, on the generator's device.

        A cross-fade between pictures of the same generator happens in w, otherwise between their images.
        """
        image = self._blend(picture)
        if picture.level >= 1:
            return image
        return (image.to(torch.float32) * picture.level + 0.5).to(torch.uint8)

    def _blend(self, picture: Picture) -> UInt8[Tensor, "h w 3"]:
        chain = [picture]  # the bottom one first
        while (under := chain[0].under) is not None:
            chain.insert(0, under)
        generator = self._generators[picture.generator]
        shape = picture_shape(generator, picture.aspect)
        if all(part.generator == picture.generator for part in chain):
            w, motion = self._w(chain[0]), np.array([chain[0].rotate, *chain[0].translate])
            for part in chain[1:]:
                w = w + part.mix * (self._w(part) - w)
                motion = motion + part.mix * (np.array([part.rotate, *part.translate]) - motion)
            return generator.synthesize(
                w, transform_matrix(motion[0], (motion[1], motion[2])) if motion.any() else None, shape
            )
        blend = torch.zeros(*shape, 3, device=generator.device)
        for part in chain:
            transform = transform_matrix(part.rotate, part.translate) if part.rotate or any(part.translate) else None
            other = self._generators[part.generator]
            image = other.synthesize(self._w(part), transform, picture_shape(other, picture.aspect))
            blend = blend + part.mix * (resized(image.to(torch.float32), shape) - blend)
        return (blend + 0.5).to(torch.uint8)

    def _w(self, picture: Picture) -> Tensor:
        generator = self._generators[picture.generator]
        latent = torch.from_numpy(picture.latent)[None]
        if picture.space == "z":
            label = None if picture.label is None else torch.from_numpy(picture.label)[None]
            return generator.map(latent, label, psi=picture.truncation)
        return generator.truncate(generator.broadcast(latent), picture.truncation)


def picture_shape(generator: Draws, aspect: Fraction) -> Shape:
    """Rows and columns of a generator's pictures of this aspect ratio: the square, continued along the longer side."""
    return covering_shape(generator.config, float(aspect))


def resized(image: Float32[Tensor, "h w 3"], shape: Shape) -> Float32[Tensor, "rows columns 3"]:
    """The image at another size, for generators of different sizes in one show."""
    if tuple(image.shape[:2]) == shape:
        return image
    planes = image.permute(2, 0, 1)[None]
    return functional.interpolate(planes, shape, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
