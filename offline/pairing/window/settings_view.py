"""The sliders: settings of the preset that act on the film at once."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QScrollArea, QSlider, QVBoxLayout, QWidget

from offline.pairing.studio import Studio
from offline.pairing.window.parts import Choice, label
from shared.controls import Control, Value

STEPS = 1000  # of a slider
REACH = {"truncation": (-1.0, 2.0), "weight": (-1.0, 3.0)}
"""The range of a slider if the control allows more; the number beside it takes all values."""
ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right)
FILM = ("truncation", "smoothing", "latent_smoothing", "range")


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


class SettingsView(QScrollArea):
    """A line for each setting: its name, a slider, its value."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setObjectName("settings")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.studio = studio
        self._shown: dict[str, Callable[[Value], None]] = {}
        self._is_showing = False

    def refresh(self) -> None:
        """Show the preset's values; the lines are rebuilt if it has other settings."""
        project = self.studio.project
        values = project.settings if project else {}
        names = [name for name in values if name in FILM or name.startswith("weight/")]
        if set(names) != set(self._shown):
            self._make(names)
        self._is_showing = True
        for name, show in self._shown.items():
            show(values[name])
        self._is_showing = False

    def _make(self, names: list[str]) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 6, 8, 6)
        column.setSpacing(4)
        self._shown = {}
        for title, members in (("Film", names_of(names, FILM)), ("Weights of the descriptors", names_of(names, None))):
            if not members:
                continue
            column.addWidget(label(title, "title"))
            grid = QGridLayout()
            grid.setHorizontalSpacing(8)
            grid.setVerticalSpacing(3)
            grid.setColumnStretch(1, 1)
            for line, name in enumerate(members):
                self._add(grid, line, name)
            column.addLayout(grid)
            column.addSpacing(8)
        column.addWidget(label("Double-click a name to reset it.", "small"))
        column.addStretch(1)
        self.setWidget(inner)

    def _add(self, grid: QGridLayout, line: int, name: str) -> None:
        project = self.studio.project
        if project is None:
            return
        control = project.control(name)
        text = name.partition("/")[2] or name.replace("_", " ")
        title = SettingName(text, lambda: self._set(name, control.default))
        title.setToolTip(f"{control.help} {control.allowed.capitalize()}; {control.default} by default.")
        grid.addWidget(title, line, 0)
        if control.kind == "choice":
            self._add_choice(grid, line, name, control)
        else:
            self._add_slider(grid, line, name, control)

    def _add_choice(self, grid: QGridLayout, line: int, name: str, control: Control) -> None:
        box = Choice(f"setting-{name}", control.help, 120)
        box.addItems(control.choices)
        box.textActivated.connect(lambda chosen: self._set(name, chosen))
        grid.addWidget(box, line, 1, 1, 2)
        self._shown[name] = lambda value: box.setCurrentText(str(value))

    def _add_slider(self, grid: QGridLayout, line: int, name: str, control: Control) -> None:
        low, high = REACH.get(control.name, (control.low, control.high))
        slider, field = Slider(), QDoubleSpinBox()
        slider.setObjectName(f"setting-{name}")
        slider.setToolTip(control.help)
        field.setRange(control.low, control.high)
        field.setDecimals(2 if high - low > 1 else 3)
        field.setSingleStep(0.05 if high - low > 1 else 0.01)
        field.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        field.setKeyboardTracking(False)
        field.setFixedWidth(64)
        field.setAlignment(Qt.AlignmentFlag.AlignRight)
        slider.valueChanged.connect(lambda step: self._set(name, round(low + step / STEPS * (high - low), 3)))
        field.valueChanged.connect(lambda value: self._set(name, float(value)))
        grid.addWidget(slider, line, 1)
        grid.addWidget(field, line, 2)

        def show(value: Value) -> None:
            if isinstance(value, int | float):
                if not slider.isSliderDown():
                    slider.setValue(round((min(max(value, low), high) - low) / (high - low) * STEPS))
                if not field.hasFocus():
                    field.setValue(value)

        self._shown[name] = show

    def _set(self, name: str, value: Value) -> None:
        project = self.studio.project
        if project is not None and not self._is_showing and project.settings[name] != value:
            self.studio.attempt(project.set, name, value)


def names_of(names: list[str], wanted: tuple[str, ...] | None) -> list[str]:
    """The wanted controls, in that order; for None, the others."""
    return [name for name in wanted if name in names] if wanted else [name for name in names if name not in FILM]
