"""The legend of the map's colours: a scale with its ends, or the colour of each sound."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter

from offline.pairing import palette
from offline.pairing.storyboard import Storyboard
from offline.pairing.window import theme

WIDTH = 150
LISTED = 8  # sounds


def paint_legend(
    painter: QPainter, corner: QPointF, board: Storyboard, colour: str, *, gaps: bool, images: int
) -> QRectF:
    """Paint it with its top right corner here; return its rectangle."""
    painter.setFont(theme.font(theme.SMALL_SIZE))
    line = painter.fontMetrics().height()
    if gaps:
        stops, ends, title = [palette.COVERED, palette.GAP], ("near an image", "far"), "gaps"
    elif colour == "image" and images:
        return _paint_text(painter, corner, f"colour: the nearest of {images} images")
    elif colour == "sound":
        return _paint_sounds(painter, corner, board)
    else:
        name = "loudness" if colour == "image" else colour
        scale = board.scale(name)
        chosen = palette.TIME if name == "time" else palette.VALUE
        stops = [(int(red), int(green), int(blue)) for red, green, blue in chosen[::51]]
        ends, title = (scale.ticks[0][1], scale.ticks[-1][1]) if scale.ticks else ("low", "high"), name
    box = QRectF(corner.x() - WIDTH - 20, corner.y(), WIDTH + 20, 2 * line + 24)
    _ground(painter, box)
    painter.setPen(theme.TEXT)
    painter.drawText(QRectF(box.x() + 10, box.y() + 5, WIDTH, line), Qt.AlignmentFlag.AlignLeft, title)
    bar = QRectF(box.x() + 10, box.y() + line + 8, WIDTH, 7)
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    for number, stop in enumerate(stops):
        gradient.setColorAt(number / (len(stops) - 1), QColor(*stop))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(gradient)
    painter.drawRoundedRect(bar, 3, 3)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(theme.DIM)
    below = QRectF(bar.x(), bar.bottom() + 2, WIDTH, line)
    painter.drawText(below, Qt.AlignmentFlag.AlignLeft, ends[0])
    painter.drawText(below, Qt.AlignmentFlag.AlignRight, ends[1])
    return box


def _paint_sounds(painter: QPainter, corner: QPointF, board: Storyboard) -> QRectF:
    sounds = board.sounds
    line = painter.fontMetrics().height() + 2
    more = len(sounds) - LISTED
    rows = min(len(sounds), LISTED) + (more > 0)
    box = QRectF(corner.x() - WIDTH - 20, corner.y(), WIDTH + 20, rows * line + 12)
    _ground(painter, box)
    for number, sound in enumerate(sounds[:LISTED]):
        y = box.y() + 6 + number * line
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*palette.distinct(number)))
        painter.drawEllipse(QPointF(box.x() + 15, y + line / 2), 4.5, 4.5)
        painter.setPen(theme.TEXT)
        name = painter.fontMetrics().elidedText(sound.name, Qt.TextElideMode.ElideMiddle, WIDTH - 20)
        painter.drawText(QRectF(box.x() + 27, y, WIDTH - 18, line), Qt.AlignmentFlag.AlignVCenter, name)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if more > 0:
        painter.setPen(theme.DIM)
        place = QRectF(box.x() + 27, box.y() + 6 + LISTED * line, WIDTH - 18, line)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, f"and {more} more")
    return box


def _paint_text(painter: QPainter, corner: QPointF, text: str) -> QRectF:
    metrics = painter.fontMetrics()
    width = metrics.horizontalAdvance(text) + 20
    box = QRectF(corner.x() - width, corner.y(), width, metrics.height() + 10)
    _ground(painter, box)
    painter.setPen(theme.DIM)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
    return box


def _ground(painter: QPainter, box: QRectF) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(26, 28, 33, 225))
    painter.drawRoundedRect(box, 6, 6)
    painter.setBrush(Qt.BrushStyle.NoBrush)
