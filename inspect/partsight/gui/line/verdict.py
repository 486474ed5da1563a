"""The verdict over the whole width: a word and a shape that are read from five metres, without colour."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from partsight.domain.status import StationState
from partsight.gui.client import Link
from partsight.gui.signs import RESULT_SIGN, Sign, paint_sign
from partsight.gui.theme import Look
from partsight.gui.words import (
    STATE_SIGN,
    action_word,
    link_word,
    local_time,
    number_word,
    reason_word,
    result_word,
    state_word,
)
from partsight.wire.screen.parts import PartRow
from partsight.wire.screen.station import StationNote

HEIGHT = 132
MOST_GROUNDS = 8
WORD_SHARE = 0.46
"""At most so much of the width is the word's."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the band says. colour: of the ground, None where it is no verdict."""

    word: str
    sign: Sign
    colour: QColor | None
    lines: tuple[str, ...]


class VerdictBand(QWidget):
    """Shows a verdict only while the station judges and answers; else what it does instead."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._part: PartRow | None = None
        self._note: StationNote | None = None
        self._link = Link.CONNECTING
        self._grounds: dict[tuple[str, Sign], tuple[QPixmap, float]] = {}
        self._ground_of: tuple[object, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._name()

    def set_part(self, part: PartRow | None) -> None:
        """The newest part."""
        self._part = part
        self._name()

    def part(self) -> PartRow | None:
        """The newest part."""
        return self._part

    def set_station(self, note: StationNote | None, link: Link) -> None:
        """What the station does, and whether it answers."""
        self._note, self._link = note, link
        self._name()

    def shown(self) -> Shown:
        """What stands there now."""
        if self._link is not Link.LIVE or self._note is None:
            return Shown(link_word(self._link), Sign.BAD, None, (self.tr("Verdicts are not known here."),))
        if self._note.state is not StationState.RUNNING or not self._note.alive:
            lines = (self._note.error_text or self._note.why, self._last_part())
            return Shown(state_word(self._note.state), STATE_SIGN[self._note.state], None, lines)
        if self._part is None:
            return Shown(self.tr("Waiting"), Sign.IDLE, None, (self.tr("No part yet."),))
        return self._verdict(self._part)

    def _verdict(self, part: PartRow) -> Shown:
        facts = (local_time(part.at), action_word(part.action), number_word(part.verdict_ms, 0, "ms"))
        lines = (
            part.part_id or self.tr("Part {id}").format(id=part.id),
            reason_word(part.code, part.reason) if part.code else "",
            "  ·  ".join(facts),
        )
        return Shown(result_word(part.result), RESULT_SIGN[part.result], Look.here().colours.of(part.result), lines)

    def _last_part(self) -> str:
        if self._part is None:
            return ""
        text = self.tr("Last part: {id}, {word}")
        return text.format(id=self._part.part_id or self._part.id, word=result_word(self._part.result))

    def _name(self) -> None:
        shown = self.shown()
        self.setAccessibleName(" ".join((shown.word, *shown.lines)))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Qt's."""
        return QSize(Look.here().px(600), Look.here().px(HEIGHT))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        look, shown = Look.here(), self.shown()
        ink = QColor(look.colours.on_verdict if shown.colour is not None else look.colours.text)
        key = (shown.word, shown.sign, look.theme, look.scale, self.width(), self.height(), self.devicePixelRatioF())
        if key[2:] != self._ground_of:
            self._grounds, self._ground_of = {}, key[2:]
        if key[:2] not in self._grounds:
            if len(self._grounds) >= MOST_GROUNDS:
                self._grounds.clear()
            self._grounds[key[:2]] = self._draw_ground(shown, ink, look)
        ground, left = self._grounds[key[:2]]
        painter = QPainter(self)
        painter.drawPixmap(0, 0, ground)
        self._paint_lines(painter, shown.lines, ink, left, look)
        painter.end()

    def _draw_ground(self, shown: Shown, ink: QColor, look: Look) -> tuple[QPixmap, float]:
        """All but the lines, once for each word: it is the largest thing that changes with every part. And where the
        lines begin.
        """
        c = look.colours
        ground = shown.colour or QColor(c.panel)
        ratio = self.devicePixelRatioF()
        drawn = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        drawn.setDevicePixelRatio(ratio)
        drawn.fill(Qt.GlobalColor.transparent)
        painter = QPainter(drawn)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(ground)
        painter.setPen(QColor(c.border) if shown.colour is None else Qt.PenStyle.NoPen)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), look.px(10), look.px(10))
        pad = look.px(16)
        side = self.height() - 2 * pad
        paint_sign(painter, QRectF(pad, pad, side, side), shown.sign, ink, ground)
        left = 2 * pad + side
        width = self._paint_word(painter, shown.word, ink, left, look)
        painter.end()
        return drawn, left + width + 2 * pad

    def _paint_word(self, painter: QPainter, word: str, ink: QColor, left: float, look: Look) -> float:
        font = look.font(HEIGHT * 0.7, bold=True)
        font.setWeight(QFont.Weight.Black)
        room = self.width() * WORD_SHARE
        wide = QFontMetricsF(font).horizontalAdvance(word)
        if wide > room:
            font.setPixelSize(max(look.px(24), int(font.pixelSize() * room / wide)))
        painter.setFont(font)
        painter.setPen(ink)
        width = min(room, QFontMetricsF(font).horizontalAdvance(word))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(QRectF(left, 0, room + look.px(8), self.height()), flags, word)
        return width

    def _paint_lines(self, painter: QPainter, lines: tuple[str, ...], ink: QColor, left: float, look: Look) -> None:
        shown = [line for line in lines if line]
        fonts = [look.font(26 if i == 0 else 17, bold=i == 0) for i in range(len(shown))]
        heights = [QFontMetricsF(font).height() + look.px(2) for font in fonts]
        top = (self.height() - sum(heights)) / 2
        room = self.width() - left - look.px(16)
        painter.setPen(ink)
        for line, font, height in zip(shown, fonts, heights, strict=True):
            painter.setFont(font)
            text = QFontMetricsF(font).elidedText(line, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRectF(left, top, room, height), Qt.AlignmentFlag.AlignVCenter, text)
            top += height
