"""The model of the tray's candidates, and the delegate that draws them."""

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QPointF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.look import Look
from offline.pairing.window.pictures import Pictures

SIDE = 60  # logical pixels of a candidate
GRID = 64
Index = QModelIndex | QPersistentModelIndex

STAR = [
    (0, -1),
    (0.26, -0.32),
    (0.98, -0.3),
    (0.4, 0.14),
    (0.6, 0.82),
    (0, 0.42),
    (-0.6, 0.82),
    (-0.4, 0.14),
    (-0.98, -0.3),
    (-0.26, -0.32),
]


class TrayModel(QAbstractListModel):
    """Names of candidates."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.names: list[str] = []

    def show_names(self, names: list[str]) -> None:
        """List these candidates. If they are the same with more appended, the view does not scroll."""
        if names == self.names:
            return
        known = len(self.names)
        if known and names[:known] == self.names:
            self.beginInsertRows(QModelIndex(), known, len(names) - 1)
            self.names = names
            self.endInsertRows()
            return
        self.beginResetModel()
        self.names = names
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # as Qt has it
        return 0 if parent.isValid() else len(self.names)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        known = index.isValid() and index.row() < len(self.names)
        return self.names[index.row()] if known and role == Qt.ItemDataRole.UserRole else None


class TrayDelegate(QStyledItemDelegate):
    """A candidate: its picture, a star if it is chosen, a frame in its colour if it is on the map."""

    def __init__(self, parent: QObject, studio: Studio, look: Look, pictures: Pictures) -> None:
        super().__init__(parent)
        self._studio, self._look, self._pictures = studio, look, pictures
        self.placed: set[str] = set()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(GRID, GRID)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        name, project = index.data(Qt.ItemDataRole.UserRole), self._studio.project
        if project is None or not isinstance(name, str):
            return
        area = option.rect
        state = option.state
        box = area.adjusted(2, 2, -2, -2)
        ratio = painter.device().devicePixelRatio()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPixmap(box, self._pictures.pixmap(name, SIDE, ratio))
        if name in self.placed:
            painter.setPen(QPen(QColor(*self._look.colour_of(name)), 2.5))
            painter.drawRect(box)
        if state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_Selected):
            painter.setPen(QPen(theme.WHITE, 1.5))
            painter.drawRect(box.adjusted(-1, -1, 1, 1))
        if project.is_starred(name):
            corner = QPointF(box.right() - 9, box.top() + 10)
            painter.setPen(QPen(QColor(0, 0, 0, 200), 1.2))
            painter.setBrush(theme.ACCENT)
            painter.drawPolygon(QPolygonF([corner + QPointF(7 * x, 7 * y) for x, y in STAR]))
        painter.restore()
