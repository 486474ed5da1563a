"""Signs drawn as shapes, so that nothing on the screen is said by colour alone, and no icon file is needed.

OK: tick in a circle. NG: cross in an octagon. REVIEW: question mark in a diamond. INVALID: exclamation in a triangle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum, unique
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from partsight.domain.verdict import Result


@unique
class Sign(Enum):
    """What can be drawn."""

    OK = "ok"
    NG = "ng"
    REVIEW = "review"
    INVALID = "invalid"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"
    PAUSE = "pause"
    RUN = "run"
    LINE = "line"
    REJECTS = "rejects"
    QUEUE = "queue"
    TRENDS = "trends"
    RECIPE = "recipe"
    CHALLENGE = "challenge"
    FAULTS = "faults"
    PERSON = "person"
    MENU = "menu"


RESULT_SIGN: dict[Result, Sign] = {
    Result.OK: Sign.OK,
    Result.NG: Sign.NG,
    Result.REVIEW: Sign.REVIEW,
    Result.INVALID: Sign.INVALID,
}
Draw = Callable[[QPainter, QColor, QColor], None]


def paint_sign(painter: QPainter, rect: QRectF, sign: Sign, colour: QColor, inner: QColor) -> None:
    """Into the largest square in the middle of `rect`. inner: of the mark in a filled shape."""
    side = min(rect.width(), rect.height())
    drawn = _drawn(sign, max(1, round(side * painter.device().devicePixelRatioF())), colour.rgba(), inner.rgba())
    centre = rect.center()
    place = QPointF(round(centre.x() - side / 2), round(centre.y() - side / 2))
    painter.drawImage(QRectF(place, QSizeF(side, side)), drawn, QRectF(drawn.rect()))


@lru_cache(maxsize=256)
def _drawn(sign: Sign, side: int, colour: int, inner: int) -> QImage:
    """Curves take a millisecond, and live pictures carry signs 25 times a second. side: in pixels of the device."""
    image = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(side / 100, side / 100)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor.fromRgba(colour))
    _DRAW[sign](painter, QColor.fromRgba(colour), QColor.fromRgba(inner))
    painter.end()
    return image


def sign_icon(sign: Sign, colour: QColor, inner: QColor, size: int, ratio: float = 1.0) -> QIcon:
    """For buttons. size: in device-independent pixels."""
    pixmap = QPixmap(QSize(round(size * ratio), round(size * ratio)))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint_sign(painter, QRectF(0, 0, size, size), sign, colour, inner)
    painter.end()
    return QIcon(pixmap)


def _pen(colour: QColor, width: float) -> QPen:
    return QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)


def _lines(painter: QPainter, colour: QColor, width: float, *lines: tuple[tuple[float, float], ...]) -> None:
    painter.setPen(_pen(colour, width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for line in lines:
        painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in line]))


def _polygon(painter: QPainter, points: list[tuple[float, float]]) -> None:
    # A round join of its own colour takes the sharpness off the corners.
    painter.setPen(_pen(painter.brush().color(), 6))
    painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in points]))
    painter.setPen(Qt.PenStyle.NoPen)


def _ok(painter: QPainter, _colour: QColor, inner: QColor) -> None:
    painter.drawEllipse(QRectF(3, 3, 94, 94))
    _lines(painter, inner, 12, ((28, 52), (44, 68), (73, 34)))


def _ng(painter: QPainter, _colour: QColor, inner: QColor) -> None:
    turn = math.pi / 8
    angles = [turn * (1 + 2 * i) for i in range(8)]
    _polygon(painter, [(50 + 46 * math.cos(angle), 50 + 46 * math.sin(angle)) for angle in angles])
    _lines(painter, inner, 12, ((33, 33), (67, 67)), ((67, 33), (33, 67)))


def _question(painter: QPainter, inner: QColor) -> None:
    path = QPainterPath(QPointF(38, 40))
    path.cubicTo(38, 24, 62, 24, 62, 40)
    path.cubicTo(62, 50, 50, 50, 50, 60)
    painter.setPen(_pen(inner, 9))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(inner)
    painter.drawEllipse(QPointF(50, 74), 6, 6)


def _review(painter: QPainter, _colour: QColor, inner: QColor) -> None:
    _polygon(painter, [(50, 4), (96, 50), (50, 96), (4, 50)])
    _question(painter, inner)


def _exclamation(painter: QPainter, inner: QColor) -> None:
    _lines(painter, inner, 10, ((50, 40), (50, 62)))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(inner)
    painter.drawEllipse(QPointF(50, 77), 6, 6)


def _invalid(painter: QPainter, _colour: QColor, inner: QColor) -> None:
    _polygon(painter, [(50, 8), (96, 90), (4, 90)])
    _exclamation(painter, inner)


def _idle(painter: QPainter, colour: QColor, _inner: QColor) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(_pen(colour, 11))
    painter.drawEllipse(QRectF(14, 14, 72, 72))


def _pause(painter: QPainter, _colour: QColor, inner: QColor) -> None:
    painter.drawRoundedRect(QRectF(4, 4, 92, 92), 14, 14)
    _lines(painter, inner, 13, ((37, 32), (37, 68)), ((63, 32), (63, 68)))


def _run(painter: QPainter, _colour: QColor, inner: QColor) -> None:
    painter.drawEllipse(QRectF(3, 3, 94, 94))
    painter.setBrush(inner)
    painter.drawPolygon(QPolygonF([QPointF(40, 28), QPointF(40, 72), QPointF(76, 50)]))


def _line(painter: QPainter, colour: QColor, _inner: QColor) -> None:
    painter.setPen(_pen(colour, 7))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(10, 28, 80, 54), 9, 9)
    painter.drawEllipse(QPointF(50, 55), 16, 16)
    _lines(painter, colour, 7, ((34, 27), (40, 16), (60, 16), (66, 27)))


def _rejects(painter: QPainter, colour: QColor, _inner: QColor) -> None:
    painter.setPen(_pen(colour, 7))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for x, y in ((12, 12), (56, 12), (12, 56)):
        painter.drawRoundedRect(QRectF(x, y, 32, 32), 6, 6)
    _lines(painter, colour, 8, ((58, 58), (86, 86)), ((86, 58), (58, 86)))


def _queue(painter: QPainter, colour: QColor, _inner: QColor) -> None:
    painter.setPen(_pen(colour, 7))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolygon(QPolygonF([QPointF(50, 6), QPointF(94, 50), QPointF(50, 94), QPointF(6, 50)]))
    _question(painter, colour)


def _trends(painter: QPainter, colour: QColor, _inner: QColor) -> None:
    _lines(painter, colour, 7, ((12, 12), (12, 88), (90, 88)), ((26, 68), (44, 46), (60, 58), (86, 24)))


def _recipe(painter: QPainter, colour: QColor, _inner: QColor) -> None:
    _lines(painter, colour, 7, ((12, 26), (88, 26)), ((12, 50), (88, 50)), ((12, 74), (88, 74)))
    painter.setBrush(colour)
    for x, y in ((34, 26), (66, 50), (44, 74)):
        painter.drawEllipse(QPointF(x, y), 9, 9)


def _challenge(painter: QPainter, colour: QColor, _inner: QColor) -> None:
    path = QPainterPath(QPointF(50, 8))
    path.cubicTo(62, 18, 76, 21, 88, 21)
    path.cubicTo(88, 60, 76, 82, 50, 93)
    path.cubicTo(24, 82, 12, 60, 12, 21)
    path.cubicTo(24, 21, 38, 18, 50, 8)
    painter.setPen(_pen(colour, 7))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    _lines(painter, colour, 8, ((33, 50), (46, 63), (68, 37)))


def _faults(painter: QPainter, colour: QColor, _inner: QColor) -> None:
    painter.setPen(_pen(colour, 7))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolygon(QPolygonF([QPointF(50, 10), QPointF(94, 88), QPointF(6, 88)]))
    _exclamation(painter, colour)


def _person(painter: QPainter, colour: QColor, _inner: QColor) -> None:
    painter.setPen(_pen(colour, 8))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(QPointF(50, 32), 18, 18)
    path = QPainterPath(QPointF(14, 90))
    path.cubicTo(14, 50, 86, 50, 86, 90)
    painter.drawPath(path)


def _menu(painter: QPainter, colour: QColor, _inner: QColor) -> None:
    _lines(painter, colour, 9, ((14, 26), (86, 26)), ((14, 50), (86, 50)), ((14, 74), (86, 74)))


_DRAW: dict[Sign, Draw] = {
    Sign.OK: _ok,
    Sign.NG: _ng,
    Sign.REVIEW: _review,
    Sign.INVALID: _invalid,
    Sign.GOOD: _ok,
    Sign.WARN: _invalid,
    Sign.BAD: _ng,
    Sign.IDLE: _idle,
    Sign.PAUSE: _pause,
    Sign.RUN: _run,
    Sign.LINE: _line,
    Sign.REJECTS: _rejects,
    Sign.QUEUE: _queue,
    Sign.TRENDS: _trends,
    Sign.RECIPE: _recipe,
    Sign.CHALLENGE: _challenge,
    Sign.FAULTS: _faults,
    Sign.PERSON: _person,
    Sign.MENU: _menu,
}
