"""Five hints for the first start. Each disappears once its advice was followed; the card disappears with the last one."""

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from offline.pairing.window import theme
from offline.pairing.window.parts import button, label, row

HINTS: tuple[tuple[str, str], ...] = (
    ("hear", "Move over the map with the left button held: you hear each moment."),
    ("zoom", "Zoom with the wheel; pan with the right button, or with Shift held."),
    ("place", "Drag an image from the tray onto the sound that it belongs to."),
    ("play", "Press Space: the film follows the sound."),
    ("keys", "Press F1 for all keys. Everything is saved immediately; Ctrl+Z undoes it."),
)


class Hints(QFrame):
    """The card with the remaining hints."""

    seen = Signal()
    """All are done, or the user closed the card."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parent = parent
        self.setObjectName("hints")
        self.setStyleSheet(
            f"#hints {{ background: {theme.RAISED.name()}; border: 1px solid {theme.LINE.name()}; border-radius: 8px; }}"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.setSpacing(6)
        layout.addWidget(label("First steps", "title"))
        self._lines: dict[str, QLabel] = {}
        for name, text in HINTS:
            line = label(text, "dim")
            line.setWordWrap(True)
            line.setFixedWidth(330)
            self._lines[name] = line
            layout.addWidget(line)
        layout.addLayout(row(None, button("Got it", self._finish, role="strong")))
        self.hide()
        parent.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.place()
        return super().eventFilter(watched, event)

    @property
    def open(self) -> list[str]:
        """Names of the remaining hints."""
        return [name for name, line in self._lines.items() if not line.isHidden()]

    def begin(self) -> None:
        """Show all of them."""
        for line in self._lines.values():
            line.show()
        self.show()
        self.place()
        self.raise_()

    def done(self, name: str) -> None:
        """Remove the hint whose advice was followed."""
        if self.isVisible() and not self._lines[name].isHidden():
            self._lines[name].hide()
            if self.open:
                self.place()
            else:
                self._finish()

    def place(self) -> None:
        """Move to the lower right corner of the view that it covers."""
        self.adjustSize()
        parent = self._parent
        self.move(parent.width() - self.width() - theme.GAP, parent.height() - self.height() - theme.GAP)

    def _finish(self) -> None:
        self.hide()
        self.seen.emit()
