"""The map under the pointer: scrub, hover, drag images, zoom and pan."""

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QMouseEvent,
    QResizeEvent,
    QWheelEvent,
)

from offline.pairing.plane import STEP, Plane
from offline.pairing.storyboard import Moment
from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.dragging import dragged_image
from offline.pairing.window.look import Look
from offline.pairing.window.map_canvas import MapCanvas
from offline.pairing.window.parts import button, timecode
from offline.pairing.window.pictures import Pictures

DRAG = 4  # pixels that the pointer moves before a press becomes a drag
HOVER = 40  # pixels: a sound that is farther from the pointer is not described
STRIKING = 3  # descriptors that a card names
NOTCH = 120  # of a wheel, in Qt's units


class MapView(MapCanvas):
    """The map of one preset. The left button hears and drags images, the right and middle ones pan, the wheel zooms."""

    scrubbed = Signal(int)
    """The row under the pointer, to be played."""
    released = Signal()
    """The pointer no longer scrubs."""
    dropped = Signal(str, float, float)
    """An image was dropped at a position on the shown axes."""
    sounds_wanted = Signal()
    """The button of an empty map was clicked."""
    menu_wanted = Signal(str, object)
    """A context menu for an image (empty: for the map), at a point of the screen."""

    def __init__(self, studio: Studio, look: Look, pictures: Pictures) -> None:
        super().__init__(studio, look, pictures)
        self.setObjectName("map")
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._pressed: QPointF | None = None
        self._grabbed = ""
        self._panned_from: QPointF | None = None
        self._has_panned = False
        self._hover_row: int | None = None
        self._add = button("Add sounds…", self.sounds_wanted.emit, role="primary")
        self._add.setObjectName("add-sounds")
        self._add.setParent(self)

    def refresh_points(self) -> None:
        super().refresh_points()
        self.place_button()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.place_button()

    def place_button(self) -> None:
        """Place the button of an empty map below its text; hidden while sounds are being mapped."""
        self._add.setVisible(self.studio.board is None and not self.progress_text)
        self._add.adjustSize()
        self._add.move((self.width() - self._add.width()) // 2, self.height() // 2 + 34)

    def pointer_place(self) -> QPointF | None:
        """The pixel under the pointer; None if it is elsewhere."""
        place = self.mapFromGlobal(self.cursor().pos())
        return QPointF(place) if self.rect().contains(place) else None

    def zoom(self, notches: float, place: QPointF | None) -> None:
        """Zoom in by a number of notches of the wheel, at a pixel."""
        self.set_plane(self.plane.zoomed(STEP**notches, None if place is None else (place.x(), place.y())))

    def fit(self) -> None:
        """Show the whole map."""
        self.set_plane(Plane(self.plane.width, self.plane.height))

    # the pointer

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom((event.angleDelta().y() or event.angleDelta().x()) / NOTCH, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = event.position()
        is_shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.button() in (Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton) or is_shifted:
            self._panned_from, self._has_panned = place, False
        elif event.button() == Qt.MouseButton.LeftButton:
            mark = self.image_at(place)
            self._pressed, self._grabbed = place, mark.pair.name if mark else ""
            self.look.change(selected=self._grabbed)
            if mark is None:
                self._scrub(place)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position()
        if self._panned_from is not None:
            step = place - self._panned_from
            if self._has_panned or step.manhattanLength() > DRAG:
                self._has_panned = True
                self._panned_from = place
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
                self.set_plane(self.plane.panned(step.x(), step.y()))
        elif self._pressed is not None and self._grabbed:
            if self.dragged or (place - self._pressed).manhattanLength() > DRAG:
                self._drag(self._grabbed, place)
        elif self._pressed is not None:
            self._scrub(place)
        else:
            self.describe(place)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._panned_from = None
        self.unsetCursor()
        if event.button() != Qt.MouseButton.LeftButton:
            return
        name, self.dragged = self.dragged, ""
        self._pressed, self._grabbed = None, ""
        self.released.emit()
        if name:
            place = event.position()
            self.dropped.emit(name, *self.plane.to_map((place.x(), place.y())))
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self._has_panned:
            self._has_panned = False
            return
        mark = self.image_at(QPointF(event.pos()))
        if mark is not None:
            self.look.change(selected=mark.pair.name)
        self.menu_wanted.emit(mark.pair.name if mark else "", event.globalPos())

    def leaveEvent(self, event: QEvent) -> None:
        self.forget_pointer()

    def forget_pointer(self) -> None:
        """Remove the description of what was under the pointer."""
        if self.card or self.hovered:
            self.hovered, self._hover_row, self.card = "", None, []
            self.update()

    # images from the tray

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dragged_image(event.mimeData()) and self.studio.board is not None:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._drag(dragged_image(event.mimeData()), event.position())
        event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.dragged = ""
        self.released.emit()
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        name, self.dragged = dragged_image(event.mimeData()), ""
        self.released.emit()
        event.acceptProposedAction()
        self.dropped.emit(name, *self.plane.to_map((event.position().x(), event.position().y())))
        self.update()

    # helpers

    def _scrub(self, place: QPointF) -> None:
        if self.studio.board is not None:
            self.scrubbed.emit(self.studio.board.row_at(*self.plane.to_map((place.x(), place.y()))))

    def _drag(self, name: str, place: QPointF) -> None:
        self.dragged, self.drag_at = name, place
        self._scrub(place)
        self.update()

    def describe(self, place: QPointF) -> None:
        """Describe what is under the pointer: an image, or else a sound."""
        board = self.studio.board
        if board is None:
            return
        mark = self.image_at(place)
        name = mark.pair.name if mark else ""
        if name != self.hovered:
            self.hovered = name
            self.update()
        if mark is not None:
            self._hover_row = None
            loss = "not trained yet" if mark.pair.loss is None else f"loss {mark.pair.loss:.1e}"
            number, seconds = board.time_of(mark.pair.row)
            lines = [(f"{name}   {board.sounds[number].name} {timecode(seconds)}   {loss}", theme.TEXT)]
            self._show_card([*lines, *([(mark.warning, theme.WARNING)] if mark.warning else [])])
            return
        row = board.row_at(*self.plane.to_map((place.x(), place.y())))
        x, y = self.plane.to_view(board.place_of(row))
        if abs(x - place.x()) + abs(y - place.y()) > HOVER:
            row = -1
        if row != self._hover_row:
            self._hover_row = row
            self._show_card([] if row < 0 else _described(board.moment(row)))

    def _show_card(self, lines: list[tuple[str, QColor]]) -> None:
        if lines != self.card:
            self.card = lines
            self.update(self.card_region())


def _described(moment: Moment) -> list[tuple[str, QColor]]:
    """The description of a moment of sound."""
    near = f"   nearest {moment.nearest}" if moment.nearest else ""
    striking = "   ".join(
        f"{name} {value:.4g} ({deviations:+.1f})" for name, value, deviations in moment.striking[:STRIKING]
    )
    return [(f"{moment.name}  {timecode(moment.seconds)}{near}", theme.TEXT), (striking, theme.DIM)]
