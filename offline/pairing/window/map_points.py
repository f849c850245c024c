"""The points of the map as a cached picture, which is moved and scaled while panning and zooming, then redrawn."""

import numpy as np
from jaxtyping import Float32, UInt8
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter, QPixmap

from offline.pairing import palette
from offline.pairing.plane import Plane
from offline.pairing.points import canvas, draw_points

MARGIN = 160  # logical pixels around the view that are drawn as well, so that panning finds points there


class MapPoints:
    """Points with their colours, drawn for one view of the map."""

    def __init__(self) -> None:
        self.is_stale = True
        """Whether the points, their colours or their size have changed since they were drawn."""
        self.drawn = 0
        """Number of times that they were drawn."""
        self._places: Float32[np.ndarray, "n 2"] = np.empty((0, 2), np.float32)
        self._colours: UInt8[np.ndarray, "n 3"] = np.empty((0, 3), np.uint8)
        self._size = 1.0
        self._plane = Plane()
        self._ratio = 1.0
        self._pixmap = QPixmap()

    def set_points(self, places: Float32[np.ndarray, "n 2"], colours: UInt8[np.ndarray, "n 3"]) -> None:
        """Set the points, the last on top: positions on the map, colours in red, green and blue."""
        self._places, self._colours = places, colours
        self.is_stale = True

    def set_size(self, size: float) -> None:
        """A factor on the usual size of the points."""
        self._size = size
        self.is_stale = True

    def fits(self, plane: Plane, ratio: float) -> bool:
        """Whether what is drawn is what this view shows, up to a shift of whole device pixels."""
        return not self.is_stale and ratio == self._ratio and plane == self._plane

    def covers(self, plane: Plane) -> bool:
        """Whether a moved or stretched copy of what is drawn fills this view."""
        target = self._target(plane)
        return target.contains(QRectF(0, 0, plane.width, plane.height))

    def draw(self, plane: Plane, ratio: float) -> None:
        """Draw all points for a view, with a margin around it."""
        wide = Plane(plane.width + 2 * MARGIN, plane.height + 2 * MARGIN, 1.0, plane.centre)
        wide = Plane(wide.width, wide.height, plane.side / wide.side, plane.centre)
        width, height = round(wide.width * ratio), round(wide.height * ratio)
        image = canvas(width, height, palette.GROUND)
        places = wide.pixels(self._places.astype(np.float64), ratio)
        crowd = min(1.0, (2000 / max(1, len(places))) ** 0.25)  # many points are smaller and let others through
        radius = (0.9 + 1.9 * crowd) * self._size * min(plane.zoom, 12.0) ** 0.4 * ratio
        draw_points(image, places, self._colours, radius, 0.55 + 0.4 * crowd)
        picture = QImage(image.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        self._pixmap = QPixmap.fromImage(picture)
        self._plane, self._ratio, self.is_stale = plane, ratio, False
        self.drawn += 1

    def paint(self, painter: QPainter, area: QRectF, plane: Plane) -> None:
        """Paint a part of a view from the cached picture, moved and scaled."""
        target = self._target(plane)
        if not target.contains(area):
            painter.fillRect(area, painter.background())
        if self._pixmap.isNull():
            return
        scale = self._pixmap.width() / target.width()
        source = QRectF(
            (area.x() - target.x()) * scale,
            (area.y() - target.y()) * scale,
            area.width() * scale,
            area.height() * scale,
        )
        painter.drawPixmap(area, self._pixmap, source)

    def _target(self, plane: Plane) -> QRectF:
        """The rectangle of the cached picture in another view."""
        stretch = plane.side / self._plane.side
        width = (self._plane.width + 2 * MARGIN) * stretch
        height = (self._plane.height + 2 * MARGIN) * stretch
        middle = plane.to_view(self._plane.centre)
        return QRectF(middle[0] - width / 2, middle[1] - height / 2, width, height)
