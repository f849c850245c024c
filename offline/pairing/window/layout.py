"""The parts of the window and their places: tray, map and film side by side, the sound below."""

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QAction, QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QMenuBar,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.actions import make_menus
from offline.pairing.window.film_panel import FilmPanel
from offline.pairing.window.hints import Hints
from offline.pairing.window.jobs_bar import JobsBar
from offline.pairing.window.look import Look
from offline.pairing.window.map_bar import MapBar
from offline.pairing.window.map_view import MapView
from offline.pairing.window.motion_view import MotionView
from offline.pairing.window.notice_bar import NoticeBar
from offline.pairing.window.pairs_view import PairsView
from offline.pairing.window.parts import Elided, label, row
from offline.pairing.window.pictures import Pictures
from offline.pairing.window.settings_view import SettingsView
from offline.pairing.window.transport_bar import TransportBar
from offline.pairing.window.tray_view import Tray
from offline.pairing.window.wave_view import WaveView
from offline.pairing.window.welcome import Welcome

SIZE = (1280, 720)
FRAME = 30  # pixels of a title bar


class Layout(QMainWindow):
    """A window with all parts in place; MainWindow connects their signals."""

    def __init__(self, studio: Studio, look: Look, pictures: Pictures) -> None:
        super().__init__()
        self.studio, self.look, self.pictures = studio, look, pictures

    def build(self, actions: dict[str, QAction]) -> None:
        """Create the parts, with these actions on their buttons, and lay them out."""
        self.actions_by_name = actions
        studio, look, pictures = self.studio, self.look, self.pictures
        self.map = MapView(studio, look, pictures)
        self.map_bar = MapBar(studio, look, actions["gaps"], actions["images"])
        self.wave = WaveView(studio, look, pictures)
        self.transport = TransportBar(studio, actions["play"], actions["loop"])
        self.tray = Tray(studio, look, pictures)
        self.film = FilmPanel(studio, look, actions)
        self.pairs = PairsView(studio, look, pictures)
        self.motion = MotionView(studio)
        self.settings = SettingsView(studio)
        self.notice = NoticeBar()
        self.jobs = JobsBar(studio)
        self.hints = Hints(self.map)
        self.welcome = Welcome()
        self.name = label("", "title")
        self.state = Elided("", "small")
        self.state.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._lay_out()

    def _lay_out(self) -> None:
        bar = QMenuBar()
        make_menus(bar, self.actions_by_name)
        bar.setSizePolicy(bar.sizePolicy().Policy.Minimum, bar.sizePolicy().Policy.Fixed)
        self.undo, self.redo = QToolButton(), QToolButton()
        for made, name in ((self.undo, "undo"), (self.redo, "redo")):
            made.setDefaultAction(self.actions_by_name[name])
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        top = row(bar, 6, self.undo, self.redo, 14, self.name, self.state, margins=(theme.GAP, 4, theme.GAP + 2, 4))
        top.setStretch(top.count() - 1, 1)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(6, 0, 6, 0)
        column.setSpacing(6)
        column.addWidget(self.map_bar)
        column.addWidget(self.map, 1)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.pairs, "Pairs")
        self.tabs.addTab(self.motion, "Motion")
        self.tabs.addTab(self.settings, "Sliders")
        self.tabs.setDocumentMode(True)
        right = QSplitter(Qt.Orientation.Vertical)
        right.addWidget(self.film)
        right.addWidget(self.tabs)
        right.setStretchFactor(0, 1)
        right.setStretchFactor(1, 1)
        right.setSizes([290, 200])
        right.setChildrenCollapsible(False)
        frame = QWidget()
        inner = QVBoxLayout(frame)
        inner.setContentsMargins(2, 0, theme.GAP, 0)
        inner.addWidget(right)
        columns = QSplitter(Qt.Orientation.Horizontal)
        for part, stretch in ((self.tray, 0), (middle, 1), (frame, 0)):
            columns.addWidget(part)
            columns.setStretchFactor(columns.count() - 1, stretch)
        columns.setChildrenCollapsible(False)
        self._columns, self._right = columns, right
        sound = QWidget()
        below = QVBoxLayout(sound)
        below.setContentsMargins(theme.GAP, 2, theme.GAP, theme.GAP)
        below.setSpacing(6)
        below.addWidget(self.transport)
        below.addWidget(self.wave, 1)
        work = QSplitter(Qt.Orientation.Vertical)
        work.addWidget(columns)
        work.addWidget(sound)
        work.setStretchFactor(0, 1)
        work.setStretchFactor(1, 0)
        work.setSizes([480, 190])
        work.setChildrenCollapsible(False)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(work)
        whole = QWidget()
        rows = QVBoxLayout(whole)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(top)
        rows.addWidget(self.notice)
        rows.addWidget(self.jobs)
        rows.addWidget(self.pages, 1)
        self.setCentralWidget(whole)

    def showEvent(self, event: QShowEvent) -> None:
        """Wide windows have room for more columns of images and a larger film."""
        super().showEvent(event)
        if not event.spontaneous():
            width = self.width()
            left = 230 + 64 * max(0, min(3, (width - 1300) // 280))
            right = max(320, min(520, width // 4))
            self._columns.setSizes([left, width - left - right, right])
            self._right.setSizes([round(right * 0.8) + 60, max(220, self.height() // 3)])


def first_place() -> QRect:
    """The window's geometry at the first start: most of the screen, minus the desktop's window frame."""
    area = QGuiApplication.primaryScreen().availableGeometry()
    width = min(area.width(), max(SIZE[0], round(area.width() * 0.9)))
    height = min(area.height() - FRAME, max(SIZE[1], round(area.height() * 0.9)))
    return QRect(
        area.x() + (area.width() - width) // 2, area.y() + FRAME + (area.height() - FRAME - height) // 2, width, height
    )
