"""The shape of a picture: the square that the network was trained for, continued to both sides.

The network's input is a field of plane waves and its layers treat all places alike, so the same w can be drawn on a larger
map. A canvas adds whole samples of the lowest sampling rate, as many on the left as on the right and as many above as
below: the square's samples keep their places. The shape that was asked for is cut out about the centre.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from shared.errors import SettingError
from shared.image import geometry
from shared.image.architecture import Architecture

Shape = tuple[int, int]
"""Rows and columns of a picture, in pixels."""


@runtime_checkable
class HasSquare(Protocol):
    """A description of a network, as far as shapes need it."""

    @property
    def img_resolution(self) -> int:
        """Side of its square, in pixels."""


@dataclass(frozen=True)
class Canvas:
    """How much larger a network's maps are than the square's, and what is cut out of the picture that they give."""

    shape: Shape
    extra: tuple[int, int] = (0, 0)
    """Samples of the lowest rate, along y and along x; even."""
    cut: tuple[int, int] = (0, 0)
    """Pixels to leave out above (and below), and on the left (and right)."""

    @classmethod
    def of(cls, architecture: Architecture, shape: Shape) -> "Canvas":
        """The canvas of a shape; SettingError for a shape that cannot be drawn."""
        side = architecture.img_resolution
        rows, columns = shape
        if not all(isinstance(length, int) and length > 0 for length in (rows, columns)):
            raise SettingError(f"shape {rows} x {columns} given; allowed are whole numbers of rows and columns above 0")
        fitting = fitting_shape(architecture, shape)
        if fitting != (rows, columns):
            parity = "even" if side % 2 == 0 else "odd"
            raise SettingError(
                f"shape {rows} x {columns} given; allowed are {parity} numbers of rows and columns, as the square's "
                f"{side}: take {fitting[0]} x {fitting[1]}"
            )
        (above, extra_y), (left, extra_x) = (_axis(architecture, length) for length in (rows, columns))
        return cls((rows, columns), (extra_y, extra_x), (above, left))

    def cropped(self, picture: Tensor) -> Tensor:
        """The shape's part of a picture (..., height, width) as the network gives it."""
        rows, columns = self.shape
        above, left = self.cut
        return picture[..., above : above + rows, left : left + columns]


def map_bytes(architecture: Architecture, canvas: Canvas) -> int:
    """About what drawing takes: three maps of the largest size in float32, a convolution's input and result and the filters'."""
    lowest = geometry.signals(architecture)[0].sampling_rate
    sizes = []
    for layer in geometry.layers(architecture):
        rows, columns = (layer.target.size + extra * layer.target.sampling_rate // lowest for extra in canvas.extra)
        sizes.append(max(layer.source.channels, layer.target.channels) * rows * columns)
    return 3 * 4 * max(sizes)


def fitting_shape(architecture: HasSquare, shape: Shape) -> Shape:
    """The shape with both sides rounded up to the parity of the square's, so that the square's pixels keep their places."""
    rows, columns = (length + (length - architecture.img_resolution) % 2 for length in shape)
    return rows, columns


def covering_shape(architecture: HasSquare, aspect: float) -> Shape:
    """The smallest shape of this aspect ratio (width / height) that shows the whole square; its shorter side is the square's."""
    side = architecture.img_resolution
    longer = _rounded_up(side * max(aspect, 1 / aspect))
    return fitting_shape(architecture, (side, longer) if aspect >= 1 else (longer, side))


def _rounded_up(length: float) -> int:
    whole = round(length)
    return whole if abs(length - whole) < 1e-6 * length else int(length) + 1


def _axis(architecture: Architecture, length: int) -> tuple[int, int]:
    """Pixels to cut at each end, and extra samples of the lowest rate, for a picture of this length."""
    side, rate = architecture.img_resolution, geometry.signals(architecture)[0].sampling_rate
    if length <= side:
        return (side - length) // 2, 0
    if side % rate:
        raise SettingError(
            f"a network of {side} pixels at a lowest rate of {rate} samples draws no picture longer than its side"
        )
    pixels = side // rate  # of a sample
    extra = 2 * -(-(length - side) // (2 * pixels))
    return (side + extra * pixels - length) // 2, extra
