"""The film with its controls: mock-up or generator, in the window or in one of its own."""

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from offline.pairing.studio import Studio
from offline.pairing.window.look import SHAPES, Look
from offline.pairing.window.parts import Choice, Elided, button, label, row
from offline.pairing.window.picture_view import FilmWindow, PictureView
from shared.controls import aspect_ratio


class FilmPanel(QWidget):
    """The picture, its caption, and its own window if it has one."""

    def __init__(self, studio: Studio, look: Look, actions: dict[str, QAction]) -> None:
        super().__init__()
        self.studio, self.look, self._actions = studio, look, actions
        self.picture = PictureView(studio, look)
        self.window_of_film: FilmWindow | None = None
        self.caption = Elided("", "small")
        self.shape = Choice(
            "shape", "The shape of the pictures: the square, continued to both sides; or that of this pane", 84
        )
        self.shape.addItems(SHAPES)
        self.shape.textActivated.connect(lambda shape: look.change(shape=shape))
        self._peeked = ""
        choices = [self._tool(actions[name]) for name in ("mockup", "generator", "both")]
        detach = self._tool(actions["detach"])
        self._away = QWidget()
        away = QVBoxLayout(self._away)
        away.addStretch(1)
        words = label("The film is in its own window.", "dim")
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        away.addWidget(words)
        away.addLayout(row(None, button("Bring it back", self.attach), None))
        away.addStretch(1)
        self._away.hide()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self._layout.addLayout(row(*choices, None, detach, gap=3))
        self._layout.addWidget(self.picture, 1)
        self._layout.addWidget(self._away, 1)
        below = row(self.caption, self.shape)
        below.setStretch(0, 1)
        self._layout.addLayout(below)
        self.picture.clicked_twice.connect(actions["fullscreen"].trigger)
        look.peeked.connect(self._peek)
        look.changed.connect(lambda name: self.shape.setCurrentText(look.shape) if name == "shape" else None)

    def follow(self) -> None:
        """Show the picture of the current moment, with a caption."""
        self.picture.follow()
        self.caption.show_text(self._peeked or self._said())

    def detach(self) -> None:
        """Give the film a window of its own."""
        if self.window_of_film is not None:
            return
        made = FilmWindow(self.studio.project.preset.name if self.studio.project else "Ponticello")
        made.addActions(list(self._actions.values()))
        made.closed.connect(self.attach)
        self.window_of_film = made
        made.take(self.picture)
        self._away.show()
        made.setGeometry(self._elsewhere())
        made.show()
        self._tell()

    def attach(self) -> None:
        """Take the film back into this window."""
        made, self.window_of_film = self.window_of_film, None
        if made is not None:
            self._layout.insertWidget(1, self.picture, 1)
            self._away.hide()
            self.picture.show()
            made.close()
            made.deleteLater()
        self._tell()

    def set_full_screen(self, is_full: bool) -> None:
        """Fill a screen with the film, if possible not the one of this window."""
        if is_full:
            self.detach()
            if self.window_of_film is not None:
                self.window_of_film.showFullScreen()
                self.window_of_film.activateWindow()
        elif self.window_of_film is not None:
            self.window_of_film.showNormal()
        self._tell()

    def _tell(self) -> None:
        """Update the check marks of the actions for the film's place."""
        there = self.window_of_film
        self._actions["detach"].setChecked(there is not None)
        self._actions["fullscreen"].setChecked(there is not None and there.isFullScreen())
        self.picture.update()

    def _elsewhere(self) -> QRect:
        """A place on another monitor, or beside the middle of this one."""
        here = self.screen()
        other = next((screen for screen in QGuiApplication.screens() if screen is not here), here)
        area = other.availableGeometry()
        aspect = float(aspect_ratio(self.studio.film.shape))
        width = 0.7 * min(area.width(), area.height() * aspect)
        place = QRect(0, 0, round(width), round(width / aspect))
        place.moveCenter(area.center())
        return place

    def _said(self) -> str:
        project, film = self.studio.project, self.studio.film
        if project is None or not project.pairs:
            return ""
        shown = film.mockup()
        nearest = f"nearest: {shown.name}" if shown and shown.name else ""
        if self.look.source == "mock-up":
            return nearest
        made = film.generated()
        waits = "the mock-up stands in" if made is not None and made.stands_in else ""
        return "   ".join(part for part in (nearest, film.state, waits) if part)

    def _peek(self, name: str) -> None:
        self._peeked = f"{name} in the tray" if name else ""
        self.caption.show_text(self._peeked or self._said())

    def _tool(self, action: QAction) -> QToolButton:
        made = QToolButton()
        made.setDefaultAction(action)
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return made
