"""Opens a Qt application and ends. Run as a child process, because Qt aborts its process without a usable display."""

import sys

from PySide6.QtGui import QGuiApplication

if __name__ == "__main__":
    application = QGuiApplication(sys.argv[:1])
    print(len(application.screens()))
