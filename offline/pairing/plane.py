"""The view of the map of sounds: the part of the unit square that a number of pixels shows, zoomed and panned."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

Place = tuple[float, float]
"""On the map, x right and y up, nominally 0..1; or in pixels, x right and y down."""

MARGIN = 0.86  # share of the shorter side that the unit square takes up at zoom 1
CLOSEST, FARTHEST = 80.0, 0.5  # zoom
STEP = 1.2  # zoom factor for a notch of the mouse wheel
BEYOND = 0.5  # distance outside the unit square to which the centre may be moved


@dataclass(frozen=True)
class Plane:
    """A view of the map. Each change returns another view; all lengths are in logical pixels."""

    width: float = 1.0
    height: float = 1.0
    zoom: float = 1.0
    centre: Place = (0.5, 0.5)
    """The position on the map at the centre of the view."""

    @property
    def side(self) -> float:
        """Pixels for a length of 1 on the map."""
        return max(1.0, min(self.width, self.height) * MARGIN * self.zoom)

    def resized(self, width: float, height: float) -> "Plane":
        """The same part of the map in a view of another size."""
        return Plane(max(1.0, width), max(1.0, height), self.zoom, self.centre)

    def zoomed(self, factor: float, pointer: Place | None = None) -> "Plane":
        """Zoomed by a factor; the position under the pointer (None: the centre) does not move."""
        zoom = min(max(self.zoom * factor, FARTHEST), CLOSEST)
        if pointer is None:
            return self._clamped(zoom, self.centre)
        x, y = self.to_map(pointer)
        shrink = self.zoom / zoom
        return self._clamped(zoom, (x + (self.centre[0] - x) * shrink, y + (self.centre[1] - y) * shrink))

    def panned(self, right: float, down: float) -> "Plane":
        """Panned by a number of pixels."""
        return self._clamped(self.zoom, (self.centre[0] - right / self.side, self.centre[1] + down / self.side))

    def fitted(self, places: Float64[np.ndarray, "n 2"] | None = None) -> "Plane":
        """The whole map, or the largest zoom that shows all of these positions."""
        if places is None or not len(places):
            return Plane(self.width, self.height)
        low, high = places.min(axis=0), places.max(axis=0)
        middle = (low + high) / 2
        extent = np.maximum(high - low, 1e-3)
        shorter = min(self.width, self.height)
        zoom = min(self.width / shorter / extent[0], self.height / shorter / extent[1])
        return self._clamped(min(max(float(zoom), FARTHEST), CLOSEST), (float(middle[0]), float(middle[1])))

    def centred(self, place: Place) -> "Plane":
        """The same zoom, centred on a position."""
        return self._clamped(self.zoom, place)

    def shows(self, place: Place, margin: float = 0.0) -> bool:
        """Whether a position lies within the view, at least `margin` pixels from its edges."""
        x, y = self.to_view(place)
        return margin <= x <= self.width - margin and margin <= y <= self.height - margin

    def to_view(self, place: Place) -> Place:
        """The pixel of a position on the map."""
        side = self.side
        return (
            self.width / 2 + (place[0] - self.centre[0]) * side,
            self.height / 2 - (place[1] - self.centre[1]) * side,
        )

    def to_map(self, pixel: Place) -> Place:
        """The position on the map of a pixel."""
        side = self.side
        return (
            (pixel[0] - self.width / 2) / side + self.centre[0],
            (self.height / 2 - pixel[1]) / side + self.centre[1],
        )

    def pixels(self, places: Float64[np.ndarray, "n 2"], ratio: float = 1.0) -> Float32[np.ndarray, "n 2"]:
        """Device pixels of many positions; `ratio` device pixels are a logical one."""
        side = self.side
        middle = np.array([self.width / 2, self.height / 2])
        scale = np.array([side, -side])
        return np.asarray(((places - self.centre) * scale + middle) * ratio, np.float32)

    def _clamped(self, zoom: float, centre: Place) -> "Plane":
        x, y = (min(max(value, -BEYOND), 1 + BEYOND) for value in centre)
        return Plane(self.width, self.height, zoom, (x, y))


def clamped(place: Place) -> Place:
    """The nearest position in the unit square, for an image that is dropped beside the map."""
    return min(max(place[0], 0.0), 1.0), min(max(place[1], 0.0), 1.0)
