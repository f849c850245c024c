"""Lines of settings: a name, and a slider, list, field or tick box beside it."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from offline.pairing.setting_rows import Row, Sections
from offline.pairing.studio import Studio
from offline.pairing.window.parts import Choice, label

STEPS = 1000  # of a slider
NAMES = 96  # pixels of the column of names
QWIDGETSIZE_MAX = 16777215  # as Qt names it: no limit
ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right)
Change = Callable[[Any], None]
"""Called with a value that the user sets."""


class Slider(QSlider):
    """A slider that ignores the wheel, so that scrolling does not change it."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setRange(0, STEPS)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in ARROWS:
            event.accept()  # the arrows are the slider's while it has the keyboard
            return True
        return super().event(event)


class SettingName(QLabel):
    """The name of a setting; a double click resets it to its default."""

    def __init__(self, text: str, reset: Callable[[], None]) -> None:
        super().__init__(text)
        self.setProperty("role", "dim")
        self._reset = reset

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._reset()


class Field(QDoubleSpinBox):
    """A number to type, without arrows; the wheel does not change it."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        low, high = row.span or (row.low, row.high)
        self.setObjectName(f"number-{row.name}")  # beside a slider, which has the setting's name
        self.setDecimals(row.decimals)  # first, as it rounds the limits
        self.setRange(row.low, row.high)
        self.setSingleStep(1 if row.is_whole else 0.05 if high - low > 1 else 0.01)
        self.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.setKeyboardTracking(False)
        self.setFixedWidth(64)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


def widen(box: Choice) -> None:
    """Let a list take the width that there is."""
    box.setMinimumWidth(NAMES)
    box.setMaximumWidth(QWIDGETSIZE_MAX)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


class Line:
    """The widgets of a setting in a row of a grid."""

    def __init__(self, grid: QGridLayout, number: int, row: Row, change: Change) -> None:
        self.row, self._change = row, change
        self._widgets: list[QWidget] = [SettingName(row.text, lambda: change(row.default))]
        self._widgets[0].setToolTip(row.help)
        grid.addWidget(self._widgets[0], number, 0)
        make = {"number": self._number, "choice": self._choice, "switch": self._switch, "sizes": self._sizes}[row.kind]
        self.show: Change = make(grid, number)
        """Show a value."""

    def set_visible(self, is_visible: bool) -> None:
        """Show or hide the line."""
        for widget in self._widgets:
            widget.setVisible(is_visible)

    def _add(self, grid: QGridLayout, number: int, *widgets: QWidget) -> None:
        for column, widget in enumerate(widgets, 1):
            widget.setToolTip(self.row.help)
            grid.addWidget(widget, number, column, 1, 1 if len(widgets) == 2 else 2)
        self._widgets += widgets
        widgets[0].setObjectName(f"setting-{self.row.name}")

    def _number(self, grid: QGridLayout, number: int) -> Change:
        field = Field(self.row)
        field.valueChanged.connect(lambda value: self._change(int(value) if self.row.is_whole else float(value)))
        if self.row.span is None:
            self._add(grid, number, field)
            grid.setAlignment(field, Qt.AlignmentFlag.AlignRight)
            return lambda value: None if field.hasFocus() else field.setValue(_as_number(value))
        low, high = self.row.span
        slider = Slider()
        slider.valueChanged.connect(
            lambda step: self._change(round(low + step / STEPS * (high - low), self.row.decimals))
        )
        self._add(grid, number, slider, field)

        def show(value: object) -> None:
            shown = _as_number(value)
            if not slider.isSliderDown():
                slider.setValue(round((min(max(shown, low), high) - low) / (high - low) * STEPS))
            if not field.hasFocus():
                field.setValue(shown)

        return show

    def _choice(self, grid: QGridLayout, number: int) -> Change:
        box = Choice("", self.row.help)
        widen(box)
        box.addItems(self.row.choices)
        box.textActivated.connect(self._change)
        self._add(grid, number, box)
        return lambda value: box.setCurrentText(str(value))

    def _switch(self, grid: QGridLayout, number: int) -> Change:
        box = QCheckBox()
        box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        box.toggled.connect(self._change)
        self._add(grid, number, box)
        return lambda value: box.setChecked(bool(value))

    def _sizes(self, grid: QGridLayout, number: int) -> Change:
        field = QLineEdit()

        def take() -> None:
            words = field.text().replace(",", " ").split()
            self._change(tuple(int(word) if word.isascii() and word.isdecimal() else 0 for word in words))

        field.editingFinished.connect(take)
        self._add(grid, number, field)
        return lambda value: None if field.hasFocus() else field.setText(" ".join(map(str, _as_sizes(value))))


def _as_number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _as_sizes(value: object) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else ()


class SettingsPanel(QScrollArea):
    """Sections of settings of the preset, a line each."""

    def __init__(self, studio: Studio, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.studio = studio
        self._lines: dict[str, Line] = {}
        self._is_showing = False

    @abstractmethod
    def sections(self) -> Sections:
        """The sections of the open preset."""

    @abstractmethod
    def values(self) -> dict[str, object]:
        """The values of all settings, by full name."""

    @abstractmethod
    def change(self, row: Row, value: Any) -> None:
        """Set a value that the user chose."""

    def acting(self) -> set[str]:
        """Full names of the settings that are shown at present."""
        return set(self._lines)

    def head(self, title: str) -> list[QWidget]:
        """Widgets between the title of a section and its lines."""
        return []

    def refresh(self) -> None:
        """Show the preset's values; the lines are rebuilt if it has other settings."""
        sections = self.sections() if self.studio.project else ()
        names = [row.name for _, rows in sections for row in rows]
        if names != list(self._lines):
            self._make(sections)
        if not names:
            return
        values, acting = self.values(), self.acting()
        self._is_showing = True
        for name, line in self._lines.items():
            line.show(values[name])
            line.set_visible(name in acting)
        self._is_showing = False

    def _make(self, sections: Sections) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 6, 8, 6)
        column.setSpacing(4)
        self._lines = {}
        for title, rows in sections:
            column.addWidget(label(title, "title"))
            for widget in self.head(title):
                column.addWidget(widget)
            grid = QGridLayout()
            grid.setHorizontalSpacing(8)
            grid.setVerticalSpacing(3)
            grid.setColumnMinimumWidth(0, NAMES)
            grid.setColumnStretch(1, 1)
            for number, row in enumerate(rows):
                self._lines[row.name] = Line(grid, number, row, self._changer(row))
            column.addLayout(grid)
            column.addSpacing(8)
        column.addWidget(label("Double-click a name to reset it.", "small"))
        column.addStretch(1)
        self.setWidget(inner)

    def _changer(self, row: Row) -> Change:
        def change(value: object) -> None:
            if self.studio.project is not None and not self._is_showing and self.values()[row.name] != value:
                self.studio.attempt(self.change, row, value)

        return change
