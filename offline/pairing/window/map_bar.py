"""The controls above the map: colours, axes, filter, gaps, sizes."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.look import IMAGE_SIZES, POINT_SIZES, Look
from offline.pairing.window.parts import Choice, button, label, row
from offline.pairing.window.setting_lines import STEPS, Slider

PLAIN = ("image", "time", "loudness", "pitch", "sound")
NO_FILTER = "none"
AXIS_WIDTH = 112  # room for `component 1`


class MapBar(QWidget):
    """One line of controls, which changes the look and the storyboard, with signals."""

    board_changed = Signal()
    """Other axes, or another filter."""

    def __init__(self, studio: Studio, look: Look, gaps: QAction, images: QAction) -> None:
        super().__init__()
        self.studio, self.look = studio, look
        self.colour = Choice("colour", "What the colours of the points and of the waveform show")
        self.colour.textActivated.connect(lambda name: look.change(colour=name))
        self.axis_x = Choice("axis-x", "What the map shows to the right", AXIS_WIDTH)
        self.axis_y = Choice("axis-y", "What the map shows upwards", AXIS_WIDTH)
        self.axis_x.textActivated.connect(lambda _: self._set_axes())
        self.axis_y.textActivated.connect(lambda _: self._set_axes())
        self.filter = FilterButton(studio)
        self.filter.changed.connect(self.board_changed)
        self.sizes = SizeButton(look)
        self.gaps, self.images = _toggle(gaps), _toggle(images)
        parts = (
            label("Colour", "dim"),
            self.colour,
            4,
            label("Axes", "dim"),
            self.axis_x,
            self.axis_y,
            4,
            self.filter,
            self.sizes,
        )
        self.setLayout(row(*parts, None, self.gaps, self.images, margins=(0, 0, 0, 0)))
        look.changed.connect(lambda name: self.colour.setCurrentText(look.colour) if name == "colour" else None)
        self.refresh()

    def refresh(self) -> None:
        """Offer what the corpus has."""
        board = self.studio.board
        names = [] if board is None else [name for name in board.axes_names if not name.startswith("component")]
        descriptors = [name for name in names if name != "map"]
        _offer(self.colour, [*PLAIN, *(name for name in descriptors if name not in PLAIN)], self.look.colour)
        axes = ("map", "map") if board is None else board.axes
        for box, chosen in zip((self.axis_x, self.axis_y), axes, strict=True):
            _offer(box, ["map"] if board is None else board.axes_names, chosen)
        for part in (self.colour, self.axis_x, self.axis_y, self.filter):
            part.setEnabled(board is not None)
        self.filter.refresh()

    def _set_axes(self) -> None:
        """Axes are the map's, or two others: with `map` on one side, both are the map's."""
        board = self.studio.board
        if board is None:
            return
        x, y = self.axis_x.currentText(), self.axis_y.currentText()
        if "map" in (x, y) and (x, y) != ("map", "map"):
            others = [name for name in board.axes_names if name != "map"]
            was_map = board.axes == ("map", "map")
            if not was_map:
                x = y = "map"
            elif x == "map":
                x = next(name for name in others if name != y)
            else:
                y = next(name for name in others if name != x)
        self.studio.attempt(board.set_axes, x, y)
        self.refresh()
        self.board_changed.emit()


class FilterButton(QToolButton):
    """Opens a panel that filters by sound and by a descriptor's range."""

    changed = Signal()

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.studio = studio
        self.setText("Filter ▾")
        self.setObjectName("filter")
        self.setToolTip("Show only some sounds, or moments within a descriptor's range")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        panel = QWidget()
        column = QVBoxLayout(panel)
        column.setContentsMargins(10, 10, 10, 10)
        self.descriptor = Choice("filter-descriptor", "", 120)
        self.low, self.high = QDoubleSpinBox(), QDoubleSpinBox()
        grid = QGridLayout()
        for line, (text, part) in enumerate((("Descriptor", self.descriptor), ("From", self.low), ("To", self.high))):
            grid.addWidget(label(text, "dim"), line, 0)
            grid.addWidget(part, line, 1)
        column.addLayout(grid)
        self._sounds = QVBoxLayout()
        column.addLayout(self._sounds)
        column.addWidget(button("Show all", self.reset))
        self._boxes: list[QCheckBox] = []
        for field in (self.low, self.high):
            field.setKeyboardTracking(False)
            field.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
            field.setMinimumWidth(120)
            field.valueChanged.connect(lambda _: self._apply())
        self.descriptor.textActivated.connect(lambda _: self._choose_descriptor())
        menu, action = QMenu(self), QWidgetAction(self)
        action.setDefaultWidget(panel)
        menu.addAction(action)
        self.setMenu(menu)

    def refresh(self) -> None:
        """Offer what the corpus has; nothing is left out at first."""
        board = self.studio.board
        names = [] if board is None else [n for n in board.axes_names if n != "map" and not n.startswith("component")]
        _offer(self.descriptor, [NO_FILTER, *names], self.descriptor.currentText() or NO_FILTER)
        sounds = [] if board is None else [sound.name for sound in board.sounds]
        if [box.text() for box in self._boxes] != sounds:
            for box in self._boxes:
                box.setParent(None)
            self._boxes = [QCheckBox(name) for name in sounds]
            for box in self._boxes:
                box.setChecked(True)
                box.toggled.connect(lambda _: self._apply())
                self._sounds.addWidget(box)
        for field in (self.low, self.high):
            field.setEnabled(self.descriptor.currentText() != NO_FILTER)

    def reset(self) -> None:
        """Show all."""
        self.descriptor.setCurrentText(NO_FILTER)
        for box in self._boxes:
            box.setChecked(True)
        self._apply()

    def _choose_descriptor(self) -> None:
        board, name = self.studio.board, self.descriptor.currentText()
        if board is not None and name != NO_FILTER:
            low, high = board.range_of(name)
            for field, value in ((self.low, low), (self.high, high)):
                field.blockSignals(True)
                field.setDecimals(1 if high - low > 100 else 3)
                field.setRange(low - 1, high + 1)
                field.setValue(value)
                field.blockSignals(False)
        self._apply()

    def _apply(self) -> None:
        board, name = self.studio.board, self.descriptor.currentText()
        if board is None:
            return
        for field in (self.low, self.high):
            field.setEnabled(name != NO_FILTER)
        if name == NO_FILTER:
            board.filter(None)
        else:
            board.filter(name, self.low.value(), self.high.value())
        shown = [number for number, box in enumerate(self._boxes) if box.isChecked()]
        board.show_sounds(None if len(shown) == len(self._boxes) else shown)
        is_on = name != NO_FILTER or len(shown) < len(self._boxes)
        self.setText("Filter on ▾" if is_on else "Filter ▾")
        self.setStyleSheet(f"color: {theme.ACCENT.name()}" if is_on else "")
        self.changed.emit()


