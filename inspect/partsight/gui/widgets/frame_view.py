"""A picture with boxes on it: live on the line view, kept ones in the gallery and the review.

    view.set_picture(image, width, height)          # width, height: of the frame, in whose pixels the boxes are
    view.set_marks(marks_of(boxes, findings))
    view.to_frame(event.position())                 # a point of the widget in frame pixels

A subclass draws more by `paint_over` (the review's editor does). With `zoomable=True`: wheel and + - to zoom, drag and
arrows to pan, 0 and a double click for the whole picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from partsight.domain.reasons import Reason
from partsight.gui.theme import Look
from partsight.wire.screen.message import Box
from partsight.wire.screen.parts import FindingNote, FoundBox

MarkTone = Literal["ng", "review", "quiet", "ok", "mine"]
ZOOM_STEP = 1.25
MAX_ZOOM = 40.0
MAX_MARKS = 300
"""More boxes than these say nothing, and cost time."""
PAN_SHARE = 0.1
CLOSE_PX = 1.5


@dataclass(frozen=True, slots=True)
class Mark:
    """A box in frame pixels with its label. ng, review: it decided; quiet: it did not; mine: a person drew it."""

    box: Box
    text: str
    tone: MarkTone


def marks_of(
    boxes: tuple[FoundBox, ...], findings: tuple[FindingNote, ...], camera: str = "", floor: float = 0.0
) -> tuple[Mark, ...]:
    """What decided (heavy), and the model's other boxes from `floor` up (thin). camera: of the findings, "" for all."""
    decided = [f for f in findings if f.box is not None and (not camera or f.camera in {"", camera})]
    places = {f.box for f in decided}
    others = (b for b in boxes if b.box not in places and b.score >= floor)
    quiet = [Mark(b.box, f"{b.label} {b.score:.2f}", "quiet") for b in others]
    heavy = [Mark(f.box, _label(f), "review" if _doubtful(f) else "ng") for f in decided if f.box is not None]
    return (*quiet, *heavy)


def _label(finding: FindingNote) -> str:
    return finding.text if finding.score is None or "0." in finding.text else f"{finding.text} {finding.score:.2f}"


def _doubtful(finding: FindingNote) -> bool:
    return finding.code == Reason.DOUBT or finding.severity == "review"


