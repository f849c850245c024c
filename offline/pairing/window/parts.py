"""Small widgets that several views use."""

from collections.abc import Callable, Iterable
from typing import cast

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QRegion, QWheelEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from offline.pairing.window import theme


def label(text: str = "", role: str = "") -> QLabel:
    """A label: plain, or in the role `dim`, `small`, `title`, `heading` or `warning` of the style sheet."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    return made


def button(text: str, clicked: Callable[[], object], tip: str = "", role: str = "") -> QPushButton:
    """A button that does not take the keyboard focus from the map."""
    made = QPushButton(text)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.clicked.connect(lambda _checked=False: clicked())
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    if tip:
        made.setToolTip(tip)
    if role:
        made.setProperty("role", role)
    return made


def row(*parts: QWidget | int | None, margins: tuple[int, int, int, int] = (0, 0, 0, 0), gap: int = 6) -> QHBoxLayout:
    """Widgets side by side; a number is a space in pixels, None a space that grows."""
    made = QHBoxLayout()
    made.setContentsMargins(*margins)
    made.setSpacing(gap)
    for part in parts:
        if part is None:
            made.addStretch(1)
        elif isinstance(part, int):
            made.addSpacing(part)
        else:
            made.addWidget(part)
    return made


class Choice(QComboBox):
    """A drop-down list with a chevron that ignores the wheel."""

    def __init__(self, name: str, tip: str = "", width: int = 100) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(tip)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMaxVisibleItems(28)
        self.setFixedWidth(width)
        self.view().setMinimumWidth(max(width, 150))

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.DIM if self.isEnabled() else theme.FAINT, 1.6))
        x, y = self.width() - 14.0, self.height() / 2
        painter.drawPolyline([QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)])


class Elided(QLabel):
    """A label that ends in an ellipsis if space is short; its tooltip shows the whole text."""

    def __init__(self, text: str = "", role: str = "dim") -> None:
        super().__init__()
        self._whole = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumHeight(20)
        self.show_text(text)

    def show_text(self, text: str) -> None:
        """Show another text."""
        if text != self._whole:
            self._whole = text
            self._fit()

    def resizeEvent(self, event: object) -> None:
        self._fit()

    def _fit(self) -> None:
        fitting = self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, max(0, self.width()))
        self.setText(fitting)
        self.setToolTip(self._whole if fitting != self._whole else "")


def draw_card(
    painter: QPainter, lines: list[tuple[str, QColor]], corner: tuple[float, float], width: float = 0
) -> QRectF:
    """Draw lines of text on a rounded, nearly opaque ground with this lower left corner; return its rectangle."""
    metrics = QFontMetricsF(painter.font())
    height = metrics.height() + 2
    widest = max(metrics.horizontalAdvance(text) for text, _ in lines) + 20
    box = QRectF(corner[0], corner[1] - height * len(lines) - 12, max(widest, width), height * len(lines) + 12)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(26, 28, 33, 235))
    painter.drawRoundedRect(box, 6, 6)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for number, (text, colour) in enumerate(lines):
        painter.setPen(QPen(colour))
        line = QRectF(box.x() + 10, box.y() + 6 + number * height, box.width() - 20, height)
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
    return box


def draw_invitation(painter: QPainter, area: QRectF, title: str, advice: str) -> None:
    """Draw the text of an empty view in its middle: a title and, smaller, the next step."""
    middle = area.center().y()
    flags = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
    inner = area.adjusted(16, 0, -16, 0)
    if not title:
        painter.setFont(theme.font())
        painter.setPen(theme.DIM)
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter | flags, advice)
        return
    painter.setFont(theme.font(18, bold=True))
    painter.setPen(theme.TEXT)
    above = QRectF(inner.x(), middle - 60, inner.width(), 54)
    painter.drawText(above, Qt.AlignmentFlag.AlignBottom | flags, title)
    painter.setFont(theme.font())
    painter.setPen(theme.DIM)
    painter.drawText(QRectF(inner.x(), middle + 4, inner.width(), 80), Qt.AlignmentFlag.AlignTop | flags, advice)


def parts_of(region: QRegion) -> list[QRect]:
    """The rectangles of a region, for type checkers: Qt's stubs lack its iterator."""
    return list(cast("Iterable[QRect]", region))


def timecode(seconds: float) -> str:
    """Minutes and seconds with hundredths, as 3:07.25; with hours from the first on."""
    whole = max(0, round(seconds * 100))
    minutes, hundredths = divmod(whole, 6000)
    hours, minutes = divmod(minutes, 60)
    rest = f"{hundredths // 100:02d}.{hundredths % 100:02d}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"
