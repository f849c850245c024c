"""Candidates' pictures at the sizes that views draw: the 16-pixel thumbnail first, the sharp one once it is read."""

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPixmap

from offline.pairing.project import Project
from shared.preset.candidates import Origin

SIDE = 160  # pixels of the kept picture: sharp at 96 logical pixels and 1.5x scale
KEPT = 3000  # pictures, 100 KB each
SCALED = 1500  # pixmaps at a size that is drawn


class Pictures(QObject):
    """Pixmaps by name and size. `arrived` is emitted when a sharper one of a name is ready."""

    arrived = Signal(str)
    _read = Signal(int, str, object)

    def __init__(self) -> None:
        super().__init__()
        self._project: Project | None = None
        self._age = 0
        self._origin: Origin | None = None
        self._sharp: OrderedDict[str, QImage] = OrderedDict()
        self._scaled: OrderedDict[tuple[str, int, bool], QPixmap] = OrderedDict()
        self._asked: set[str] = set()
        self._reader = ThreadPoolExecutor(1, "pictures")
        self._read.connect(self._take)

    def use(self, project: Project | None) -> None:
        """Show another preset's candidates, or these after a change."""
        self._age += 1
        self._project = project
        candidates = project.candidates if project else None
        self._origin = candidates.origin if candidates else None
        self._sharp.clear()
        self._scaled.clear()
        self._asked.clear()

    def refresh(self) -> None:
        """Read the pictures of new candidates, or of all if they are drawn with other settings than before."""
        candidates = self._project.candidates if self._project else None
        origin = candidates.origin if candidates else None
        if origin != self._origin:
            self.use(self._project)
        else:
            self._asked = set(self._sharp)

    def pixmap(self, name: str, side: int, ratio: float = 1.0) -> QPixmap:
        """The picture of a candidate, `side` logical pixels wide; grey if it is unknown."""
        size = max(1, round(side * ratio))
        is_sharp = name in self._sharp
        key = (name, size, is_sharp)
        if key not in self._scaled:
            image = self._sharp[name] if is_sharp else self._rough(name)
            smooth = Qt.TransformationMode.SmoothTransformation
            made = QPixmap.fromImage(image.scaled(size, size, Qt.AspectRatioMode.IgnoreAspectRatio, smooth))
            self._scaled[key] = made
            if len(self._scaled) > SCALED:
                self._scaled.popitem(last=False)
        self._scaled.move_to_end(key)
        if not is_sharp:
            self._ask(name)
        found = self._scaled[key]
        found.setDevicePixelRatio(ratio)
        return found

    def close(self) -> None:
        """Stop reading."""
        self._age += 1
        self._reader.shutdown(wait=True, cancel_futures=True)

    def _rough(self, name: str) -> QImage:
        small = self._project.thumbnail(name) if self._project else None
        if small is None:
            grey = QImage(1, 1, QImage.Format.Format_RGB32)
            grey.fill(QColor(70, 74, 82))
            return grey
        return to_image(small)

    def _ask(self, name: str) -> None:
        if name in self._asked or self._project is None:
            return
        self._asked.add(name)
        file = self._project.image_file(name)
        if file is not None:
            self._reader.submit(self._load, self._age, name, file)

    def _load(self, age: int, name: str, file: Path) -> None:
        """In the reader's thread."""
        if age != self._age:
            return
        try:
            with Image.open(file) as picture:
                reduced = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
        except (OSError, SyntaxError):  # Pillow raises SyntaxError for a broken PNG
            return
        self._read.emit(age, name, np.asarray(reduced))

    def _take(self, age: int, name: str, pixels: object) -> None:
        if age != self._age or not isinstance(pixels, np.ndarray):
            return
        self._sharp[name] = to_image(pixels)
        if len(self._sharp) > KEPT:
            self._asked.discard(self._sharp.popitem(last=False)[0])
        self.arrived.emit(name)


def to_image(pixels: UInt8[np.ndarray, "h w 3"]) -> QImage:
    """A picture in the format that Qt draws fastest."""
    plain = np.ascontiguousarray(pixels)
    height, width = plain.shape[:2]
    return QImage(plain.data, width, height, 3 * width, QImage.Format.Format_RGB888).convertToFormat(
        QImage.Format.Format_RGB32
    )
