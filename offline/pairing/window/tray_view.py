"""The tray: candidates to choose from, to look at closely, and to drag onto the map or the waveform."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, QModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QPixmap
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QLabel, QListView, QPushButton, QVBoxLayout, QWidget

from offline.pairing.project import Show
from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.dragging import drag_image
from offline.pairing.window.look import Look
from offline.pairing.window.parts import button, label, row
from offline.pairing.window.pictures import Pictures, to_image
from offline.pairing.window.tray_model import GRID, TrayDelegate, TrayModel

SHOWN: tuple[tuple[Show, str], ...] = (
    ("all", "All candidates"),
    ("chosen", "Candidates with a star"),
    ("free", "Candidates that are not on the map"),
    ("similar", "Candidates that look most like the selected image"),
)
MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right)
ZOOMED = 256  # pixels of the picture beside the tray
MORE = 500


class CandidateList(QListView):
    """The candidates in a grid."""

    pointed = Signal(str)
    """The candidate under the pointer; empty if there is none."""
    starred = Signal(str)
    """A candidate was double-clicked."""
    menu_wanted = Signal(str, object)

    def __init__(self, pictures: Pictures, look: Look) -> None:
        super().__init__()
        self.setObjectName("tray")
        self._pictures, self._look = pictures, look
        self._pressed: QPoint | None = None
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setGridSize(QSize(GRID, GRID))
        self.setSpacing(0)
        self.setMouseTracking(True)
        self.setDragEnabled(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.entered.connect(lambda index: self.pointed.emit(index.data(Qt.ItemDataRole.UserRole) or ""))
        self.viewportEntered.connect(lambda: self.pointed.emit(""))
        self.doubleClicked.connect(lambda index: self.starred.emit(index.data(Qt.ItemDataRole.UserRole)))

    @property
    def current(self) -> str:
        """The selected candidate; empty if none is."""
        name = self.currentIndex().data(Qt.ItemDataRole.UserRole)
        return name if isinstance(name, str) else ""

    def startDrag(self, actions: Qt.DropAction) -> None:
        if self.current:
            self.pointed.emit("")
            picture = self._pictures.pixmap(self.current, self._look.image_size, self.devicePixelRatioF())
            drag_image(self, self.current, picture)

    def leaveEvent(self, event: QEvent) -> None:
        self.pointed.emit("")
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pointed.emit("")
        super().mousePressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in MOVES:
            event.accept()  # the arrows are the tray's while it has the keyboard
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in MOVES:  # other keys are the window's, also letters, by which a list would search
            super().keyPressEvent(event)
        else:
            event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        name = self.indexAt(event.pos()).data(Qt.ItemDataRole.UserRole)
        if isinstance(name, str):
            self.menu_wanted.emit(name, event.globalPos())


class Tray(QWidget):
    """The choice of candidates to show, their grid, and a button for more."""

    def __init__(self, studio: Studio, look: Look, pictures: Pictures) -> None:
        super().__init__()
        self.studio, self.look, self.pictures = studio, look, pictures
        self._show: Show = "all"
        self._like = ""
        self._buttons: dict[Show, QPushButton] = {}
        group = QButtonGroup(self)
        for show, tip in SHOWN:
            made = button(show.capitalize(), partial(self.show_those, show), tip)
            made.setCheckable(True)
            made.setStyleSheet("padding: 0 6px")
            made.setObjectName(f"tray-{show}")
            group.addButton(made)
            self._buttons[show] = made
        self._buttons["all"].setChecked(True)
        self.list = CandidateList(pictures, look)
        self.model = TrayModel(self)
        self.delegate = TrayDelegate(self, studio, look, pictures)
        self.list.setModel(self.model)
        self.list.setItemDelegate(self.delegate)
        self.count = label("", "small")
        self.more = button(f"{MORE} more", self._make_more, f"Make {MORE} more images")
        self.more.setObjectName("more")
        self.apart = button("17 far apart", self.choose_far_apart, "Choose 17 that look as different as possible")
        self.apart.setObjectName("far-apart")
        self._empty = _Empty(self._make_more)
        stack = QGridLayout()
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addWidget(self.list, 0, 0)
        stack.addWidget(self._empty, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.GAP, 0, 2, 0)
        layout.setSpacing(6)
        layout.addLayout(row(*self._buttons.values(), None, gap=3))
        layout.addLayout(stack, 1)
        layout.addLayout(row(self.more, self.apart, None, self.count))
        self._closer = QLabel(self.window())
        self._closer.hide()
        self._zoomed: tuple[str, int] = ("", 0)  # name of the image beside the tray, and which picture of it
        self.list.pointed.connect(self._zoom)
        pictures.arrived.connect(lambda _name: self.list.viewport().update())
        look.changed.connect(self._take_look)

    def refresh(self) -> None:
        """Update the list of candidates."""
        project = self.studio.project
        has_any = project is not None and project.candidates is not None
        self._empty.setVisible(not has_any)
        self.list.setVisible(has_any)
        for part in (self.more, self.apart, *self._buttons.values()):
            part.setVisible(has_any)
        if project is None or not has_any:
            self.model.show_names([])
            self.count.setText("")
            return
        self.delegate.placed = {pair.name for pair in project.pairs}
        names = project.tray(self._show, self._like or None)
        self.model.show_names(names)
        self.count.setText(f"{len(names)}")
        self.list.viewport().update()

    def show_those(self, show: Show) -> None:
        """Show all, the chosen, the free or the similar ones."""
        self._show = show
        self._buttons[show].setChecked(True)
        if show == "similar":
            self._like = self.look.selected or self.list.current or self._like
        self.refresh()
        self.list.scrollToTop()

    def show_similar(self, name: str) -> None:
        """Show the candidates that look most like this one."""
        self.look.change(selected=name)
        self.show_those("similar")

    def choose_far_apart(self) -> None:
        """Star candidates that look as different as possible."""
        project = self.studio.project
        if project is not None and (names := self.studio.attempt(project.distant)):
            self.studio.attempt(project.star, names, True)
            self.show_those("chosen")

    def _make_more(self) -> None:
        if self.studio.project is not None:
            self.studio.attempt(self.studio.jobs.make_candidates, MORE)

    def follow(self) -> None:
        """Show the candidate under the pointer in the film's shape when that is drawn."""
        name, number = self._zoomed
        if name and id(self.studio.film.image_in_shape(name)) != number:
            self._zoom(name)

    def _zoom(self, name: str) -> None:
        """Show the candidate under the pointer large, beside the tray."""
        self.look.peeked.emit(name)
        image = self.studio.film.image_in_shape(name) if name else None
        self._zoomed = name, id(image)
        if image is None:
            self._closer.hide()
            return
        window = self.window()
        if self._closer.parent() is not window:
            self._closer.setParent(window)
            self._closer.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            self._closer.setStyleSheet(
                f"border: 2px solid {theme.RAISED_MORE.name()}; background: {theme.GROUND.name()}"
            )
        ratio = self.devicePixelRatioF()
        side = round(ZOOMED * ratio)
        picture = to_image(image).scaled(
            2 * side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        picture.setDevicePixelRatio(ratio)
        self._closer.setPixmap(QPixmap.fromImage(picture))
        self._closer.setFixedSize(round(picture.width() / ratio) + 4, round(picture.height() / ratio) + 4)
        index = self.model.index(self.model.names.index(name)) if name in self.model.names else QModelIndex()
        level = self.list.visualRect(index).center().y()
        corner = self.list.mapTo(window, QPoint(self.list.width() + 4, level - ZOOMED // 2))
        highest = window.height() - ZOOMED - 12
        self._closer.move(corner.x(), min(max(corner.y(), 40), highest))
        self._closer.show()
        self._closer.raise_()

    def _take_look(self, name: str) -> None:
        if name in ("selected", "colour"):
            if name == "selected" and self._show == "similar" and self.look.selected:
                self._like = self.look.selected
                self.refresh()
            self.list.viewport().update()


class _Empty(QWidget):
    """The text of a tray without candidates."""

    def __init__(self, make: Callable[[], None]) -> None:
        super().__init__()
        title = label("No images yet", "title")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        advice = label("Make some to choose from: the generator draws each from a random number.", "dim")
        advice.setWordWrap(True)
        advice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        made = button(f"Make {MORE} candidates", make, role="primary")
        made.setObjectName("make-candidates")
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addStretch(1)
        for part in (title, advice, made):
            layout.addWidget(part)
        layout.addStretch(1)
