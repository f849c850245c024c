"""The window as a program: Qt's application around a studio."""

import signal
import sys

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.main_window import MainWindow
from offline.pairing.window.memory import Memory


def run(preset: str | None, sound_device: str | None) -> int:
    """Open the window, with a preset or the start page, until it is closed; return the exit status."""
    application = QApplication(sys.argv[:1])
    application.setApplicationName("Ponticello studio")
    application.setDesktopFileName("ponticello-studio")
    theme.dress(application)
    studio = Studio(sound_device)
    window = MainWindow(studio, Memory.load())
    window.show()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.close())
    if preset is not None:
        QTimer.singleShot(0, lambda: window.open_preset(preset))
    return application.exec()
