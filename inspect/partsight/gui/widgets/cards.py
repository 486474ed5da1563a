"""Small things that every page is made of: cards, texts, buttons, signs, figures and tiles."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from partsight.domain.verdict import Result
from partsight.gui.signs import Sign, paint_sign
from partsight.gui.theme import Look, set_property

Kind = Literal["plain", "primary", "danger", "quiet"]
TextKind = Literal["", "title", "heading", "figure", "muted", "small", "mono", "bad"]
Tone = Literal["good", "bad", "warn", "hold", "idle", "info"]
SMALLEST_PX, INDENT_PX = 12, 3
SIGN_TONE: dict[Sign, Tone] = {
    Sign.OK: "good",
    Sign.GOOD: "good",
    Sign.RUN: "good",
    Sign.NG: "bad",
    Sign.BAD: "bad",
    Sign.REVIEW: "warn",
    Sign.WARN: "warn",
    Sign.PAUSE: "warn",
    Sign.INVALID: "hold",
    Sign.IDLE: "idle",
}


def tone_colour(tone: Tone) -> QColor:
    """Of the theme."""
    c = Look.here().colours
    return QColor(
        {"good": c.ok, "bad": c.ng, "warn": c.review, "hold": c.invalid, "idle": c.neutral, "info": c.accent}[tone]
    )


def text_label(text: str = "", kind: TextKind = "", *, wrap: bool = False, parent: QWidget | None = None) -> QLabel:
    """A text in one of the sheet's sizes. Never reads markup: what it shows comes from outside."""
    label = QLabel(text, parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(wrap)
    if kind:
        label.setProperty("kind", kind)
    return label


def button(text: str, kind: Kind = "plain", parent: QWidget | None = None) -> QPushButton:
    """At least as high as a finger needs."""
    made = QPushButton(text, parent)
    made.setAutoDefault(False)
    if kind != "plain":
        made.setProperty("kind", kind)
    return made


def spaced(*boxes: QAbstractSpinBox) -> None:
    """Room before the digits: the field in a box of numbers or dates takes none from the style sheet."""
    for box in boxes:
        box.lineEdit().setTextMargins(Look.here().px(8), 0, 0, 0)


def allow(what: QWidget, allowed: bool, reason: str) -> None:
    """Switch on, or off with the reason as its tip and for screen readers."""
    what.setEnabled(allowed)
    what.setToolTip("" if allowed else reason)
    what.setAccessibleDescription("" if allowed else reason)


class Card(QFrame):
    """A panel with rounded corners and a column in it."""

    def __init__(self, title: str = "", parent: QWidget | None = None, *, margin: int = 12, spacing: int = 8) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        look = Look.here()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(*(look.px(margin),) * 4)
        self.column.setSpacing(look.px(spacing))
        if title:
            self.column.addWidget(text_label(title, "heading"))


class ElidedLabel(QLabel):
    """One line that is cut with … where it does not fit; the whole text is its tip."""

    def __init__(self, text: str = "", kind: TextKind = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        if kind:
            self.setProperty("kind", kind)
        self.set_whole(text)

    def set_whole(self, text: str) -> None:
        """The text as it is."""
        if text != self._whole or not self.text():
            self._whole = text
            self._fit()

    def whole(self) -> str:
        """The text without a cut."""
        return self._whole

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; cuts anew."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        cut = self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, max(0, self.width() - 2))
        self.setText(cut)
        self.setToolTip(self._whole if cut != self._whole else "")


class SignView(QWidget):
    """A sign alone. size: at 1024 x 768."""

    def __init__(self, sign: Sign = Sign.IDLE, size: int = 22, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sign, self._size = sign, size
        self._colour: QColor | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_sign(self, sign: Sign, colour: QColor | None = None) -> None:
        """colour: the sign's own where None."""
        if (sign, colour) != (self._sign, self._colour):
            self._sign, self._colour = sign, colour
            self.update()

    def sign(self) -> Sign:
        """What is shown."""
        return self._sign

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Qt's."""
        side = Look.here().px(self._size)
        return QSize(side, side)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        colour = self._colour or tone_colour(SIGN_TONE.get(self._sign, "idle"))
        painter = QPainter(self)
        paint_sign(painter, QRectF(self.rect()), self._sign, colour, QColor(Look.here().colours.panel))
        painter.end()


class Tile(QFrame):
    """A thing and how it is: sign, name, state in words, and one line more."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        look = Look.here()
        row = QHBoxLayout(self)
        row.setContentsMargins(look.px(10), look.px(6), look.px(10), look.px(6))
        row.setSpacing(look.px(10))
        self.sign = SignView(size=24)
        self.name = ElidedLabel(name, "small")
        self.word = ElidedLabel("")
        self.detail = ElidedLabel("", "small")
        texts = QVBoxLayout()
        texts.setSpacing(0)
        for label in (self.name, self.word, self.detail):
            texts.addWidget(label)
        row.addWidget(self.sign)
        row.addLayout(texts, 1)
        self.setMinimumWidth(look.px(132))

    def show_state(self, sign: Sign, word: str, detail: str = "") -> None:
        """How it is."""
        self.sign.set_sign(sign)
        self.word.set_whole(word)
        self.detail.set_whole(detail)
        self.setToolTip(f"{self.name.whole()}: {word}" + (f"\n{detail}" if detail else ""))
        self.setAccessibleName(f"{self.name.whole()}: {word}")


class FittedText(QWidget):
    """A number in one line; smaller letters, not fewer, where it has no room."""

    def __init__(self, text: str, size: float, parent: QWidget | None = None) -> None:
        """size: of the letters in pixels at 1024 x 768, where there is room."""
        super().__init__(parent)
        self._text, self._size = text, size
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def text(self) -> str:
        """What stands there, whole."""
        return self._text

    def set_text(self, text: str) -> None:
        """Painted anew only where it is another."""
        if text != self._text:
            self._text = text
            self.update()

    def letters(self) -> QFont:
        """As large as fits."""
        font = Look.here().font(self._size, bold=True)
        wide = QFontMetricsF(font).horizontalAdvance(self._text)
        room = self.width() - Look.here().px(INDENT_PX)
        if wide > room:
            font.setPixelSize(max(Look.here().px(SMALLEST_PX), int(font.pixelSize() * room / wide)))
        return font

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Qt's."""
        look = Look.here()
        return QSize(look.px(60), round(QFontMetricsF(look.font(self._size, bold=True)).height()) + look.px(2))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        painter = QPainter(self)
        painter.setFont(self.letters())
        painter.setPen(QColor(Look.here().colours.text))
        place = self.rect().adjusted(Look.here().px(INDENT_PX), 0, 0, 0)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self._text)
        painter.end()


class Figure(QWidget):
    """A number with its name under it, and a verdict's shape before it where it is one."""

    def __init__(self, name: str, result: Result | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = Look.here()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = QHBoxLayout()
        row.setSpacing(look.px(6))
        if result is not None:
            row.addWidget(SignView(Sign(result.value.lower()), 18))
        self.value = FittedText("–", 24)
        row.addWidget(self.value, 1)
        column.addLayout(row)
        self.name = ElidedLabel(name, "small")
        column.addWidget(self.name)
        column.addStretch(1)

    def set_value(self, text: str) -> None:
        """What stands there."""
        if self.value.text() != text:
            self.value.set_text(text)
            self.setAccessibleName(f"{self.name.whole()}: {text}")


class Banner(QFrame):
    """A line over the whole width that stays for as long as it is true."""

    def __init__(self, sign: Sign, tone: Tone, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_property(self, "tone", tone)
        look = Look.here()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(look.px(12), look.px(6), look.px(12), look.px(6))
        self._row.setSpacing(look.px(10))
        self._sign = SignView(sign, 26)
        self._sign.set_sign(sign, tone_colour(tone))
        self.text = text_label("", "heading", wrap=True)
        self._row.addWidget(self._sign)
        self._row.addWidget(self.text, 1)

    def add(self, what: QWidget) -> None:
        """A button at the end."""
        self._row.addWidget(what)


class Empty(QWidget):
    """What stands where there is nothing to show: a sign and why."""

    def __init__(self, text: str = "", sign: Sign = Sign.IDLE, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setSpacing(Look.here().px(12))
        self.sign = SignView(sign, 56)
        self.text = text_label(text, "heading", wrap=True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addStretch(1)
        column.addWidget(self.sign, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.text)
        column.addStretch(1)
