"""A picture with halved copies of itself, so that 20 million pixels are painted as quickly as two, and as sharp."""

from __future__ import annotations

import time
from dataclasses import dataclass

from PySide6.QtCore import QBuffer, QByteArray, QSize, Qt
from PySide6.QtGui import QImage, QImageReader, QPainter

SMALLEST = 700
"""Pixels of the longer side, under which no further copy is made."""
STRIP = 128
"""Rows; even, so that halves of strips meet."""
PIECE = 1 << 20
"""Bytes that are copied at once."""
PAINTED = {QImage.Format.Format_RGB32, QImage.Format.Format_Grayscale8}
SIXTEEN_BIT = {QImage.Format.Format_Grayscale16, QImage.Format.Format_RGBX64, QImage.Format.Format_RGBA64}


@dataclass(frozen=True, slots=True)
class Levels:
    """images: largest first, each half of the one before; 32 bits, or 8 where grey. grey: no pixel has a colour."""

    images: tuple[QImage, ...]
    grey: bool

    @property
    def size(self) -> QSize:
        """Of the largest."""
        return self.images[0].size()

    @property
    def bytes(self) -> int:
        """What all of them hold."""
        return sum(image.sizeInBytes() for image in self.images)

    def shown(self, width: float) -> QImage:
        """The smallest that still has a pixel for each of `width` pixels of the screen."""
        fitting = [image for image in self.images if image.width() >= width]
        return fitting[-1] if fitting else self.images[0]


def read_levels(content: bytes, *, exact: bool = False) -> Levels | None:
    """Decoded; takes half a second for 20 million pixels, so not for the window's thread.

    exact: the file as it is kept; None then where its values are no picture for people (more than eight bits: only the
    station knows the range), as for a file that is no picture at all.
    """
    copied = QByteArray()
    copied.reserve(len(content))
    for start in range(0, len(content), PIECE):
        copied.append(content[start : start + PIECE])
    data = QBuffer()
    data.setData(copied)
    # Of all ways to decode, the reader alone lets other threads of Python run meanwhile.
    image = QImageReader(data).read()
    if image.isNull() or (exact and image.format() in SIXTEEN_BIT):
        return None
    images = [image if image.format() in PAINTED else _in_strips(image, 1)]
    while max(images[-1].width(), images[-1].height()) > SMALLEST:
        images.append(_in_strips(images[-1], 2))
    return Levels(tuple(images), images[-1].isGrayscale())


def _in_strips(image: QImage, by: int) -> QImage:
    """`by` times smaller; Format_RGB32, or grey as it was. A strip holds the window up for milliseconds only."""
    grey = image.format() is QImage.Format.Format_Grayscale8
    size = QSize(max(1, image.width() // by), max(1, image.height() // by))
    made = QImage(size, QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB32)
    smooth, stretch = Qt.TransformationMode.SmoothTransformation, Qt.AspectRatioMode.IgnoreAspectRatio
    painter = QPainter(made)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    for top in range(0, size.height() * by, STRIP):
        height = min(STRIP, image.height() - top)
        strip = image.copy(0, top, image.width(), height)
        if by > 1 and height >= by:
            strip = strip.scaled(QSize(size.width(), height // by), stretch, smooth)
        painter.drawImage(0, top // by, strip)
        time.sleep(0)
    painter.end()
    return made
