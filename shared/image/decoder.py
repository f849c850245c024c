"""A decoder at work: standardised descriptors in, pictures out, without a latent space between.

It stands where a generator does, so that presets of both kinds play, cross-fade and render alike. Its w are the descriptors
themselves, and the average picture of truncation is that of the mean sound, which is 0.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, interpolate, leaky_relu, linear, pixel_shuffle

from shared.errors import SettingError
from shared.image.canvas import Shape
from shared.image.decoder_architecture import DecoderArchitecture
from shared.image.device import set_card_numerics
from shared.image.fast import to_image
from shared.image.ops.steady_conv import Convolves, SteadyConv

SLOPE = 0.2
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Convolution:
    """A 3 x 3 convolution that keeps the size of its map."""

    weight: Float32[Tensor, "outputs inputs 3 3"]
    bias: Float32[Tensor, "outputs"]

    def convolve(self, x: Float[Tensor, "n inputs h w"]) -> Float[Tensor, "n outputs h w"]:
        """The cross-correlation, with zeros around the map; in bfloat16 where training asks for it."""
        return conv2d(x, self.weight, self.bias, padding=1)


def convolutions(weights: Weights) -> list[Convolution]:
    """The convolutions of a decoder, in order."""
    count = sum(name.startswith("convolution") for name in weights) // 2
    return [Convolution(weights[f"convolution{i}.weight"], weights[f"convolution{i}.bias"]) for i in range(count)]


def decode(
    architecture: DecoderArchitecture,
    weights: Weights,
    layers: Sequence[Convolves],
    x: Float32[Tensor, "n inputs"],
) -> Float[Tensor, "n 3 rows columns"]:
    """Pictures before clipping, nominally -1 to 1. Training calls it, too."""
    for i in range(len(architecture.hidden) + 1):
        x = leaky_relu(linear(x, weights[f"dense{i}.weight"], weights[f"dense{i}.bias"]), SLOPE)
    maps = x.view(len(x), architecture.channels[0], *architecture.sizes[0])
    maps = maps.contiguous(memory_format=torch.channels_last)
    for layer, size in zip(layers[:-1], architecture.sizes[1:], strict=True):
        maps = leaky_relu(layer.convolve(interpolate(maps, size, mode="bilinear")), SLOPE)
    return pixel_shuffle(layers[-1].convolve(maps), 2)[..., : architecture.rows, : architecture.columns]


class Decoder:
    """A decoder for pictures, with the methods of a generator that a painter calls.

    Equal inputs give equal pictures, bit for bit, for any number of threads. Always float32: it is small.
    Outside of its own picture it mirrors it: in wider or higher shapes, and where the picture is rotated or moved.
    """

    z_dim = 0
    c_dim = 0

    def __init__(
        self, architecture: DecoderArchitecture, arrays: Mapping[str, Float[np.ndarray, "..."]], device: torch.device
    ) -> None:
        self.config = architecture
        self.w_dim = architecture.inputs
        self.img_resolution = architecture.img_resolution
        self.device = device
        self.precision = "full"
        self.backend = "a decoder, float32"
        self.w_avg: Float32[Tensor, "w_dim"] = torch.zeros(self.w_dim)
        if device.type == "cuda":
            set_card_numerics()
            self.device = device if device.index is not None else torch.device("cuda", torch.cuda.current_device())
        self._weights = {
            name: torch.from_numpy(np.array(array, np.float32)).to(self.device) for name, array in arrays.items()
        }
        plain = convolutions(self._weights)
        self._layers: Sequence[Convolves] = list(map(SteadyConv, plain)) if device.type == "cpu" else plain

    def map(
        self,
        z: Float[Tensor, "n z_dim"],
        c: Float[Tensor, "n c_dim"] | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
    ) -> Float32[Tensor, "n 1 w_dim"]:
        """Raises SettingError: a decoder has no z."""
        raise SettingError("a latent vector in z given; pictures made directly from the sound have none")

    def broadcast(self, w: Float[Tensor, "n w_dim"]) -> Float32[Tensor, "n 1 w_dim"]:
        """Standardised descriptors as the rows that `synthesize` takes. Raises SettingError for another number, NaN, infinity."""
        if w.ndim != 2 or w.shape[1] != self.w_dim or not w.isfinite().all():
            raise SettingError(
                f"numbers of shape {tuple(w.shape)} given; this decoder takes (n, {self.w_dim}) finite ones"
            )
        return w.to(torch.float32)[:, None]

    def truncate(
        self, w: Float32[Tensor, "n 1 w_dim"], psi: float = 1.0, cutoff: int | None = None
    ) -> Float32[Tensor, "n 1 w_dim"]:
        """The descriptors times psi: 0 is the mean sound."""
        return w if psi == 1 else psi * w

    @torch.no_grad()
    def synthesize(
        self,
        w: Float32[Tensor, "1 1 w_dim"],
        transform: Float32[np.ndarray, "3 3"] | None = None,
        shape: Shape | None = None,
    ) -> UInt8[Tensor, "height width 3"]:
        """One picture, on the decoder's device. transform: see latents.transform_matrix. shape: rows and columns; None is its own."""
        with self._on_device():
            picture = decode(self.config, self._weights, self._layers, w[:, 0].to(self.device))
            rows, columns = shape or (self.config.rows, self.config.columns)
            if transform is not None:
                picture = self._moved(picture, transform, (rows, columns))
            elif (rows, columns) != picture.shape[2:]:
                down, right = mirrored(self.config.rows, rows), mirrored(self.config.columns, columns)
                picture = picture[:, :, down.to(self.device)][..., right.to(self.device)]
            return to_image(picture)

    def _moved(
        self, picture: Float32[Tensor, "1 3 h w"], transform: Float32[np.ndarray, "3 3"], shape: Shape
    ) -> Float32[Tensor, "1 3 rows columns"]:
        """The picture in this shape, rotated and translated."""
        side = self.img_resolution
        y, x = ((np.arange(length) + 0.5 - length / 2) / side for length in shape)
        places = (
            np.stack(np.broadcast_arrays(x[None, :], y[:, None], 1.0), axis=-1) @ transform[:2].astype(np.float64).T
        )
        places *= 2 * side / np.array([self.config.columns, self.config.rows])
        grid = torch.from_numpy(places.astype(np.float32)).to(self.device)[None]
        return grid_sample(picture.contiguous(), grid, padding_mode="reflection", align_corners=False)

    def _on_device(self) -> AbstractContextManager[object]:
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()


@lru_cache(maxsize=64)
def mirrored(length: int, wanted: int) -> Tensor:
    """Where each of `wanted` places along an axis lies in a picture of `length` pixels that mirror images continue."""
    places = (torch.arange(wanted) - (wanted - length) // 2) % (2 * length)
    return torch.minimum(places, 2 * length - 1 - places)
