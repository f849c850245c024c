"""Dragging: candidates within the window, and files from outside."""

from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, Qt
from PySide6.QtGui import QDrag, QPixmap
from PySide6.QtWidgets import QWidget

IMAGE = "application/x-ponticello-image"  # the name of a candidate
PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".webp", ".bmp", ".heic"}
GENERATORS = {".safetensors"}


def drag_image(source: QWidget, name: str, picture: QPixmap) -> None:
    """Drag a candidate out of a view until it is dropped."""
    data = QMimeData()
    data.setData(IMAGE, name.encode())
    drag = QDrag(source)
    drag.setMimeData(data)
    drag.setPixmap(picture)
    middle = picture.deviceIndependentSize() / 2
    drag.setHotSpot(QPoint(round(middle.width()), round(middle.height())))
    drag.exec(Qt.DropAction.CopyAction)


def dragged_image(data: QMimeData) -> str:
    """The name of the dragged candidate; empty if something else is dragged."""
    return bytes(data.data(IMAGE).data()).decode() if data.hasFormat(IMAGE) else ""


def dragged_files(data: QMimeData) -> list[Path]:
    """The files dragged in from outside."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data.hasUrls() else []