class FrameView(QWidget):
    """See the module."""

    def __init__(self, parent: QWidget | None = None, *, zoomable: bool = False) -> None:
        super().__init__(parent)
        self._image = QImage()
        self._frame = (0, 0)
        self._marks: tuple[Mark, ...] = ()
        self._show_marks = True
        self._zoomable = zoomable
        self._zoom = 1.0
        self._centre = QPointF(0.5, 0.5)
        self._dragged: QPointF | None = None
        self.placeholder = self.tr("No picture yet")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        # Every pixel is painted here: Qt need not clear what lies under it.
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        if zoomable:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def set_picture(self, image: QImage, width: int, height: int) -> None:
        """width, height: of the frame; the image may be a smaller copy of it."""
        if (width, height) != self._frame:
            self._frame = (width, height)
            self.reset_zoom()
        self._image = image
        self.update()

    def clear(self) -> None:
        """No picture, no boxes."""
        self._image, self._frame, self._marks = QImage(), (0, 0), ()
        self.update()

    def set_marks(self, marks: tuple[Mark, ...]) -> None:
        """The boxes."""
        self._marks = marks[-MAX_MARKS:]
        self.update()

    def set_marks_shown(self, shown: bool) -> None:
        """Boxes on or off."""
        self._show_marks = shown
        self.update()

    def shape(self) -> float:
        """Width by height of the frame; 4:3 before the first."""
        return self._frame[0] / self._frame[1] if self._frame[0] and self._frame[1] else 4 / 3

    def has_picture(self) -> bool:
        """Whether there is one."""
        return not self._image.isNull()

    def reset_zoom(self) -> None:
        """The whole picture."""
        self._zoom, self._centre = 1.0, QPointF(0.5, 0.5)
        self.update()

    def zoom(self) -> float:
        """1: the whole picture fits."""
        return self._zoom

    # Where things are

    def picture_rect(self) -> QRectF:
        """Where the whole frame lies in the widget; partly outside when zoomed."""
        width, height = self._frame
        if not width or not height:
            return QRectF()
        fit = min(self.width() / width, self.height() / height) * self._zoom
        shown_w, shown_h = width * fit, height * fit
        left = self.width() / 2 - self._centre.x() * shown_w
        top = self.height() / 2 - self._centre.y() * shown_h
        return QRectF(left, top, shown_w, shown_h)

    def to_widget(self, x: float, y: float) -> QPointF:
        """A point of the frame in the widget."""
        rect = self.picture_rect()
        return QPointF(rect.x() + x * rect.width() / self._frame[0], rect.y() + y * rect.height() / self._frame[1])

    def to_frame(self, point: QPointF) -> QPointF:
        """A point of the widget in frame pixels, kept within the frame."""
        rect = self.picture_rect()
        if rect.isEmpty():
            return QPointF()
        x = (point.x() - rect.x()) / rect.width() * self._frame[0]
        y = (point.y() - rect.y()) / rect.height() * self._frame[1]
        return QPointF(min(max(x, 0.0), self._frame[0]), min(max(y, 0.0), self._frame[1]))

    def zoom_at(self, factor: float, point: QPointF) -> None:
        """Closer or further away; what lies under `point` stays there."""
        before = self.to_frame(point)
        self._zoom = min(MAX_ZOOM, max(1.0, self._zoom * factor))
        if self._zoom == 1.0:
            self._centre = QPointF(0.5, 0.5)
        else:
            after = self.to_widget(before.x(), before.y())
            self._move(point - after)
        self.update()

    def _move(self, by: QPointF) -> None:
        rect = self.picture_rect()
        if rect.isEmpty():
            return
        x = self._centre.x() - by.x() / rect.width()
        y = self._centre.y() - by.y() / rect.height()
        self._centre = QPointF(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0))
        self.update()

    # Painting

    def paint_over(self, painter: QPainter) -> None:
        """For a subclass: drawn last, in the widget's pixels."""

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        look = Look.here()
        painter = QPainter(self)
        rect = self.picture_rect()
        self._fill_around(painter, rect, QColor(look.colours.picture))
        if self._image.isNull():
            painter.setPen(QColor(DIM))
            painter.setFont(look.font(15))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.placeholder)
        else:
            self._paint_image(painter, rect)
            if self._show_marks:
                self._paint_marks(painter, look)
        self.paint_over(painter)
        painter.end()

    def _fill_around(self, painter: QPainter, rect: QRectF, ground: QColor) -> None:
        """What the picture leaves free, and no more."""
        whole = self.rect()
        if self._image.isNull():
            painter.fillRect(whole, ground)
            return
        # A pixel under the picture's own edge, which may lie between two pixels.
        inner = rect.toAlignedRect().adjusted(1, 1, -1, -1).intersected(whole)
        right, bottom = inner.x() + inner.width(), inner.y() + inner.height()
        for x, y, width, height in (
            (0, 0, whole.width(), inner.y()),
            (0, bottom, whole.width(), whole.height() - bottom),
            (0, inner.y(), inner.x(), inner.height()),
            (right, inner.y(), whole.width() - right, inner.height()),
        ):
            painter.fillRect(QRect(x, y, width, height), ground)

    def _paint_image(self, painter: QPainter, rect: QRectF) -> None:
        ratio = self.devicePixelRatioF()
        wide, high = rect.width() * ratio - self._image.width(), rect.height() * ratio - self._image.height()
        if ratio == 1.0 and abs(wide) < CLOSE_PX and abs(high) < CLOSE_PX:
            # It came in the size that was asked for, but for rounding: scaling it would cost most of the time.
            painter.drawImage(rect.topLeft().toPoint(), self._image)
            return
        # Beyond four widget pixels a picture pixel, a person wants to see the pixels.
        smooth = rect.width() < 4 * self._image.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(rect, self._image)

    def _paint_marks(self, painter: QPainter, look: Look) -> None:
        font = look.font(13, bold=True)
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        for mark in self._marks:
            self._paint_mark(painter, mark, metrics, look)

    def _paint_mark(self, painter: QPainter, mark: Mark, metrics: QFontMetricsF, look: Look) -> None:
        x1, y1, x2, y2 = mark.box
        rect = QRectF(self.to_widget(x1, y1), self.to_widget(x2, y2)).normalized()
        colour = QColor(TONES[mark.tone])
        if mark.tone == "quiet":
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colour, look.px(1), Qt.PenStyle.DashLine))
            painter.drawRect(rect)
            return
        # A dark line on either side keeps the box visible on any picture.
        width, edge = look.px(3), look.px(1)
        half = width // 2
        outer = rect.toAlignedRect().adjusted(-half, -half, half, half)
        _frame(painter, outer.adjusted(-edge, -edge, edge, edge), width + 2 * edge, QColor(0, 0, 0, 170))
        _frame(painter, outer, width, colour)
        if mark.text:
            self._paint_label(painter, rect, mark, metrics, look)

    def _paint_label(self, painter: QPainter, rect: QRectF, mark: Mark, metrics: QFontMetricsF, look: Look) -> None:
        text, colour = mark.text, QColor(TONES[mark.tone])
        pad = look.px(5)
        width, height = metrics.horizontalAdvance(text) + 2 * pad, metrics.height() + look.px(4)
        # Above the box; under its upper edge where there is no room.
        top = rect.top() - height - look.px(2)
        top = top if top >= 0 else min(rect.bottom() + look.px(2), self.height() - height)
        left = min(max(0.0, rect.left() - look.px(1)), max(0.0, self.width() - width))
        box = QRectF(left, top, width, height)
        painter.fillRect(box, colour)
        painter.setPen(QColor(INK))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    # By hand

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Qt's."""
        return QSize(320, 240)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; zooms."""
        if not self._zoomable or not self.has_picture():
            super().wheelEvent(event)
            return
        self.zoom_at(ZOOM_STEP ** (event.angleDelta().y() / 120), event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; begins to pan."""
        if self._zoomable and event.button() in {Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton}:
            self._dragged = event.position()
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; pans."""
        if self._dragged is not None:
            if self._zoom > 1.0:
                self._move(event.position() - self._dragged)
            self._dragged = event.position()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; ends the pan."""
        self._dragged = None
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; the whole picture again, or closer."""
        if self._zoomable:
            if self._zoom > 1.0:
                self.reset_zoom()
            else:
                self.zoom_at(4.0, event.position())
        else:
            super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; + - 0 and the arrows."""
        middle = QPointF(self.width() / 2, self.height() / 2)
        step_x, step_y = self.width() * PAN_SHARE, self.height() * PAN_SHARE
        moves = {
            Qt.Key.Key_Left: QPointF(step_x, 0),
            Qt.Key.Key_Right: QPointF(-step_x, 0),
            Qt.Key.Key_Up: QPointF(0, step_y),
            Qt.Key.Key_Down: QPointF(0, -step_y),
        }
        key = Qt.Key(event.key())
        if not self._zoomable:
            super().keyPressEvent(event)
        elif key in {Qt.Key.Key_Plus, Qt.Key.Key_Equal}:
            self.zoom_at(ZOOM_STEP, middle)
        elif key == Qt.Key.Key_Minus:
            self.zoom_at(1 / ZOOM_STEP, middle)
        elif key == Qt.Key.Key_0:
            self.reset_zoom()
        elif key in moves and self._zoom > 1.0:
            self._move(moves[key])
        else:
            super().keyPressEvent(event)


def _frame(painter: QPainter, rect: QRect, width: int, colour: QColor) -> None:
    """Four filled bars: a tenth of the time of a rectangle that is drawn with a wide pen."""
    high = max(0, rect.height() - 2 * width)
    for bar in (
        QRect(rect.left(), rect.top(), rect.width(), width),
        QRect(rect.left(), rect.top() + width + high, rect.width(), width),
        QRect(rect.left(), rect.top() + width, width, high),
        QRect(rect.left() + rect.width() - width, rect.top() + width, width, high),
    ):
        painter.fillRect(bar, colour)


INK, DIM = "#0b0f14", "#9aa7b5"
TONES: dict[MarkTone, str] = {
    "ng": "#ff5c5c",
    "review": "#ffb833",
    "quiet": "#cfd8e3",
    "ok": "#35c77b",
    "mine": "#5ad1ff",
}
"""On a picture, whatever the theme: bright with dark text."""
