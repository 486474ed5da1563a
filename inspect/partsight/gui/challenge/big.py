"""A sign and a word that are read from where the part is put in, with gloves on."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from partsight.gui.signs import Sign, paint_sign
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Tone, tone_colour

HEIGHT, LETTERS = 108, 52
SMALLEST = 0.4


class BigWord(QWidget):
    """One line; the letters shrink where it is long."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.word, self.sign = "", Sign.IDLE
        self._tone: Tone | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def say(self, sign: Sign, word: str, tone: Tone | None = None) -> None:
        """tone: None for the text's own colour."""
        if (sign, word, tone) != (self.sign, self.word, self._tone):
            self.sign, self.word, self._tone = sign, word, tone
            self.setAccessibleName(word)
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Qt's."""
        look = Look.here()
        return QSize(look.px(420), look.px(HEIGHT))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        look = Look.here()
        colour = tone_colour(self._tone) if self._tone is not None else QColor(look.colours.text)
        painter = QPainter(self)
        side = min(float(self.height()), float(look.px(HEIGHT))) * 0.8
        room = self.width() - side - look.px(24)
        font = look.font(LETTERS, bold=True)
        painter.setFont(font)
        width = painter.fontMetrics().horizontalAdvance(self.word)
        if width > room > 0:
            font.setPixelSize(max(round(look.px(LETTERS) * SMALLEST), int(font.pixelSize() * room / width)))
            painter.setFont(font)
            width = painter.fontMetrics().horizontalAdvance(self.word)
        left = max(0.0, (self.width() - side - look.px(20) - width) / 2)
        top = (self.height() - side) / 2
        paint_sign(painter, QRectF(left, top, side, side), self.sign, colour, QColor(look.colours.panel))
        painter.setPen(colour)
        place = QRectF(left + side + look.px(20), 0, room, self.height())
        word = painter.fontMetrics().elidedText(self.word, Qt.TextElideMode.ElideRight, int(place.width()))
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, word)
        painter.end()
