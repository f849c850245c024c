"""The marks on the map: images, the playhead, a dragged image, a live input."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from offline.pairing.placed_pairs import PlacedPair
from offline.pairing.plane import Place, Plane
from offline.pairing.storyboard import Storyboard
from offline.pairing.window import theme
from offline.pairing.window.look import Look
from offline.pairing.window.pictures import Pictures

NO_BRUSH, NO_PEN = Qt.BrushStyle.NoBrush, Qt.PenStyle.NoPen
RING = 9.0  # radius of the playhead, in pixels


@dataclass(frozen=True)
class Mark:
    """A placed image: the positions of its thumbnail and of its paired frame, both on the shown axes."""

    pair: PlacedPair
    place: Place
    frame: Place

    @property
    def warning(self) -> str:
        """One line of warning; empty if all is well."""
        if self.pair.conflicts:
            return f"wants another image than {', '.join(self.pair.conflicts)} at nearly the same sound: move or remove one"
        return "lies where there is no sound; it is paired with the end of the line" if self.pair.is_remote else ""


def marks_of(pairs: list[PlacedPair], board: Storyboard) -> list[Mark]:
    """The images with a position on the map."""
    found = []
    for number, pair in enumerate(pairs):
        place = board.place_of_pair(number)
        if np.isfinite(place).all():
            found.append(Mark(pair, place, board.place_of(pair.row)))
    return found


def box_of(plane: Plane, place: Place, side: float) -> QRectF:
    """The square of a thumbnail at a position."""
    x, y = plane.to_view(place)
    return QRectF(round(x - side / 2), round(y - side / 2), side, side)


def point(plane: Plane, place: Place) -> QPointF:
    """The pixel of a position."""
    return QPointF(*plane.to_view(place))


def paint_image(
    painter: QPainter, plane: Plane, mark: Mark, look: Look, pictures: Pictures, *, is_near: bool, is_hovered: bool
) -> None:
    """A thumbnail with its frame, and the line to its moment of sound."""
    box = box_of(plane, mark.place, look.image_size)
    frame = point(plane, mark.frame)
    is_selected = mark.pair.name == look.selected
    strong = is_near or is_hovered or is_selected
    if not box.contains(frame):
        painter.setPen(QPen(QColor(0, 0, 0, 150), 3))
        painter.drawLine(box.center(), frame)
        painter.setPen(QPen(theme.ACCENT if is_near else QColor(230, 230, 226, 220 if strong else 130), 1.2))
        painter.drawLine(box.center(), frame)
    ratio = painter.device().devicePixelRatio()
    painter.drawPixmap(box.toRect(), pictures.pixmap(mark.pair.name, round(box.width()), ratio))
    edge = QColor(*look.colour_of(mark.pair.name)) if look.colour == "image" else QColor(0, 0, 0, 200)
    width = 2.0 if look.colour == "image" else 1.0
    if is_selected or is_hovered:
        edge, width = theme.WHITE, 2.0
    elif is_near:
        edge, width = theme.ACCENT, 2.5
    painter.setBrush(NO_BRUSH)
    painter.setPen(QPen(edge, width))
    painter.drawRoundedRect(box.adjusted(-0.5, -0.5, 0.5, 0.5), 2, 2)
    painter.setPen(QPen(QColor(0, 0, 0, 220), 1))
    painter.setBrush(theme.WHITE)
    painter.drawEllipse(frame, 3, 3)
    painter.setBrush(NO_BRUSH)
    if mark.warning:
        paint_badge(painter, box.topRight())


def paint_badge(painter: QPainter, corner: QPointF) -> None:
    """A triangle with an exclamation mark: something is wrong with this image."""
    x, y = corner.x(), corner.y()
    painter.setPen(QPen(theme.GROUND, 1.5))
    painter.setBrush(theme.WARNING)
    painter.drawPolygon(QPolygonF([QPointF(x, y - 8), QPointF(x + 8.5, y + 7), QPointF(x - 8.5, y + 7)]))
    painter.setBrush(NO_BRUSH)
    painter.setPen(QPen(theme.GROUND, 1.8))
    painter.drawLine(QPointF(x, y - 2.5), QPointF(x, y + 2))
    painter.drawPoint(QPointF(x, y + 4.8))


def paint_playhead(painter: QPainter, plane: Plane, place: Place, nearest: Mark | None, trail: list[Place]) -> None:
    """A ring at the sound, its trail, and a line to the nearest image."""
    here = point(plane, place)
    if nearest is not None:
        painter.setPen(QPen(theme.ACCENT, 1.2))
        painter.drawLine(here, point(plane, nearest.place))
    painter.setPen(NO_PEN)
    for age, past in enumerate(reversed(trail)):
        painter.setBrush(QColor(255, 255, 255, max(0, 150 - 12 * age)))
        painter.drawEllipse(point(plane, past), 2, 2)
    painter.setBrush(NO_BRUSH)
    painter.setPen(QPen(QColor(0, 0, 0, 170), 3.5))
    painter.drawEllipse(here, RING, RING)
    painter.setPen(QPen(theme.WHITE, 1.8))
    painter.drawEllipse(here, RING, RING)
    painter.setPen(NO_PEN)
    painter.setBrush(theme.WHITE)
    painter.drawEllipse(here, 3.2, 3.2)
    painter.setBrush(NO_BRUSH)


def paint_microphone(painter: QPainter, plane: Plane, place: Place) -> None:
    """A diamond at the live input."""
    here = point(plane, place)
    diamond = QPolygonF([here + QPointF(*step) for step in ((0, -10), (10, 0), (0, 10), (-10, 0))])
    painter.setPen(QPen(QColor(0, 0, 0, 180), 4))
    painter.drawPolygon(diamond)
    painter.setPen(QPen(QColor(130, 226, 190), 2.2))
    painter.setBrush(QColor(130, 226, 190, 90))
    painter.drawPolygon(diamond)
    painter.setBrush(NO_BRUSH)


def paint_drop(painter: QPainter, plane: Plane, here: QPointF, frame: Place) -> None:
    """The frame with which an image would be paired if it were dropped here."""
    target = point(plane, frame)
    painter.setPen(QPen(QColor(0, 0, 0, 160), 3.5))
    painter.drawLine(here, target)
    painter.setPen(QPen(theme.ACCENT, 1.8))
    painter.drawLine(here, target)
    painter.drawEllipse(target, 7, 7)


def paint_farthest(painter: QPainter, plane: Plane, place: Place, key: str) -> None:
    """A ring around the sound that is farthest from every image."""
    here = point(plane, place)
    painter.setPen(QPen(theme.WARNING, 2))
    painter.drawEllipse(here, 13, 13)
    painter.setFont(theme.font(theme.SMALL_SIZE))
    text = f"farthest from every image ({key} plays it)"
    size = painter.fontMetrics().horizontalAdvance(text)
    left = here.x() + 20 if here.x() + 24 + size < plane.width else here.x() - 20 - size
    painter.setPen(NO_PEN)
    painter.setBrush(QColor(15, 17, 20, 240))
    painter.drawRoundedRect(QRectF(left - 5, here.y() - 10, size + 10, 20), 4, 4)
    painter.setBrush(NO_BRUSH)
    painter.setPen(theme.WARNING)
    painter.drawText(QPointF(left, here.y() + 4), text)
