"""The list of pairs: image, moment of sound, loss, warnings."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QIcon
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from offline.pairing.jobs import Fit
from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.look import Look
from offline.pairing.window.map_marks import Mark
from offline.pairing.window.parts import Elided, button, label, row, timecode
from offline.pairing.window.pictures import Pictures

SIDE = 24  # pixels of a thumbnail in the list
IMAGE, MOMENT, LOSS = range(3)


class PairsView(QWidget):
    """A row for each pair, in the order of the sound."""

    wanted = Signal(int)
    """The row of the corpus that the clicked pair belongs to."""
    menu_wanted = Signal(str, object)

    def __init__(self, studio: Studio, look: Look, pictures: Pictures) -> None:
        super().__init__()
        self.studio, self.look, self.pictures = studio, look, pictures
        self._names: list[str] = []
        self._rows: list[int] = []
        self.table = QTableWidget(0, 3)
        self.table.setObjectName("pairs")
        self.table.setHorizontalHeaderLabels(["image", "moment", "loss"])
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(SIDE + 4)
        self.table.setIconSize(QSize(SIDE, SIDE))
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        header = self.table.horizontalHeader()
        for column, mode in ((IMAGE, "ResizeToContents"), (MOMENT, "Stretch"), (LOSS, "ResizeToContents")):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode[mode])
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        header.setHighlightSections(False)
        self.line = Elided("", "small")
        self.line.setObjectName("training")
        self.on_drop = QCheckBox("Train on drop")
        self.on_drop.setToolTip("Fit the mapping again after each change of the pairs")
        self.on_drop.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.on_drop.toggled.connect(self._set_on_drop)
        self.train = button("Train", lambda: studio.attempt(studio.jobs.train), "Fit the mapping to the pairs now")
        self.train.setObjectName("train")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        self._empty = label(
            "No pairs yet. Drag images from the tray onto the map: each is paired with the sound there.", "dim"
        )
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setContentsMargins(16, 0, 16, 0)
        layout.addWidget(self.table, 1)
        layout.addWidget(self._empty, 1)
        below = row(self.on_drop, self.line, self.train, gap=10)
        below.setStretch(1, 1)
        layout.addLayout(below)
        self.table.cellClicked.connect(self._choose)
        look.changed.connect(lambda name: self._mark() if name == "selected" else None)
        pictures.arrived.connect(self._take_picture)

    def refresh(self) -> None:
        """Update the list of pairs."""
        project, board = self.studio.project, self.studio.board
        pairs = project.pairs if project else []
        self.table.setVisible(bool(pairs))
        self._empty.setVisible(not pairs)
        self.train.setEnabled(bool(pairs))
        self.on_drop.setChecked(self.studio.jobs.train_on_drop)
        if board is not None:
            pairs = sorted(pairs, key=lambda pair: board.time_of(pair.row))
        was_empty = not self._names
        self._names, self._rows = [pair.name for pair in pairs], [pair.row for pair in pairs]
        self.table.setRowCount(len(pairs))
        for number, pair in enumerate(pairs):
            moment = ""
            if board is not None:
                sound, seconds = board.time_of(pair.row)
                moment = timecode(seconds) + (f"  {board.sounds[sound].name}" if len(board.sounds) > 1 else "")
            loss = "" if pair.loss is None else f"{pair.loss:.0e}"
            warning = Mark(pair, (pair.x, pair.y), (pair.x, pair.y)).warning
            for column, text in enumerate((pair.name, moment, loss)):
                cell = QTableWidgetItem(f"⚠ {text}" if warning and column == IMAGE else text)
                cell.setToolTip(f"{pair.name} {warning}" if warning else "")
                cell.setForeground(theme.WARNING if warning else theme.TEXT if column == IMAGE else theme.DIM)
                self.table.setItem(number, column, cell)
            self._set_picture(number, pair.name)
        if was_empty:
            self.table.scrollToTop()
        self._mark()

    def show_training(self, is_running: bool, fit: Fit | None) -> None:
        """Show the state of the training."""
        if is_running:
            self.line.show_text("training…")
        elif fit is None:
            project = self.studio.project
            is_trained = project is not None and project.is_trained
            count = f"{len(self._names)} pairs"
            self.line.show_text(f"{count} {'learned' if is_trained else 'to train'}" if self._names else "")
        else:
            rest = f"; not learned: {', '.join(fit.unlearned)}" if fit.unlearned else ""
            self.line.show_text(
                f"{fit.pairs} pairs learned, loss down {fit.orders:.1f} orders in {fit.seconds:.1f} s{rest}"
            )

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        place = self.table.viewport().mapFrom(self, event.pos())
        number = self.table.rowAt(place.y())
        if 0 <= number < len(self._names):
            self.look.change(selected=self._names[number])
            self.menu_wanted.emit(self._names[number], event.globalPos())

    def _choose(self, number: int, _column: int) -> None:
        self.look.change(selected=self._names[number])
        self.wanted.emit(self._rows[number])

    def _mark(self) -> None:
        """Select the row of the selected image."""
        if self.look.selected in self._names:
            self.table.selectRow(self._names.index(self.look.selected))
        else:
            self.table.clearSelection()

    def _set_picture(self, number: int, name: str) -> None:
        item = self.table.item(number, IMAGE)
        if item is not None:
            item.setIcon(QIcon(self.pictures.pixmap(name, SIDE, self.devicePixelRatioF())))

    def _take_picture(self, name: str) -> None:
        if name in self._names:
            self._set_picture(self._names.index(name), name)

    def _set_on_drop(self, is_on: bool) -> None:
        self.studio.jobs.train_on_drop = is_on
