"""One to four live pictures in a grid; more than four cameras are shown four at a time."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPixmap, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from partsight.gui.client import Client
from partsight.gui.signs import RESULT_SIGN, Sign, paint_sign
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import SIGN_TONE, tone_colour
from partsight.gui.widgets.frame_view import INK, FrameView, marks_of
from partsight.gui.words import CAMERA_SIGN, camera_word
from partsight.wire.screen.station import CameraNote, StationNote
from partsight.wire.screen.stream import PreviewHeader

MOST = 4
RATE = 25.0
SHOWN_FROM = 0.25
"""Scores of boxes that decided nothing, but are worth a thin line."""
SETTLE_MS = 250


class LiveView(FrameView):
    """A camera's picture with its name and state in a corner, and a plain word where it is old."""

    def __init__(self, camera: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.camera = camera
        self.stale = False
        self._header: PreviewHeader | None = None
        self._state, self._error = "", ""
        self._chip, self._chip_key = QPixmap(), ("", Sign.IDLE, 0, 1.0, 0.0)
        self.setAccessibleName(camera)

    def show_preview(self, header: PreviewHeader, image: QImage) -> None:
        """The newest picture, with its boxes."""
        self._header = header
        self.set_picture(image, header.width, header.height)
        self.set_marks(marks_of(header.boxes, header.findings, self.camera, SHOWN_FROM))

    def header(self) -> PreviewHeader | None:
        """Of the picture that is shown."""
        return self._header

    def show_state(self, note: CameraNote) -> None:
        """How the camera is."""
        if (note.state, note.error) != (self._state, self._error):
            self._state, self._error = note.state, note.error
            self.setAccessibleDescription(f"{camera_word(note.state)} {note.error}".strip())
            self.update()

    def set_stale(self, stale: bool) -> None:
        """The picture is old."""
        if stale is not self.stale:
            self.stale = stale
            self.update()

    def paint_over(self, painter: QPainter) -> None:
        """Name, state, verdict, and 'old' over everything."""
        look = Look.here()
        if self.stale and self.has_picture():
            painter.fillRect(self.rect(), QColor(0, 0, 0, 150))
            self._paint_old(painter, look)
        self._paint_chip(painter, look)
        if self._header is not None and self._header.result is not None and not self.stale:
            side = look.px(34)
            place = QRectF(self.width() - side - look.px(10), look.px(10), side, side)
            sign = RESULT_SIGN[self._header.result]
            paint_sign(painter, place.adjusted(-3, -3, 3, 3), sign, QColor(0, 0, 0, 150), QColor(0, 0, 0, 0))
            paint_sign(painter, place, sign, QColor(BRIGHT[sign]), QColor(INK))

    def _paint_old(self, painter: QPainter, look: Look) -> None:
        painter.setPen(QColor("#ffffff"))
        painter.setFont(look.font(26, bold=True))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.tr("OLD PICTURE"))

    def _paint_chip(self, painter: QPainter, look: Look) -> None:
        sign = CAMERA_SIGN.get(self._state, Sign.IDLE)
        text = self.camera if sign is Sign.GOOD else f"{self.camera}: {camera_word(self._state)}"
        key = (text, sign, self.width(), self.devicePixelRatioF(), look.scale)
        if key != self._chip_key:
            self._chip_key, self._chip = key, self._draw_chip(text, sign, look)
        painter.drawPixmap(look.px(10), look.px(10), self._chip)

    def _draw_chip(self, text: str, sign: Sign, look: Look) -> QPixmap:
        """Once for as long as it says the same: letters and curves cost more than the picture under them."""
        font = look.font(14, bold=True)
        metrics = QFontMetrics(font)
        pad, side = look.px(8), look.px(18)
        room = self.width() - look.px(20) - 3 * pad - side
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(0, room))
        chip = QRectF(0, 0, metrics.horizontalAdvance(text) + side + 3 * pad, look.px(30))
        ratio = self.devicePixelRatioF()
        drawn = QPixmap((chip.size() * ratio).toSize())
        drawn.setDevicePixelRatio(ratio)
        drawn.fill(Qt.GlobalColor.transparent)
        painter = QPainter(drawn)
        painter.setFont(font)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(8, 12, 16, 200))
        painter.drawRoundedRect(chip, look.px(6), look.px(6))
        colour = QColor(BRIGHT[sign]) if sign in BRIGHT else tone_colour(SIGN_TONE[sign])
        place = QRectF(chip.x() + pad, chip.center().y() - side / 2, side, side)
        paint_sign(painter, place, sign, colour, QColor(INK))
        painter.setPen(QColor("#ffffff"))
        rest = QRectF(place.right() + pad, chip.y(), chip.right() - place.right(), chip.height())
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()
        return drawn