class SizeButton(QToolButton):
    """Opens a panel with the sizes of images and points."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.setText("Size ▾")
        self.setObjectName("size")
        self.setToolTip("The size of images and points on the map")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        panel = QWidget()
        grid = QGridLayout(panel)
        grid.setContentsMargins(10, 10, 10, 10)
        images, points = Slider(), Slider()
        for line, (text, part, (low, high), name, whole) in enumerate(
            (("Images", images, IMAGE_SIZES, "image_size", True), ("Points", points, POINT_SIZES, "point_size", False))
        ):
            part.setFixedWidth(160)
            part.setValue(round((getattr(look, name) - low) / (high - low) * STEPS))
            grid.addWidget(label(text, "dim"), line, 0)
            grid.addWidget(part, line, 1)
            part.valueChanged.connect(
                lambda step, low=low, high=high, name=name, whole=whole: look.change(
                    **{name: round(low + step / STEPS * (high - low)) if whole else low + step / STEPS * (high - low)}
                )
            )
        menu, action = QMenu(self), QWidgetAction(self)
        action.setDefaultWidget(panel)
        menu.addAction(action)
        self.setMenu(menu)


def _offer(box: QComboBox, names: list[str], chosen: str) -> None:
    if [box.itemText(number) for number in range(box.count())] != names:
        box.clear()
        box.addItems(names)
    box.setCurrentText(chosen)


def _toggle(action: QAction) -> QToolButton:
    made = QToolButton()
    made.setDefaultAction(action)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made
