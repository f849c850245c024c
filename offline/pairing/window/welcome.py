"""The start page: make a preset, open one, or continue with a recent one."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from offline.pairing.window.parts import Elided, button, label, row
from shared.preset.places import SHIPPED


def shipped_presets() -> list[str]:
    """Names of the presets that come with Ponticello."""
    return sorted(file.parent.name for file in SHIPPED.glob("*/preset.toml"))


class Welcome(QWidget):
    """The page that the window shows while no preset is open."""

    new_wanted = Signal()
    open_wanted = Signal()
    preset_wanted = Signal(str)
    """A preset, by folder or name."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("welcome")
        inner = QFrame()
        inner.setFixedWidth(600)
        column = QVBoxLayout(inner)
        column.setSpacing(12)
        column.addWidget(label("Ponticello studio", "heading"))
        advice = label(
            "Hear sounds on a map, put images on it, and see the film at once. A preset holds all of it: "
            "a generator, sounds, images, pairs.",
            "dim",
        )
        advice.setWordWrap(True)
        advice.setMinimumHeight(2 * advice.fontMetrics().lineSpacing() + 2)
        column.addWidget(advice)
        column.addSpacing(6)
        line = QHBoxLayout()
        for text, clicked, name, role in (
            ("New preset…", self.new_wanted.emit, "welcome-new", "primary"),
            ("Open…", self.open_wanted.emit, "welcome-open", ""),
        ):
            made = button(text, clicked, role=role)
            made.setObjectName(name)
            line.addWidget(made)
        line.addStretch(1)
        column.addLayout(line)
        column.addSpacing(10)
        self._recent_title = label("Recent", "title")
        column.addWidget(self._recent_title)
        self._recent = QGridLayout()
        self._recent.setVerticalSpacing(4)
        self._recent.setColumnStretch(1, 1)
        column.addLayout(self._recent)
        column.addSpacing(10)
        column.addWidget(label("Shipped with Ponticello", "title"))
        shipped = QHBoxLayout()
        for name in shipped_presets():
            made = button(
                name, partial(self.preset_wanted.emit, name), "Opens it; the first change makes a copy of your own"
            )
            made.setObjectName(f"shipped-{name}")
            shipped.addWidget(made)
        shipped.addStretch(1)
        column.addLayout(shipped)
        column.addSpacing(10)
        column.addWidget(label("Or drop a preset's folder or a generator file here.", "small"))
        layout = QVBoxLayout(self)
        layout.addStretch(2)
        layout.addLayout(row(None, inner, None))
        layout.addStretch(3)

    def show_recent(self, folders: list[str]) -> None:
        """List recent presets that still exist."""
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        there = [Path(folder) for folder in folders if (Path(folder) / "preset.toml").is_file()]
        self._recent_title.setVisible(bool(there))
        for number, folder in enumerate(there[:5]):
            made = QPushButton(folder.name)
            made.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            made.setMinimumWidth(140)
            made.clicked.connect(lambda _=False, folder=folder: self.preset_wanted.emit(str(folder)))
            self._recent.addWidget(made, number, 0)
            place = Elided(str(folder.parent), "small")
            self._recent.addWidget(place, number, 1)
