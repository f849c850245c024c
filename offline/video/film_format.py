"""The format of a film: its size, the shape in which pictures are drawn, and how they fit into the film."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import UInt8

from offline.video.codecs import SIZES, Codec, Size
from shared.controls import CONTROLS, aspect_ratio
from shared.errors import SettingError
from shared.image.canvas import HasSquare, Shape, covering_shape
from shared.painter import resized

Fit = Literal["wide", "square", "crop", "mirror"]
"""wide: pictures are drawn in the film's shape. square: the network's square, with bars. crop: the square, cropped to the
film. mirror: the square, continued by its mirror images."""


@dataclass(frozen=True)
class FormatRequest:
    """The size, shape and fit requested on the command line; None if not given.

    size: width and height of the film, or the length of its shorter side, in pixels. shape: width over height.
    """

    size: Size | int | None = None
    shape: Fraction | None = None
    fit: Fit = "wide"

    @classmethod
    def parse(cls, size: str | None, shape: str | None, fit: str) -> "FormatRequest":
        """Parse the options of the command line. Raises SettingError."""
        if fit not in get_args(Fit):
            raise SettingError(f"--fit {fit} given; allowed are: {', '.join(get_args(Fit))}")
        ratio = None
        if shape is not None:
            checked = CONTROLS["shape"].checked(shape)
            if checked in ("window", "auto"):
                raise SettingError(
                    f"--shape {shape} given; a film has no window: allowed are square or a ratio such as 16:9"
                )
            ratio = aspect_ratio(checked)
        parsed = None if size is None else parse_size(size)
        if isinstance(parsed, tuple):
            if ratio is not None:
                raise SettingError(
                    f"--size {size} and --shape {shape} given; the size sets the shape: omit one of them"
                )
            ratio = Fraction(*parsed)
            CONTROLS["shape"].checked(f"{parsed[0]}:{parsed[1]}")
        return cls(parsed, ratio, fit)  # type: ignore[arg-type]  # checked above

    @property
    def decides_shape(self) -> bool:
        """Whether this format's shape replaces the shape in which the pictures were played."""
        return self.shape is not None or self.fit != "wide"

    def check(self, codec: Codec) -> None:
        """Raise SettingError if the codec cannot hold pictures of this size."""
        if isinstance(self.size, tuple):
            codec.check_size(self.size)
        elif self.size is not None:
            codec.check_size((self.size, self.size))


@dataclass(frozen=True)
class FilmFormat:
    """The sizes between generator and film.

    image: width and height of the pictures that the encoder receives. film: those of the film, in pixels.
    drawn: width over height of the pictures that the generator draws.
    """

    image: Size
    film: Size
    drawn: Fraction
    fit: Fit = "wide"

    @classmethod
    def of(cls, request: FormatRequest, recorded: Fraction, architecture: HasSquare, codec: Codec) -> "FilmFormat":
        """The format for a request. recorded: width over height of the material. architecture: that of the largest generator."""
        aspect = recorded if request.shape is None else request.shape
        drawn = aspect if request.fit == "wide" else Fraction(1)
        rows, columns = covering_shape(architecture, float(aspect if request.fit in ("wide", "mirror") else drawn))
        image = (columns, rows)
        if isinstance(request.size, tuple):
            film = request.size
        elif request.size is None and request.fit in ("wide", "mirror"):
            film = _rounded_down(image, codec.multiple)
        else:
            short = architecture.img_resolution if request.size is None else request.size
            long = round(short * max(aspect, 1 / aspect))
            film = _rounded_down((long, short) if aspect >= 1 else (short, long), codec.multiple)
        codec.check_size(film)
        return cls(image, film, drawn, request.fit)

    def fitted(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "rows columns 3"]:
        """A picture at the encoder's size: continued by mirror images for `mirror`, otherwise centred on black."""
        columns, rows = self.image
        if self.fit == "mirror":
            side = min(self.image)
            above, left = (rows - side) // 2, (columns - side) // 2
            square = _contained(picture, (side, side))
            return np.pad(square, ((above, rows - side - above), (left, columns - side - left), (0, 0)), "symmetric")
        return _contained(picture, (rows, columns))


def parse_size(text: str) -> Size | int:
    """Parse `1080`, the shorter side, or `1920x1080`. Raises SettingError."""
    numbers = text.split("x")
    if len(numbers) > 2 or not all(number.isascii() and number.isdecimal() for number in numbers):
        smallest, largest = SIZES
        raise SettingError(
            f"--size {text} given; allowed are WIDTHxHEIGHT, such as 1920x1080, or the shorter side in pixels, "
            f"{smallest} to {largest}"
        )
    first, *rest = (int(number[:9]) for number in numbers)
    return (first, rest[0]) if rest else first


def _rounded_down(size: Size, multiple: int) -> Size:
    width, height = (length - length % multiple for length in size)
    return width, height


def _contained(picture: UInt8[np.ndarray, "h w 3"], shape: Shape) -> UInt8[np.ndarray, "rows columns 3"]:
    """The picture, scaled to fit the shape (rows, columns) and centred on black."""
    if picture.shape[:2] == shape:
        return picture
    height, width, _ = picture.shape
    factor = min(shape[0] / height, shape[1] / width)
    fitting = round(height * factor), round(width * factor)
    enlarged = resized(torch.from_numpy(picture).to(torch.float32), fitting)
    whole = np.zeros((*shape, 3), np.uint8)
    above, left = (shape[0] - fitting[0]) // 2, (shape[1] - fitting[1]) // 2
    whole[above : above + fitting[0], left : left + fitting[1]] = (enlarged + 0.5).to(torch.uint8).numpy()
    return whole
