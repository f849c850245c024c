"""The few dialogs: a new preset, how many candidates, all keys. None of them stops the window."""

import itertools
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QGridLayout,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from offline.pairing.window.keys import COMMANDS, MENUS
from offline.pairing.window.parts import Choice, button, label, row
from offline.pairing.window.welcome import shipped_presets
from shared.preset.places import OWN

FILE = "A file of mine…"
MOST = 10_000  # candidates


class NewDialog(QDialog):
    """Name, place and generator of a new preset."""

    def __init__(
        self, parent: QWidget, make: Callable[[Path, Path | str], None], generator: Path | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("New preset")
        self.setObjectName("new-dialog")
        self._make, self._file = make, generator
        self.name = QLineEdit()
        self.name.setObjectName("new-name")
        self.name.setText(free_name(OWN))
        self.name.selectAll()
        self.place = QLineEdit(str(OWN))
        self.place.setObjectName("new-place")
        self.generator = Choice("new-generator", "", 320)
        self.generator.addItems([*(f"that of {name}" for name in shipped_presets()), FILE])
        self.generator.textActivated.connect(lambda text: self._choose_file() if text == FILE else None)
        self.problem = label("", "warning")
        self.problem.setWordWrap(True)
        grid = QGridLayout()
        grid.setVerticalSpacing(8)
        for line, (text, part) in enumerate(
            (("Name", self.name), ("In the folder", self.place), ("Generator", self.generator))
        ):
            grid.addWidget(label(text, "dim"), line, 0)
            grid.addWidget(part, line, 1)
        grid.addWidget(button("Choose…", self._choose_place), 1, 2)
        grid.setColumnMinimumWidth(1, 320)
        create = button("Create", self._create, role="primary")
        create.setObjectName("new-create")
        create.setDefault(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 16)
        layout.setSpacing(12)
        layout.addLayout(grid)
        layout.addWidget(self.problem)
        layout.addLayout(row(None, button("Cancel", self.reject), create))
        if generator is not None:
            self._show_file()
        self.name.setFocus()

    def _choose_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Generator", "", "Generators (*.safetensors)")
        if chosen:
            self._file = Path(chosen)
            self._show_file()
        elif self._file is None:
            self.generator.setCurrentIndex(0)

    def _show_file(self) -> None:
        self.generator.setItemText(self.generator.count() - 1, str(self._file))
        self.generator.setCurrentIndex(self.generator.count() - 1)

    def _choose_place(self) -> None:
        if chosen := QFileDialog.getExistingDirectory(self, "In the folder", self.place.text()):
            self.place.setText(chosen)

    def _create(self) -> None:
        name = self.name.text().strip()
        if not name or "/" in name or "\\" in name:
            self.problem.setText("Give it a name, without slashes: it becomes the name of a folder.")
            return
        index = self.generator.currentIndex()
        shipped = shipped_presets()
        if index < len(shipped):
            generator: Path | str = shipped[index]
        elif self._file is not None:
            generator = self._file
        else:
            self.problem.setText("Choose a generator: a file that `ponticello convert` made, or a shipped one.")
            return
        self.accept()
        self._make(Path(self.place.text()).expanduser() / name, generator)


def free_name(place: Path) -> str:
    """A name for a new folder in a place: my-piece, or my-piece-2 and so on."""
    names = (f"my-piece-{number}" if number > 1 else "my-piece" for number in itertools.count(1))
    return next(name for name in names if not (place / name).exists())


class CountDialog(QDialog):
    """How many candidates to make."""

    def __init__(self, parent: QWidget, make: Callable[[int], None]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Make candidates")
        self.setObjectName("count-dialog")
        self.count = QSpinBox()
        self.count.setObjectName("count")
        self.count.setRange(1, MOST)
        self.count.setValue(500)
        self.count.selectAll()
        self.count.setFocus()
        create = button("Make", lambda: self._done(make), role="primary")
        create.setDefault(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 16)
        layout.setSpacing(12)
        layout.addLayout(row(label("Images", "dim"), self.count))
        layout.addWidget(label("They appear as they are made; existing ones stay.", "small"))
        layout.addLayout(row(None, button("Cancel", self.reject), create))

    def _done(self, make: Callable[[int], None]) -> None:
        self.accept()
        make(self.count.value())


class KeysDialog(QDialog):
    """All keys, from the table behind the menus."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setObjectName("keys-dialog")
        self.resize(760, 560)
        inner = QWidget()
        columns = [QGridLayout(), QGridLayout()]
        for menu in MENUS:
            grid = min(columns, key=QGridLayout.rowCount)
            line = grid.rowCount()
            title = label(menu, "title")
            title.setContentsMargins(0, 10, 0, 2)
            grid.addWidget(title, line, 0, 1, 2)
            for command in COMMANDS:
                if command.menu == menu and command.key:
                    line += 1
                    native = QKeySequence(command.key).toString(QKeySequence.SequenceFormat.NativeText)
                    grid.addWidget(label(native), line, 0)
                    grid.addWidget(label(command.text.rstrip("…"), "dim"), line, 1)
        for grid in columns:
            grid.setVerticalSpacing(3)
            grid.setColumnMinimumWidth(0, 110)
            grid.setColumnStretch(1, 1)
            grid.setRowStretch(grid.rowCount(), 1)
        mouse = label(
            "Mouse: left hears and drags, right or middle pans (or Shift and left), the wheel zooms; over the waveform Shift "
            "and the wheel move it, and a drag on its ruler makes a region.",
            "dim",
        )
        mouse.setWordWrap(True)
        area = row(gap=24, margins=(16, 12, 16, 12))
        for grid in columns:
            area.addLayout(grid, 1)
        inner.setLayout(area)
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll, 1)
        layout.addWidget(mouse)
        layout.addLayout(row(None, button("Close", self.accept), margins=(0, 0, 6, 6)))
