"""The map: every moment of sound a point, images in their places. Scrub, drag, zoom and pan on it."""

import time
from collections import deque

import numpy as np
from jaxtyping import UInt8
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QRegion,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from offline.pairing import palette
from offline.pairing.plane import STEP, Place, Plane, clamped
from offline.pairing.studio import Studio
from offline.pairing.window import map_marks as marks
from offline.pairing.window import theme
from offline.pairing.window.keys import key_of
from offline.pairing.window.legend import paint_legend
from offline.pairing.window.look import Look
from offline.pairing.window.map_marks import Mark
from offline.pairing.window.parts import draw_card, draw_invitation, timecode
from offline.pairing.window.pictures import Pictures
from offline.pairing.window.tray_model import dragged_name

SETTLED_MS = 70  # after the last step of panning or zooming the points are drawn sharp
DRAG = 4  # pixels that the pointer moves before a press becomes a drag
TRAIL = 10  # places
GAP_FULL = 0.12  # distance on the map at which a gap has its full colour


class MapView(QWidget):
    """The map of one preset. It asks the studio for what it shows and forwards what the pointer does."""

    scrubbed = Signal(int)
    """The row under the pointer, to be heard."""
    released = Signal()
    """The pointer no longer scrubs."""
    dropped = Signal(str, float, float)
    """An image was let go at a place on the shown axes."""
    menu_wanted = Signal(str, object)
    """A context menu for an image (empty: for the map), at a point of the screen."""

    def __init__(self, studio: Studio, look: Look, pictures: Pictures) -> None:
        super().__init__()
        self.setObjectName("map")
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(260, 200)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.plane = Plane()
        self.points = marks_points()
        self.painted = 0
        """How often it was painted, wholly or in part."""
        self._studio, self._look, self._pictures = studio, look, pictures
        self._marks: list[Mark] = []
        self._row: int | None = None
        self._near: Mark | None = None
        self._trail: deque[Place] = deque(maxlen=TRAIL)
        self._microphone: Place | None = None
        self._hovered = ""
        self._card: list[tuple[str, object]] = []
        self._hover_row: int | None = None
        self._press: QPointF | None = None
        self._last = QPointF()
        self._grabbed = ""
        self._dragged = ""
        self._drag_at = QPointF()
        self._is_panning = self._is_scrubbing = self._has_panned = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self.update)
        self._moved_at = 0.0
        look.changed.connect(self._take_look)
        pictures.arrived.connect(self._take_picture)
