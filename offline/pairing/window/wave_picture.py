"""The waveform and the film below it as a cached picture, redrawn when zoom, colours or pairs change."""

import numpy as np
from jaxtyping import Float32, UInt8
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPen, QPixmap

from offline.pairing import palette
from offline.pairing.placed_pairs import PlacedPair
from offline.pairing.points import canvas
from offline.pairing.studio import Studio
from offline.pairing.timespan import Timespan
from offline.pairing.window import theme
from offline.pairing.window.look import Look
from offline.pairing.window.pictures import Pictures

RULER = 20
"""Height of the ruler above the waveform, in logical pixels."""
STRIP = 38
"""Height of the film below it."""
SPACE = 4
FLAT = 0.012  # of the height: a silent sound is a line


def wave_picture(
    studio: Studio, colours: UInt8[np.ndarray, "m 3"], sound: int, span: Timespan, height: float, ratio: float
) -> QImage:
    """The waveform alone, each column in the colour of the frame in its middle."""
    width, rows = max(1, round(span.width * ratio)), max(1, round(height * ratio))
    image = canvas(width, rows, palette.GROUND)
    board = studio.board
    envelope = studio.transport.envelope(sound, span.start, span.end, width)
    if board is not None and envelope is not None and len(colours) == len(board.places):
        column = colours[board.rows(sound, span.start, span.end, width)]
        _fill(image, envelope, column)
    return QImage(image.data, width, rows, 4 * width, QImage.Format.Format_RGB32).copy()


def _fill(
    image: UInt8[np.ndarray, "h w 4"], envelope: Float32[np.ndarray, "w 2"], colours: UInt8[np.ndarray, "w 3"]
) -> None:
    """Each column from its lowest to its highest sample; the loudest of the view fills the height."""
    peak = max(float(np.abs(envelope).max()), 1e-4)
    height = len(image)
    low = np.minimum(envelope[:, 0] / peak, -FLAT)
    high = np.maximum(envelope[:, 1] / peak, FLAT)
    level = 1 - 2 * (np.arange(height) + 0.5) / height
    inside = (level[:, None] <= high) & (level[:, None] >= low)
    image[..., :3][inside] = np.broadcast_to(colours[:, ::-1], (height, len(colours), 3))[inside]


def kept_picture(
    studio: Studio,
    look: Look,
    pictures: Pictures,
    colours: UInt8[np.ndarray, "m 3"],
    sound: int,
    span: Timespan,
    height: float,
    ratio: float,
) -> QPixmap:
    """Ruler, waveform, images' moments and film for a view of this size."""
    pixmap = QPixmap(max(1, round(span.width * ratio)), max(1, round(height * ratio)))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(theme.GROUND)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font(theme.SMALL_SIZE - 1))
    wave_height = height - RULER - STRIP - SPACE
    wave = wave_picture(studio, colours, sound, span, wave_height, ratio)
    painter.drawImage(QRectF(0, RULER, span.width, wave_height), wave)
    _draw_ruler(painter, span)
    pairs = studio.project.pairs if studio.project else []
    _draw_strip(painter, studio, pictures, pairs, sound, span, height, ratio)
    _draw_moments(painter, studio, look, pairs, sound, span)
    painter.end()
    return pixmap


def _draw_ruler(painter: QPainter, span: Timespan) -> None:
    for seconds, text in span.ticks():
        x = span.pixel(seconds)
        painter.setPen(QPen(theme.FAINT, 1))
        painter.drawLine(QPointF(x, RULER - 6), QPointF(x, RULER - 1))
        painter.setPen(theme.DIM)
        painter.drawText(QPointF(x + 4, RULER - 7), text)


def _draw_moments(
    painter: QPainter, studio: Studio, look: Look, pairs: list[PlacedPair], sound: int, span: Timespan
) -> None:
    """A flag where an image is paired with a moment of this sound."""
    board = studio.board
    if board is None:
        return
    for pair in pairs:
        number, seconds = board.time_of(pair.row)
        if number == sound and span.start <= seconds <= span.end:
            x = span.pixel(seconds)
            is_selected = pair.name == look.selected
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.ACCENT if is_selected else theme.WHITE)
            painter.drawPolygon([QPointF(x - 5, RULER - 1), QPointF(x + 5, RULER - 1), QPointF(x, RULER + 8)])


def _draw_strip(
    painter: QPainter,
    studio: Studio,
    pictures: Pictures,
    pairs: list[PlacedPair],
    sound: int,
    span: Timespan,
    height: float,
    ratio: float,
) -> None:
    board = studio.board
    top = height - STRIP
    if board is None or not pairs:
        painter.setPen(theme.FAINT)
        painter.setFont(theme.font(theme.SMALL_SIZE))
        text = "the film appears here, once an image lies on the map" if board is not None else ""
        painter.drawText(QRectF(0, top, span.width, STRIP), Qt.AlignmentFlag.AlignCenter, text)
        return
    cells = max(1, round(span.width / STRIP))
    wide = span.width / cells
    for cell, number in enumerate(board.strip(sound, span.start, span.end, cells).tolist()):
        if 0 <= number < len(pairs):
            picture = pictures.pixmap(pairs[number].name, STRIP, ratio)
            painter.drawPixmap(QRectF(cell * wide, top, wide, STRIP), picture, QRectF(picture.rect()))
