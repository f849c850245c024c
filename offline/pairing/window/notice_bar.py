"""The bar for errors and their remedies; it does not block the window."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from offline.pairing.window import theme
from offline.pairing.window.parts import button, row

GOOD_NEWS_MS = 8000  # good news go away by themselves


class NoticeBar(QWidget):
    """One line, a button with a remedy if there is one, and a button that closes it."""

    def __init__(self) -> None:
        super().__init__()
        self._act: Callable[[], None] = self.hide
        self._colour = theme.WARNING
        self._line = QLabel()
        self._line.setTextFormat(Qt.TextFormat.PlainText)
        self._line.setWordWrap(True)
        self._line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._line.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._mend = button("", self._mend_it, role="primary")
        self._mend.setObjectName("mend")
        self._close = button("Dismiss", self.hide)
        self._close.setObjectName("dismiss")
        layout = row(self._line, self._mend, self._close, margins=(14, 6, theme.GAP, 6), gap=8)
        layout.setStretch(0, 1)
        self.setLayout(layout)
        self.setObjectName("notice")
        self._leave = QTimer(self, singleShot=True, interval=GOOD_NEWS_MS)
        self._leave.timeout.connect(self.hide)
        self.hide()

    @property
    def line(self) -> str:
        """Its text; empty while it is hidden."""
        return "" if self.isHidden() else self._line.text()

    def show_notice(
        self, line: str, action: str = "", act: Callable[[], None] | None = None, *, is_good: bool = False
    ) -> None:
        """Show a line, with a button for the remedy. is_good: it is good news, not an error."""
        self._colour = theme.ACCENT if is_good else theme.WARNING
        self._line.setText(line[:1].upper() + line[1:])
        self._mend.setVisible(act is not None)
        if act is not None:
            self._mend.setText(action)
            self._act = act
        self._leave.stop()
        if is_good and act is None:
            self._leave.start()
        self.show()

    def _mend_it(self) -> None:
        self._act()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.RAISED)
        painter.fillRect(0, 0, 4, self.height(), self._colour)