BRIGHT: dict[Sign, str] = {
    Sign.OK: "#35c77b",
    Sign.GOOD: "#35c77b",
    Sign.NG: "#ff5c5c",
    Sign.BAD: "#ff5c5c",
    Sign.REVIEW: "#ffb833",
    Sign.WARN: "#ffb833",
    Sign.INVALID: "#c792ff",
    Sign.IDLE: "#9aa7b5",
}
"""On a picture, whatever the theme."""


class CameraGrid(QWidget):
    """Makes a view for each camera that the status names, and asks for pictures as wide as they are shown."""

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._watching = False
        self._columns = 0
        self.views: dict[str, LiveView] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(Look.here().px(6))
        self._settle = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._settle.timeout.connect(self._ask)
        client.status.connect(self.show_status)
        client.preview.connect(self._show_preview)
        client.picture_stale.connect(self._show_stale)
        if client.note is not None:
            self.show_status(client.note)

    def begin(self) -> None:
        """Ask for pictures."""
        self._watching = True
        self._ask()

    def end(self) -> None:
        """No more pictures."""
        self._watching = False
        self._client.unwatch(self)

    def show_status(self, note: StationNote) -> None:
        """Other cameras make another grid."""
        cameras = note.cameras[:MOST]
        if [camera.name for camera in cameras] != list(self.views):
            self._lay_out([camera.name for camera in cameras])
        for camera in cameras:
            self.views[camera.name].show_state(camera)

    def _lay_out(self, names: list[str]) -> None:
        for view in self.views.values():
            self._grid.removeWidget(view)
            view.deleteLater()
        self.views = {name: LiveView(name) for name in names}
        self._columns = 0
        self._arrange()
        self._settle.start()

    def _arrange(self) -> None:
        """As many columns as make the pictures largest."""
        count = len(self.views)
        shapes = [view.shape() for view in self.views.values()]
        aspect = sum(shapes) / count if count else 1.0

        def height(columns: int) -> float:
            wide, high = self.width() / columns, self.height() / math.ceil(count / columns)
            return min(high, wide / aspect)

        columns = max(range(1, count + 1), key=height, default=1)
        if columns != self._columns:
            self._columns = columns
            for i, view in enumerate(self.views.values()):
                self._grid.addWidget(view, i // columns, i % columns)

    def _show_preview(self, header: PreviewHeader, image: QImage) -> None:
        view = self.views.get(header.camera)
        if view is not None and self._watching:
            before = view.shape()
            view.show_preview(header, image)
            if view.shape() != before:
                self._arrange()
                self._settle.start()

    def _show_stale(self, camera: str, stale: bool) -> None:
        if camera in self.views:
            self.views[camera].set_stale(stale)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; other sizes want other pictures."""
        super().resizeEvent(event)
        self._arrange()
        self._settle.start()

    def _ask(self) -> None:
        if not self._watching or not self.views:
            return
        width = max(self._width_of(view) for view in self.views.values())
        self._client.watch(self, tuple(self.views), width, RATE)

    def _width_of(self, view: LiveView) -> int:
        """The picture's width on this screen, so that it is painted as it comes."""
        rect = view.picture_rect()
        shown = rect.width() if not rect.isEmpty() else view.width()
        return round(shown * view.devicePixelRatioF())
