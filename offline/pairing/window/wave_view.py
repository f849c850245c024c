"""The waveform of a sound in the map's colours, with playhead, region and the film below it."""

import numpy as np
from jaxtyping import UInt8
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from offline.pairing.studio import Studio
from offline.pairing.timespan import Timespan
from offline.pairing.window import theme
from offline.pairing.window.dragging import dragged_image
from offline.pairing.window.look import Look
from offline.pairing.window.parts import draw_invitation, parts_of
from offline.pairing.window.pictures import Pictures
from offline.pairing.window.wave_picture import RULER, STRIP, kept_picture

ZOOM = 1.25  # for a notch of the wheel
NOTCH = 120  # of a wheel, in Qt's units
EDGE = 6  # pixels around the end of a region by which it is taken
LEAST_REGION = 0.02  # seconds


class WaveView(QWidget):
    """One sound. The left button plays, or draws a region on the ruler; the wheel zooms, or with Shift moves."""

    scrubbed = Signal(int, float)
    """A moment of a sound, to be played."""
    released = Signal()
    dropped = Signal(str, int, float)
    """An image was dropped on a moment of a sound."""

    def __init__(self, studio: Studio, look: Look, pictures: Pictures) -> None:
        super().__init__()
        self.setObjectName("wave")
        self.setAcceptDrops(True)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumHeight(RULER + STRIP + 56)
        self.studio, self.look, self.pictures = studio, look, pictures
        self.sound = 0
        self.span = Timespan.whole(0.0, 1.0)
        self._picture: QPixmap | None = None
        self._colours: UInt8[np.ndarray, "m 3"] = np.empty((0, 3), np.uint8)
        self._playhead = 0.0
        self._action = ""
        self._fixed = 0.0
        self._drop_at: float | None = None
        look.changed.connect(self._take_look)
        pictures.arrived.connect(self._take_picture)

    def sizeHint(self) -> QSize:
        return QSize(900, RULER + STRIP + 90)

    # what is shown

    def show_sound(self, sound: int) -> None:
        """Show another sound, whole."""
        board = self.studio.board
        length = board.sounds[sound].seconds if board is not None and sound < len(board.sounds) else 0.0
        self.sound, self.span = sound, Timespan.whole(length, self.width())
        self.redraw()

    def set_colours(self, colours: UInt8[np.ndarray, "m 3"]) -> None:
        """Redraw the waveform in the colours of the map, and the film."""
        self._colours = colours
        self.redraw()

    def redraw(self) -> None:
        """Redraw it in the same colours."""
        self._picture = None
        self.update()

    def set_playhead(self, seconds: float, *, follow: bool = False) -> None:
        """Move the playhead. follow: scroll by a page when it leaves the view."""
        if follow and self._action == "" and (span := self.span.following(seconds)) != self.span:
            self.set_span(span)
        before, now = self.span.pixel(self._playhead), self.span.pixel(seconds)
        self._playhead = seconds
        if abs(before - now) > 0.2:
            for x in (before, now):
                self.update(int(x) - 3, 0, 7, self.height())

    def set_span(self, span: Timespan) -> None:
        """Show another span."""
        if span != self.span:
            self.span = span
            self.redraw()

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.studio.board is None:
            painter.fillRect(self.rect(), theme.GROUND)
            draw_invitation(painter, QRectF(self.rect()), "", "The sound and its film appear here.")
            return
        if self._picture is None:
            self._picture = kept_picture(
                self.studio,
                self.look,
                self.pictures,
                self._colours,
                self.sound,
                self.span,
                self.height(),
                self.devicePixelRatioF(),
            )
        ratio = self._picture.devicePixelRatio()
        for part in parts_of(event.region()):
            source = QRectF(part.x() * ratio, part.y() * ratio, part.width() * ratio, part.height() * ratio)
            painter.drawPixmap(QRectF(part), self._picture, source)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.look.region is not None:
            self._paint_region(painter, *self.look.region)
        if self._drop_at is not None:
            painter.setPen(QPen(theme.ACCENT, 2))
            painter.drawLine(
                QPointF(self.span.pixel(self._drop_at), 0), QPointF(self.span.pixel(self._drop_at), self.height())
            )
        x = self.span.pixel(self._playhead)
        painter.setPen(QPen(QColor(0, 0, 0, 140), 3.5))
        painter.drawLine(QPointF(x, RULER), QPointF(x, self.height()))
        painter.setPen(QPen(theme.WHITE, 1.4))
        painter.drawLine(QPointF(x, 2), QPointF(x, self.height()))

    def _paint_region(self, painter: QPainter, start: float, end: float) -> None:
        left, right = self.span.pixel(start), self.span.pixel(end)
        shade = QColor(10, 11, 13, 150)
        painter.fillRect(QRectF(0, RULER, max(0.0, left), self.height() - RULER), shade)
        painter.fillRect(QRectF(right, RULER, max(0.0, self.width() - right), self.height() - RULER), shade)
        painter.fillRect(QRectF(left, 0, right - left, 3), theme.ACCENT)
        painter.setPen(QPen(theme.ACCENT, 1))
        for x in (left, right):
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.span = self.span.resized(self.width())
        self.redraw()

    # the pointer

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta()
        is_shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if is_shifted or abs(steps.x()) > abs(steps.y()):
            notches = (steps.x() or steps.y()) / NOTCH
            self.set_span(self.span.moved(-notches * 0.1 * (self.span.end - self.span.start)))
        else:
            self.set_span(self.span.zoomed(ZOOM ** (steps.y() / NOTCH), event.position().x()))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self.studio.board is None:
            return
        x, seconds = event.position().x(), self.span.seconds(event.position().x())
        end = self._end_of_region_at(x)
        if end is not None and self.look.region is not None:
            self._action, self._fixed = "region", self.look.region[1 - end]
        elif event.position().y() < RULER:
            self._action, self._fixed = "region", seconds
        else:
            self._action = "scrub"
            self.scrubbed.emit(self.sound, seconds)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        seconds = self.span.seconds(x)
        if self._action == "scrub":
            self.scrubbed.emit(self.sound, seconds)
        elif self._action == "region":
            start, end = sorted((self._fixed, seconds))
            self.look.change(region=(start, end) if end - start >= LEAST_REGION else None)
        else:
            on_end = self._end_of_region_at(x) is not None
            on_ruler = event.position().y() < RULER
            shapes = Qt.CursorShape
            self.setCursor(shapes.SizeHorCursor if on_end else shapes.IBeamCursor if on_ruler else shapes.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._action == "scrub":
            self.released.emit()
        self._action = ""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.position().y() < RULER:
            self.set_span(Timespan.whole(self.span.length, self.width()))
        else:
            self.mousePressEvent(event)

    # images from the tray

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dragged_image(event.mimeData()) and self.studio.board is not None:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._drop_at = self.span.seconds(event.position().x())
        self.scrubbed.emit(self.sound, self._drop_at)
        event.acceptProposedAction()
        self.update()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._end_drop()

    def dropEvent(self, event: QDropEvent) -> None:
        seconds = self.span.seconds(event.position().x())
        self._end_drop()
        event.acceptProposedAction()
        self.dropped.emit(dragged_image(event.mimeData()), self.sound, seconds)

    # helpers

    def _end_drop(self) -> None:
        self._drop_at = None
        self.released.emit()
        self.update()

    def _end_of_region_at(self, x: float) -> int | None:
        """0 or 1 if the pointer is on the start or end of the region."""
        for number, seconds in enumerate(self.look.region or ()):
            if abs(self.span.pixel(seconds) - x) <= EDGE:
                return number
        return None

    def _take_look(self, name: str) -> None:
        if name == "selected":
            self.redraw()
        elif name == "region":
            self.update()

    def _take_picture(self, name: str) -> None:
        project = self.studio.project
        if project is not None and any(pair.name == name for pair in project.pairs):
            self.redraw()
