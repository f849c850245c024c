"""A program of its own that opens a Qt application and ends: Qt aborts the whole process where it has no usable display."""

import sys

from PySide6.QtGui import QGuiApplication

if __name__ == "__main__":
    application = QGuiApplication(sys.argv[:1])
    print(len(application.screens()))
