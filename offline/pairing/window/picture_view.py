"""The film: a picture in time with the sound, the mock-up's or the generator's, or both side by side."""

from fractions import Fraction

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from offline.pairing.film import Shown
from offline.pairing.studio import Studio
from offline.pairing.window import theme
from offline.pairing.window.look import Look
from offline.pairing.window.parts import draw_invitation
from offline.pairing.window.pictures import to_image
from shared.controls import CONTROLS, aspect_ratio

ROUNDED = 2  # pixels: less than that is added to a picture's longer side
LABEL = 20  # height of a line below a picture
SETTLED_MS = 300  # a pane that is being resized gives the pictures its shape when it has kept its size for so long


class PictureView(QWidget):
    """One picture, or two: side by side or one above the other, whichever shows them larger."""

    clicked_twice = Signal()

    def __init__(self, studio: Studio, look: Look) -> None:
        super().__init__()
        self.setObjectName("film")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 120)
        self.studio, self.look = studio, look
        self.painted = 0
        """Number of repaints."""
        self._shown: list[Shown | None] = []
        self._images: list[QImage | None] = []
        self._settled = QTimer(self, singleShot=True, interval=SETTLED_MS)
        self._settled.timeout.connect(self._reshape)
        look.changed.connect(self._look_changed)

    def sizeHint(self) -> QSize:
        return QSize(320, 320)

    @property
    def is_plain(self) -> bool:
        """Whether it fills a screen, without text."""
        return self.window().isFullScreen()

    def _look_changed(self, name: str) -> None:
        if name in ("shape", "source"):
            self._reshape()
            self.follow()

    def _reshape(self) -> None:
        """Draw in the shape that was chosen, or in that of this view."""
        shape = self.look.shape
        if shape == "window":
            shape = self._own_shape()
        if shape != self.studio.film.shape:
            self.studio.film.shape = shape
            self.follow()

    def _own_shape(self) -> str:
        """The shape of the room for a picture, as a ratio within the limits of the control."""
        limit = int(CONTROLS["shape"].high)
        ratio = Fraction(max(1, self.width()), max(1, self.height()))
        ratio = min(max(ratio, Fraction(1, limit)), Fraction(limit)).limit_denominator(999)
        return f"{ratio.numerator}:{ratio.denominator}"

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self.look.shape == "window":
            self._settled.start()

    def follow(self) -> None:
        """Show the pictures of the current moment; repaints only if they changed."""
        film, source = self.studio.film, self.look.source
        film.generating = source != "mock-up"
        shown = []
        if self.studio.project is not None:
            if source in ("mock-up", "both"):
                shown.append(film.mockup())
            if source in ("generator", "both"):
                shown.append(film.generated())
        keys = [_key(each) for each in shown]
        if keys == [_key(each) for each in self._shown]:
            return
        known = {_key(each): image for each, image in zip(self._shown, self._images, strict=True)}
        self._images = [
            known[key] if key in known else to_image(each.image) if each and each.image is not None else None
            for key, each in zip(keys, shown, strict=True)
        ]
        self._shown = shown
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        self.painted += 1
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.black if self.is_plain else theme.GROUND)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        area = QRectF(self.rect())
        if not any(self._images):
            title, advice = self._invitation()
            draw_invitation(painter, area, title, advice)
            return
        room = 0 if len(self._images) == 1 or self.is_plain else LABEL
        for part, image, shown in zip(self._parts(area, room), self._images, self._shown, strict=True):
            if image is not None and shown is not None:
                self._paint_picture(painter, part, image, shown if room else None)

    def _parts(self, area: QRectF, room: int) -> list[QRectF]:
        """The place of each picture: beside each other or one above the other, as they are larger. room: for a line below."""
        count = len(self._images)
        width, height = area.width() / count, area.height() / count
        beside = [QRectF(area.x() + width * i, area.y(), width, area.height()) for i in range(count)]
        above = [QRectF(area.x(), area.y() + height * i, area.width(), height) for i in range(count)]
        image = next(image for image in self._images if image is not None)
        return max(beside, above, key=lambda parts: _scale(parts[0], self._shown_part(image), room))

    def _shown_part(self, image: QImage) -> QRectF:
        """The part of an image that has the film's shape to the last fraction: its sides are rounded up to whole pixels.

        All of an image in another shape, such as one that stands in.
        """
        width, height, aspect = image.width(), image.height(), float(aspect_ratio(self.studio.film.shape))
        exact = min(width, height * aspect), min(height, width / aspect)
        if width - exact[0] >= ROUNDED or height - exact[1] >= ROUNDED:
            return QRectF(image.rect())
        return QRectF((width - exact[0]) / 2, (height - exact[1]) / 2, *exact)

    def _paint_picture(self, painter: QPainter, part: QRectF, image: QImage, shown: Shown | None) -> None:
        """A picture as large as fits, with its kind below it if there are two."""
        room = part.height() - (LABEL if shown else 0)
        source = self._shown_part(image)
        scale = _scale(part, source, LABEL if shown else 0)
        width, height = source.width() * scale, source.height() * scale
        box = QRectF(part.x() + (part.width() - width) / 2, part.y() + (room - height) / 2, width, height)
        painter.drawImage(box, image, source)
        if shown:
            painter.setFont(theme.font(theme.SMALL_SIZE))
            painter.setPen(theme.DIM)
            line = QRectF(part.x(), box.bottom() + 2, part.width(), LABEL - 2)
            words = "the mock-up stands in" if shown.stands_in else shown.kind
            painter.drawText(line, Qt.AlignmentFlag.AlignCenter, words)

    def _invitation(self) -> tuple[str, str]:
        project = self.studio.project
        if project is None or not project.pairs:
            return "", "Drag an image onto the map: the film shows the one nearest to the sound."
        return (
            "",
            self.studio.film.state
            if self.look.source != "mock-up"
            else "Play, or move over the map with the button held.",
        )

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.clicked_twice.emit()


def _scale(part: QRectF, image: QRectF, room: int) -> float:
    """The size at which an image fits a part with so much room left below, to its own size."""
    return min(part.width() / image.width(), (part.height() - room) / image.height())


def _key(shown: Shown | None) -> tuple[int, str]:
    """A key that differs for pictures that look different."""
    return (0, "") if shown is None else (id(shown.image), "mock-up" if shown.stands_in else shown.kind)


class FilmWindow(QWidget):
    """The film in a window of its own, for another monitor."""

    closed = Signal()
    key_pressed = Signal(QKeyEvent)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setWindowTitle(f"{name}: film")
        self.setObjectName("film-window")
        self.resize(720, 720)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    def take(self, view: PictureView) -> None:
        """Hold the picture."""
        layout = self.layout()
        if layout is not None:
            layout.addWidget(view)
        view.show()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closed.emit()
        event.accept()
