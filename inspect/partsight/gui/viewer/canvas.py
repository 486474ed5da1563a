"""The picture itself: painted from the copy that fits the zoom, moved by wheel, fingers and keys."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QNativeGestureEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QWidget

from partsight.gui.theme import Look
from partsight.gui.viewer.levels import Levels
from partsight.gui.widgets.frame_view import FrameView

LABELLED = 30
"""With more weak boxes than these, their scores would cover the picture."""
PIXELS_FROM = 4.0
"""So many pixels of the screen for one of the picture, and a person wants to see the pixels themselves."""


class Canvas(FrameView):
    """`moved` when another part of the picture is seen, or closer."""

    moved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, zoomable=True)
        self._levels: Levels | None = None
        self._kept: QImage | None = None
        self._kept_key: object = None
        self.grabGesture(Qt.GestureType.PinchGesture)
        self.installEventFilter(self)

    def set_levels(self, levels: Levels, width: int, height: int) -> None:
        """width, height: of the frame. Keeps what is looked at where the frame has the same size."""
        self._levels = levels
        self.set_picture(levels.images[0], width, height)

    def levels(self) -> Levels | None:
        """What is painted."""
        return self._levels

    def clear(self) -> None:
        """No picture, no boxes."""
        self._levels = self._kept = self._kept_key = None
        super().clear()
        self.reset_zoom()

    def pixels_across(self) -> float:
        """Pixels of the screen that the whole frame takes in width, now."""
        return self.picture_rect().width() * self.devicePixelRatioF()

    def is_too_coarse(self) -> bool:
        """The frame has more to show at this zoom than the copy that is here."""
        have = self._levels.size.width() if self._levels is not None else 0
        return bool(have) and have < self._frame[0] and self.pixels_across() > have

    def show_actual(self) -> None:
        """One pixel of the frame is one of the screen."""
        width, height = self._frame
        if width and height:
            fit = min(self.width() / width, self.height() / height) * self.devicePixelRatioF()
            self._zoom = 1 / fit
            if self._zoom <= 1.0:
                self._centre = QPointF(0.5, 0.5)
            self.update()
            self.moved.emit()

    def zoom_at(self, factor: float, point: QPointF) -> None:
        """Closer or further away."""
        super().zoom_at(factor, point)
        self.moved.emit()

    def reset_zoom(self) -> None:
        """The whole picture."""
        super().reset_zoom()
        self.moved.emit()

    def zoom_middle(self, factor: float) -> None:
        """Closer or further away from what is in the middle."""
        self.zoom_at(factor, QPointF(self.width() / 2, self.height() / 2))

    def _paint_image(self, painter: QPainter, rect: QRectF) -> None:
        """Only what is seen, from the smallest copy that is sharp enough; kept while only the boxes on it change."""
        levels = self._levels
        if levels is None:
            return
        seen = rect.intersected(QRectF(self.rect()))
        key = (id(levels), rect.getRect(), seen.getRect(), self.devicePixelRatioF())
        if key != self._kept_key:
            self._kept_key, self._kept = key, None
            self._paint_seen(painter, levels, rect, seen)
            return
        if self._kept is None:
            self._kept = QImage(seen.size().toSize() * self.devicePixelRatioF(), QImage.Format.Format_RGB32)
            self._kept.setDevicePixelRatio(self.devicePixelRatioF())
            behind = QPainter(self._kept)
            behind.translate(-seen.topLeft())
            behind.fillRect(seen, QColor(Look.here().colours.picture))
            self._paint_seen(behind, levels, rect, seen)
            behind.end()
        painter.drawImage(seen.topLeft(), self._kept)

    def _paint_seen(self, painter: QPainter, levels: Levels, rect: QRectF, seen: QRectF) -> None:
        across = rect.width() * self.devicePixelRatioF()
        image = levels.shown(across)
        by = image.width() / rect.width()
        source = QRectF((seen.x() - rect.x()) * by, (seen.y() - rect.y()) * by, seen.width() * by, seen.height() * by)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, across < PIXELS_FROM * levels.size.width())
        painter.drawImage(seen, image, source)

    def _paint_marks(self, painter: QPainter, look: Look) -> None:
        super()._paint_marks(painter, look)
        weak = [mark for mark in self._marks if mark.tone == "quiet"]
        if len(weak) > LABELLED:
            return
        font = look.font(11)
        painter.setFont(font)
        for mark in weak:
            x1, y1, x2, y2 = mark.box
            place = QRectF(self.to_widget(x1, y1), self.to_widget(x2, y2)).normalized()
            self._paint_label(painter, place, mark, QFontMetricsF(font), look)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        super().resizeEvent(event)
        self.moved.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Qt's; two fingers on the screen or on a touch pad.

        Not by `event`, which would be on the stack while Qt deletes the widget (deleteLater), and crash.
        """
        if watched is self and isinstance(event, QGestureEvent):
            pinch = event.gesture(Qt.GestureType.PinchGesture)
            if isinstance(pinch, QPinchGesture):
                self._pinched(pinch)
                event.accept(pinch)
                return True
        if watched is self and isinstance(event, QNativeGestureEvent):
            return self._native(event)
        return super().eventFilter(watched, event)

    def _pinched(self, pinch: QPinchGesture) -> None:
        # The first finger has begun a drag before the second came.
        self._dragged = None
        if not self.has_picture():
            return
        here = pinch.centerPoint() if pinch.state() is Qt.GestureState.GestureStarted else pinch.lastCenterPoint()
        moved = pinch.centerPoint() - here
        if self.zoom() > 1.0 and not moved.isNull():
            self._move(moved)
        self.zoom_at(pinch.scaleFactor(), QPointF(self.mapFromGlobal(pinch.centerPoint().toPoint())))

    def _native(self, event: QNativeGestureEvent) -> bool:
        if event.gestureType() is not Qt.NativeGestureType.ZoomNativeGesture or not self.has_picture():
            return False
        self._dragged = None
        self.zoom_at(max(0.2, 1.0 + event.value()), event.position())
        return True
