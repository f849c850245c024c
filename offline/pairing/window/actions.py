"""Qt's actions, menus and tooltips, made of the table in keys.py."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenuBar, QWidget

from offline.pairing.window.keys import COMMANDS, MENUS

ALSO = {"remove": ["Backspace"], "redo": ["Ctrl+Y"], "closer": ["="], "fullscreen": ["Ctrl+F11"]}
"""Second keys, of other keyboards and systems."""
SHORT = {"both": "Both", "detach": "Detach"}
"""Labels of buttons that are shorter than in the menu."""


def make_actions(window: QWidget, doer: object) -> dict[str, QAction]:
    """An action for each command, which calls the method of its name."""
    made: dict[str, QAction] = {}
    for command in COMMANDS:
        action = QAction(command.text, window)
        action.setObjectName(command.name)
        keys = [key for key in (command.key, *ALSO.get(command.name, ())) if key]
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        native = QKeySequence(command.key).toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{command.help} ({native})" if native else command.help)
        action.setCheckable(command.checkable)
        if command.name in SHORT:
            action.setIconText(SHORT[command.name])
        action.triggered.connect(_call(getattr(doer, command.name)))
        window.addAction(action)
        made[command.name] = action
    return made


def make_menus(bar: QMenuBar, actions: dict[str, QAction]) -> None:
    """The menus in the order of the table."""
    for title in MENUS:
        menu = bar.addMenu(title)
        menu.setToolTipsVisible(True)
        for command in COMMANDS:
            if command.menu == title:
                if command.separated:
                    menu.addSeparator()
                menu.addAction(actions[command.name])


def _call(method: Callable[[], None]) -> Callable[[bool], None]:
    return lambda _checked: method()
