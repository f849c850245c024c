"""The form of a decoder: a small network from standardised descriptors straight to a picture, without a latent space."""

import math
from itertools import pairwise
from typing import Annotated

import msgspec

from shared.errors import ModelError

SIDES = (32, 1024)  # pixels of a picture's side
MOST_WEIGHTS = 1 << 26
MOST_SAMPLES = 1 << 24  # of a map, in all its channels
Count = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class DecoderArchitecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Dense layers to a small map, then convolutions on maps that double, and a last one that gives 2 x 2 pixels a place.

    hidden: sizes of the dense layers before the map. channels: of the maps, the smallest first; three of them are 16, 32 and
    64 samples a side for pictures of 128 pixels.
    """

    inputs: Count
    """Descriptors."""
    rows: int
    columns: int
    hidden: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1, max_length=8)] = (256, 256)
    channels: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1, max_length=8)] = (64, 48, 24)

    def __post_init__(self) -> None:
        low, high = SIDES
        for name, side in (("rows", self.rows), ("columns", self.columns)):
            if not low <= side <= high:
                raise ModelError(f"{name} = {side} given; a decoder's pictures have {low} to {high} pixels a side")
        if (weights := sum(map(math.prod, self.shapes.values()))) > MOST_WEIGHTS:
            raise ModelError(f"a decoder of {weights:,} weights; up to {MOST_WEIGHTS:,} are read")
        samples = max(count * rows * columns for count, (rows, columns) in zip(self.channels, self.sizes, strict=True))
        if samples > MOST_SAMPLES:
            raise ModelError(f"a decoder with a map of {samples:,} samples; up to {MOST_SAMPLES:,} are drawn")

    @property
    def img_resolution(self) -> int:
        """The shorter side of its pictures: the side of the square in their middle."""
        return min(self.rows, self.columns)

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of the maps; the picture is twice as large as the last one, or a pixel less."""
        count = len(self.channels)
        return tuple((-(-self.rows >> count - i), -(-self.columns >> count - i)) for i in range(count))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all weights, by name."""
        rows, columns = self.sizes[0]
        shapes: dict[str, tuple[int, ...]] = {}
        for i, (narrow, wide) in enumerate(pairwise((self.inputs, *self.hidden, self.channels[0] * rows * columns))):
            shapes |= {f"dense{i}.weight": (wide, narrow), f"dense{i}.bias": (wide,)}
        for i, (narrow, wide) in enumerate(pairwise((*self.channels, 3 * 2 * 2))):
            shapes |= {f"convolution{i}.weight": (wide, narrow, 3, 3), f"convolution{i}.bias": (wide,)}
        return shapes
