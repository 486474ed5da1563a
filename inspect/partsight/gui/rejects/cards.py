"""How a part looks in the gallery: small picture, verdict as word and shape, reason, number and time."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from partsight.gui.rejects.model import ROW, Thumbnails
from partsight.gui.signs import RESULT_SIGN, Sign, paint_sign
from partsight.gui.theme import Look
from partsight.gui.words import local_time, reason_word, result_word
from partsight.wire.screen.parts import PartRow

CARD = (212, 236)
"""Width and height at 1024 x 768; the width grows to fill the row."""
GAP = 8


class CardDelegate(QStyledItemDelegate):
    """Paints a row. `width`: of a card, so that the columns fill the view."""

    def __init__(self, thumbs: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbs = thumbs
        self.width = Look.here().px(CARD[0])

    def sizeHint(  # noqa: N802 (Qt's name)
        self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Qt's."""
        return QSize(self.width, Look.here().px(CARD[1]))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Qt's."""
        row = index.data(ROW)
        if not isinstance(row, PartRow):
            return
        look = Look.here()
        c = look.colours
        state = option.state
        gap = look.px(GAP) / 2
        card = QRectF(option.rect).adjusted(gap, gap, -gap, -gap)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        edge = look.px(3 if chosen else 1)
        painter.setPen(QPen(QColor(c.accent if chosen else c.border), edge))
        painter.setBrush(QColor(c.raised if state & QStyle.StateFlag.State_MouseOver else c.panel))
        painter.drawRoundedRect(card.adjusted(edge / 2, edge / 2, -edge / 2, -edge / 2), look.px(8), look.px(8))
        inner = card.adjusted(look.px(6), look.px(6), -look.px(6), -look.px(6))
        text_height = look.px(84)
        place = QRectF(inner.x(), inner.y(), inner.width(), inner.height() - text_height)
        self._paint_picture(painter, place, row, look)
        self._paint_words(painter, QRectF(inner.x(), place.bottom(), inner.width(), text_height), row, look)
        painter.restore()

    def _paint_picture(self, painter: QPainter, place: QRectF, row: PartRow, look: Look) -> None:
        painter.fillRect(place, QColor(look.colours.picture))
        image = self._thumbs.get(row)
        if image is not None:
            _draw_fitted(painter, place, image)
            return
        gone = self._thumbs.is_gone(row)
        text = QCoreApplication.translate("cards", "Picture not kept") if gone else "…"
        painter.setFont(look.font(13))
        painter.setPen(QColor("#9aa7b5"))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)

    def _paint_words(self, painter: QPainter, place: QRectF, row: PartRow, look: Look) -> None:
        c = look.colours
        line = place.height() / 3
        side = look.px(20)
        colour = c.of(row.result)
        sign = QRectF(place.x(), place.y() + (line - side) / 2 + look.px(2), side, side)
        paint_sign(painter, sign, RESULT_SIGN[row.result], colour, QColor(c.panel))
        rest = place.adjusted(side + look.px(8), look.px(2), 0, 0)
        right = place.right()
        if row.disposition is not None:
            tick = QRectF(right - side, sign.y(), side, side)
            paint_sign(painter, tick, Sign.PERSON, QColor(c.accent), QColor(c.panel))
            right = tick.left() - look.px(4)
        top = QRectF(rest.x(), rest.y(), right - rest.x(), line)
        middle = QRectF(place.x(), place.y() + line, place.width(), line)
        _draw_line(painter, top, result_word(row.result), _Ink(15, colour, bold=True))
        _draw_line(painter, middle, reason_word(row.code, row.reason), _Ink(13, QColor(c.text)))
        under = QRectF(place.x(), place.y() + 2 * line, place.width(), line)
        when, small = local_time(row.at), _Ink(12, QColor(c.muted))
        painter.setFont(look.font(small.size))
        taken = painter.fontMetrics().horizontalAdvance(when) + look.px(8)
        _draw_line(painter, under, when, _Ink(12, QColor(c.muted), right=True))
        left = QRectF(under.x(), under.y(), under.width() - taken, line)
        _draw_line(painter, left, row.part_id or f"#{row.sequence}", small)


@dataclass(frozen=True, slots=True)
class _Ink:
    """How a line is written. size: at 1024 x 768."""

    size: int
    colour: QColor
    bold: bool = False
    right: bool = False


def _draw_line(painter: QPainter, place: QRectF, text: str, ink: _Ink) -> None:
    painter.setFont(Look.here().font(ink.size, bold=ink.bold))
    painter.setPen(ink.colour)
    cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
    side = Qt.AlignmentFlag.AlignRight if ink.right else Qt.AlignmentFlag.AlignLeft
    painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | side, cut)


def _draw_fitted(painter: QPainter, place: QRectF, image: QImage) -> None:
    """Whole, in the middle."""
    by = min(place.width() / image.width(), place.height() / image.height())
    width, height = image.width() * by, image.height() * by
    target = QRectF(place.center().x() - width / 2, place.center().y() - height / 2, width, height)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(target, image)
