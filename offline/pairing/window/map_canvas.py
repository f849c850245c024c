"""Paints the map: points, images, playhead, legend. Repaints only the parts that changed."""

from collections import deque

import numpy as np
from jaxtyping import UInt8
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QRegion, QResizeEvent
from PySide6.QtWidgets import QWidget

from offline.pairing import palette
from offline.pairing.colouring import drawing_order, gap_colours, row_colours
from offline.pairing.placed_pairs import PlacedPair
from offline.pairing.plane import Place, Plane
from offline.pairing.studio import Studio
from offline.pairing.window import map_marks as marks
from offline.pairing.window import theme
from offline.pairing.window.legend import paint_legend
from offline.pairing.window.look import Look
from offline.pairing.window.map_marks import Mark
from offline.pairing.window.map_points import MapPoints
from offline.pairing.window.parts import draw_card, draw_invitation, parts_of
from offline.pairing.window.pictures import Pictures

SETTLED_MS = 80  # delay after panning or zooming until the points are drawn sharp
TRAIL = 10  # places that the playhead has left behind
AROUND = 14  # pixels around the playhead that its ring and trail may touch


class MapCanvas(QWidget):
    """The map of one preset, without the handling of the pointer."""

    def __init__(self, studio: Studio, look: Look, pictures: Pictures) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(260, 180)
        self.studio, self.look, self.pictures = studio, look, pictures
        self.plane = Plane()
        self.points = MapPoints()
        self.painted = 0
        """Number of full or partial repaints."""
        self.marks: list[Mark] = []
        self.row_colours: UInt8[np.ndarray, "m 3"] = np.empty((0, 3), np.uint8)
        """The colours of rows before shading gaps."""
        self.row: int | None = None
        """The row at the playhead."""
        self.hovered = ""
        """The image under the pointer."""
        self.card: list[tuple[str, QColor]] = []
        """The description of what is under the pointer."""
        self.dragged = ""
        """The image that is dragged over the map."""
        self.drag_at = QPointF()
        self.progress_text = ""
        """The button of an empty map."""
        self._pairs: list[PlacedPair] = []
        self._near: Mark | None = None
        self._trail: deque[Place] = deque(maxlen=TRAIL)
        self._microphone: Place | None = None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self.update)
        look.changed.connect(self._take_look)
        pictures.arrived.connect(self._take_picture)

    def sizeHint(self) -> QSize:
        return QSize(700, 460)

    # what is shown

    def set_pairs(self, pairs: list[PlacedPair]) -> None:
        """Show the storyboard's images."""
        self._pairs = pairs

    def refresh_points(self) -> None:
        """Update positions, colours and visibility of the rows and the images."""
        board = self.studio.board
        if board is None:
            self.points.set_points(np.empty((0, 2), np.float32), np.empty((0, 3), np.uint8))
        else:
            images = [self.look.colour_number(pair.name) for pair in self._pairs]
            gaps = self.look.shows_gaps and bool(images)
            self.row_colours = row_colours(board, self.look.colour, images)
            colours = gap_colours(board) if gaps else self.row_colours
            colours = np.where(board.visible[:, None], colours, np.array(palette.MUTED, np.uint8))
            order = drawing_order(board, self.look.colour, gaps=gaps)
            self.points.set_points(board.places[order], np.ascontiguousarray(colours[order]))
        self.refresh_images()

    def refresh_images(self) -> None:
        """Update the positions of the images on the shown axes."""
        board = self.studio.board
        self.marks = [] if board is None else marks.marks_of(self._pairs, board)
        self._near = None
        self.set_row(self.row)
        self.update()

    def set_row(self, row: int | None) -> None:
        """Move the playhead; repaints only around it."""
        board = self.studio.board
        if board is None or row is None or row >= len(board.places):
            self.row, self._near = None, None
            self._trail.clear()
            return
        near = self._nearest(row)
        if row == self.row and near is self._near:
            return
        dirty = self._playhead_region()
        if self.row is not None and row != self.row:
            self._trail.append(board.place_of(self.row))
        self.row, self._near = row, near
        self.update(dirty.united(self._playhead_region()))

    def end_trail(self) -> None:
        """Remove the trail when the sound stops."""
        if self._trail:
            dirty = self._playhead_region()
            self._trail.clear()
            self.update(dirty)

    def set_microphone(self, place: Place | None) -> None:
        """Show the position of a live input."""
        if place == self._microphone:
            return
        for there in (self._microphone, place):
            if there is not None:
                self.update(marks.box_of(self.plane, there, 2 * AROUND).toAlignedRect())
        self._microphone = place

    def set_plane(self, plane: Plane) -> None:
        """Show another part of the map: scaled from the cached picture first, redrawn sharp a moment later."""
        if plane != self.plane:
            self.plane = plane
            self._settle.start(SETTLED_MS)
            self.update()

    def image_at(self, place: QPointF) -> Mark | None:
        """The image under a pixel; the topmost if several overlap."""
        if not self.look.shows_images:
            return None
        for mark in reversed(self._stacked()):
            if marks.box_of(self.plane, mark.place, self.look.image_size).contains(place):
                return mark
        return None

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        self.painted += 1
        ratio = self.devicePixelRatioF()
        if self.points.is_stale or (not self._settle.isActive() and not self.points.fits(self.plane, ratio)):
            self.points.draw(self.plane, ratio)
        painter = QPainter(self)
        painter.setClipRegion(event.region())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._settle.isActive())
        for part in parts_of(event.region()):
            self.points.paint(painter, QRectF(part), self.plane)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(theme.SMALL_SIZE))
        self._paint_marks(painter)
        self._paint_edges(painter)

    def _paint_marks(self, painter: QPainter) -> None:
        board, look, plane = self.studio.board, self.look, self.plane
        if board is None:
            return
        if look.shows_images:
            for mark in self._stacked():
                name = mark.pair.name
                if name != self.dragged:
                    flags = {"is_near": mark is self._near, "is_hovered": name == self.hovered}
                    marks.paint_image(painter, plane, mark, look, self.pictures, **flags)
        if look.shows_gaps and (row := board.farthest()) is not None:
            marks.paint_farthest(painter, plane, board.place_of(row), "Shift+G")
        if self.row is not None:
            near = self._near if look.shows_images else None
            marks.paint_playhead(painter, plane, board.place_of(self.row), near, list(self._trail))
        if self._microphone is not None:
            marks.paint_microphone(painter, plane, self._microphone)
        if self.dragged:
            frame = board.place_of(board.row_at(*plane.to_map((self.drag_at.x(), self.drag_at.y()))))
            marks.paint_drop(painter, plane, self.drag_at, frame)
            side = look.image_size
            box = QRectF(self.drag_at.x() - side / 2, self.drag_at.y() - side / 2, side, side).toRect()
            painter.drawPixmap(box, self.pictures.pixmap(self.dragged, side, self.devicePixelRatioF()))
            painter.setPen(theme.ACCENT)
            painter.drawRect(box)

    def _paint_edges(self, painter: QPainter) -> None:
        board, area = self.studio.board, QRectF(self.rect())
        if board is None:
            title, advice = self._invitation()
            draw_invitation(painter, area, title, advice)
            return
        corner = QPointF(area.right() - theme.GAP, area.top() + theme.GAP)
        paint_legend(painter, corner, board, self.look.colour, gaps=self.look.shows_gaps, images=len(self.marks))
        if self.card:
            draw_card(painter, self.card, (theme.GAP, area.bottom() - theme.GAP))

    def _invitation(self) -> tuple[str, str]:
        if self.progress_text:
            return self.progress_text, "The map appears when it is ready. Everything else works meanwhile."
        return "Drop sounds here", "Each moment of them becomes a point on this map."

    # helpers

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.plane = self.plane.resized(self.width(), self.height())
        self.update()

    def card_region(self) -> QRegion:
        """The rectangle that the description may cover."""
        return QRegion(0, self.height() - 100, self.width(), 100)

    def _stacked(self) -> list[Mark]:
        """Images from the bottom to the top: the selected, hovered and nearest ones come last."""
        look = self.look
        return sorted(
            self.marks, key=lambda m: (m is self._near, m.pair.name == self.hovered, m.pair.name == look.selected)
        )

    def _nearest(self, row: int) -> Mark | None:
        board = self.studio.board
        number = -1 if board is None else int(board.nearest[row])
        name = self._pairs[number].name if 0 <= number < len(self._pairs) else ""
        return next((mark for mark in self.marks if mark.pair.name == name), None)

    def _playhead_region(self) -> QRegion:
        board = self.studio.board
        if board is None or self.row is None:
            return QRegion()
        here = board.place_of(self.row)
        region = QRegion()
        for place in (here, *self._trail):
            region = region.united(marks.box_of(self.plane, place, 2 * AROUND).toAlignedRect())
        if self._near is not None:
            image = marks.box_of(self.plane, self._near.place, self.look.image_size + 22)
            frame = marks.box_of(self.plane, self._near.frame, 8)
            line = QRectF(marks.point(self.plane, here), image.center()).normalized().adjusted(-3, -3, 3, 3)
            region = region.united(image.united(frame).toAlignedRect()).united(line.toAlignedRect())
        return region

    def _take_look(self, name: str) -> None:
        if name == "shows_gaps":
            self.refresh_points()
        elif name == "point_size":
            self.points.set_size(self.look.point_size)
        self.update()

    def _take_picture(self, name: str) -> None:
        for mark in self.marks:
            if mark.pair.name == name:
                self.update(marks.box_of(self.plane, mark.place, self.look.image_size).toAlignedRect())
