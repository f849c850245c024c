"""The menu of the right button: what can be done with an image, or with the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMenu

from offline.pairing.project import Project

if TYPE_CHECKING:
    from offline.pairing.window.main_window import MainWindow

OF_MAP = ("fit", "to_playhead", "gaps", "play_gap", "images", "add_sounds")


def context_menu(window: MainWindow, project: Project, name: str) -> QMenu:
    """The commands for an image by its name, or for the map if the name is empty."""
    menu, actions, studio = QMenu(window), window.actions_by_name, window.studio
    if not name:
        for command in OF_MAP:
            menu.addAction(actions[command])
        return menu
    menu.addAction(name).setEnabled(False)
    is_placed = any(pair.name == name for pair in project.pairs)
    if is_placed:
        menu.addAction(actions["remove"])
    if project.thumbnail(name) is not None:
        star = menu.addAction("Remove the star" if project.is_starred(name) else "Choose image")
        star.triggered.connect(lambda: window.star(name))
        menu.addAction("More like this").triggered.connect(lambda: window.tray.show_similar(name))
        if not is_placed and studio.board is not None:
            here = menu.addAction("Pair with the playhead")
            here.triggered.connect(lambda: window.place_at(name, studio.transport.sound, studio.transport.seconds))
    return menu
