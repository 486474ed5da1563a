"""The picture with its regions, to be drawn on by mouse, finger or keys.

Draw: click corner by corner; the first corner again, a double click or Enter closes it, Escape drops it. Else: drag a
corner, an edge (a new corner) or the whole region; Delete takes the chosen corner away, or the region. Wheel and + -
zoom, the other mouse buttons pan. By keys: Enter for a rectangle, C for its next corner, arrows to move it.
"""

from __future__ import annotations

from enum import Enum, unique

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QKeyEvent, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from partsight.gui.recipe.shapes import (
    FEWEST_CORNERS,
    MOST_CORNERS,
    Point,
    free_name,
    is_inside,
    moved,
    nearest_corner,
    nearest_edge,
    with_corner,
    with_corner_after,
    without_corner,
)
from partsight.gui.theme import Look
from partsight.gui.widgets.frame_view import FrameView
from partsight.wire.screen.recipes import RegionSetting

REACH = 16
"""Of a finger, at 1024 x 768."""
ARROWS = {
    Qt.Key.Key_Left: (-1.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0),
    Qt.Key.Key_Up: (0.0, -1.0),
    Qt.Key.Key_Down: (0.0, 1.0),
}
INSPECT, IGNORE, SHADOW = "#35c77b", "#ff9f45", "#000000"


@unique
class _Hold(Enum):
    """What the pointer has taken."""

    NOTHING = "nothing"
    CORNER = "corner"
    REGION = "region"


class RegionCanvas(FrameView):
    """`edited(regions, what)`: what is "" for a step of its own, else one gesture. `chosen(index or None)`."""

    edited = Signal(object, str)
    chosen = Signal(object)
    let_go = Signal()
    drawing_ended = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, zoomable=True)
        self.regions: tuple[RegionSetting, ...] = ()
        self.current: int | None = None
        self.corner: int | None = None
        self.drawn: list[Point] | None = None
        self.editable = False
        self.kind: str = "inspect"
        self._hold = _Hold.NOTHING
        self._from: Point = (0.0, 0.0)
        self._pointer: QPointF | None = None
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Regions on the picture"))

    # What the page says

    def set_regions(self, regions: tuple[RegionSetting, ...]) -> None:
        """As the draft has them."""
        self.regions = regions
        if self.current is not None and self.current >= len(regions):
            self._choose(None)
        elif self.current is not None and (self.corner or 0) >= len(regions[self.current].corners):
            self.corner = None
        self.update()

    def choose(self, index: int | None) -> None:
        """Without a signal."""
        self.current, self.corner = index, None
        self.update()

    def begin(self, kind: str) -> None:
        """The next clicks are the corners of a new region."""
        self.kind, self.drawn = kind, []
        self._choose(None)
        self.setFocus()

    def stop_drawing(self) -> None:
        """Without a new region."""
        if self.drawn is not None:
            self.drawn = None
            self.drawing_ended.emit()
            self.update()

    def remove(self) -> None:
        """The chosen corner, or the chosen region where no corner is chosen."""
        if self.current is None or not self.editable:
            return
        region = self.regions[self.current]
        if self.corner is not None and len(region.corners) > FEWEST_CORNERS:
            self._put(self.current, without_corner(region, self.corner), "")
            self.corner = None
            return
        rest = self.regions[: self.current] + self.regions[self.current + 1 :]
        self._choose(None)
        self.edited.emit(rest, "")

    # Pointer

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        if event.button() is not Qt.MouseButton.LeftButton or not self.has_picture():
            super().mousePressEvent(event)
            return
        self.setFocus()
        at = self._place(event.position())
        if self.drawn is not None:
            self._add(at)
        else:
            self._take(at)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        self._pointer = event.position()
        if self.drawn is not None:
            self.update()
        if self._hold is _Hold.NOTHING or self.current is None or not self.editable:
            super().mouseMoveEvent(event)
            return
        at, region = self._place(event.position()), self.regions[self.current]
        if self._hold is _Hold.CORNER and self.corner is not None:
            self._put(self.current, with_corner(region, self.corner, at), "drag")
        elif self._hold is _Hold.REGION:
            by = (at[0] - self._from[0], at[1] - self._from[1])
            self._put(self.current, moved(region, by, *self._frame), "drag")
            self._from = at

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        if self._hold is not _Hold.NOTHING:
            self._hold = _Hold.NOTHING
            self.let_go.emit()
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; closes what is drawn."""
        if self.drawn is not None:
            self.close_drawn()
        else:
            self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        key = Qt.Key(event.key())
        if key in {Qt.Key.Key_Delete, Qt.Key.Key_Backspace} and self.drawn is None:
            self.remove()
        elif key == Qt.Key.Key_Backspace and self.drawn:
            self.drawn.pop()
            self.update()
        elif key in {Qt.Key.Key_Return, Qt.Key.Key_Enter} and self.drawn is not None:
            self._close_by_key(self.drawn)
        elif key in ARROWS and self._can_nudge():
            far = 10.0 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
            self._nudge(ARROWS[key][0] * far, ARROWS[key][1] * far)
        elif key == Qt.Key.Key_C and self.current is not None:
            count = len(self.regions[self.current].corners)
            self.corner = 0 if self.corner is None else (self.corner + 1) % count
            self.update()
        elif key == Qt.Key.Key_Escape and self.drawn is not None:
            self.stop_drawing()
        elif key == Qt.Key.Key_Escape:
            self._choose(None)
        else:
            super().keyPressEvent(event)

    def close_drawn(self) -> None:
        """The new region is whole; fewer than three corners are none."""
        if self.drawn is None or len(self.drawn) < FEWEST_CORNERS:
            return
        names = [region.name for region in self.regions]
        kind = "ignore" if self.kind == "ignore" else "inspect"
        made = RegionSetting(name=free_name(names, kind), kind=kind, corners=tuple(self.drawn))
        self.drawn = None
        self.drawing_ended.emit()
        self.edited.emit((*self.regions, made), "")
        self._choose(len(self.regions) - 1)

    def _close_by_key(self, drawn: list[Point]) -> None:
        """Without a pointer: Enter alone gives the middle of the picture, and the arrows do the rest."""
        if not drawn:
            width, height = self._frame
            left, right, top, bottom = width * 0.25, width * 0.75, height * 0.25, height * 0.75
            drawn += [(left, top), (right, top), (right, bottom), (left, bottom)]
        self.close_drawn()

    def _can_nudge(self) -> bool:
        return self.drawn is None and self.current is not None and self.editable

    def _nudge(self, dx: float, dy: float) -> None:
        assert self.current is not None
        region, (width, height) = self.regions[self.current], self._frame
        if self.corner is None:
            self._put(self.current, moved(region, (dx, dy), width, height), "nudge")
            return
        x, y = region.corners[self.corner]
        point = (min(max(x + dx, 0.0), float(width)), min(max(y + dy, 0.0), float(height)))
        self._put(self.current, with_corner(region, self.corner, point), "nudge")

    def _add(self, at: Point) -> None:
        assert self.drawn is not None
        if len(self.drawn) >= FEWEST_CORNERS and nearest_corner(at, self.drawn[:1], self._reach()) is not None:
            self.close_drawn()
        elif len(self.drawn) < MOST_CORNERS and at not in self.drawn:
            self.drawn.append(at)

    def _take(self, at: Point) -> None:
        reach = self._reach()
        # The chosen region first: its corners may lie on another's.
        order = [i for i in (self.current,) if i is not None]
        order += [i for i in reversed(range(len(self.regions))) if i != self.current]
        for index in order:
            corner = nearest_corner(at, self.regions[index].corners, reach)
            if corner is not None:
                self._choose(index, corner)
                self._hold = _Hold.CORNER
                return
        if self.current is not None and self.editable:
            edge = nearest_edge(at, self.regions[self.current].corners, reach / 2)
            if edge is not None and len(self.regions[self.current].corners) < MOST_CORNERS:
                self._put(self.current, with_corner_after(self.regions[self.current], edge, at), "drag")
                self.corner, self._hold = edge + 1, _Hold.CORNER
                return
        for index in order:
            if is_inside(at, self.regions[index].corners):
                self._choose(index)
                self._hold, self._from = _Hold.REGION, at
                return
        self._choose(None)

    def _choose(self, index: int | None, corner: int | None = None) -> None:
        changed = index != self.current
        self.current, self.corner = index, corner
        if changed:
            self.chosen.emit(index)
        self.update()

    def _put(self, index: int, region: RegionSetting, what: str) -> None:
        if region != self.regions[index]:
            self.edited.emit((*self.regions[:index], region, *self.regions[index + 1 :]), what)

    def _place(self, at: QPointF) -> Point:
        point = self.to_frame(at)
        return (round(point.x(), 1), round(point.y(), 1))

    def _reach(self) -> float:
        """In frame pixels."""
        rect = self.picture_rect()
        return Look.here().px(REACH) * self._frame[0] / rect.width() if rect.width() else 0.0

    # Painting

    def paint_over(self, painter: QPainter) -> None:
        """FrameView's; the regions and what is being drawn."""
        if not self.has_picture():
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for index, region in enumerate(self.regions):
            self._paint_region(painter, region, chosen=index == self.current)
        if self.drawn is not None:
            self._paint_drawn(painter, self.drawn)

    def _points(self, corners: tuple[Point, ...] | list[Point]) -> list[QPointF]:
        return [self.to_widget(x, y) for x, y in corners]

    def _paint_region(self, painter: QPainter, region: RegionSetting, *, chosen: bool) -> None:
        look = Look.here()
        colour = QColor(INSPECT if region.kind == "inspect" else IGNORE)
        points = self._points(region.corners)
        fill = QColor(colour)
        fill.setAlpha(60 if chosen else 30)
        hatch = QColor(colour)
        hatch.setAlpha(190 if chosen else 130)
        # An ignored region is hatched, so that the kinds differ without colour.
        inspects = region.kind == "inspect"
        painter.setBrush(QBrush(fill) if inspects else QBrush(hatch, Qt.BrushStyle.BDiagPattern))
        painter.setPen(QPen(QColor(0, 0, 0, 160), look.px(5 if chosen else 4)))
        painter.drawPolygon(QPolygonF(points))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, look.px(3 if chosen else 2)))
        painter.drawPolygon(QPolygonF(points))
        self._paint_name(painter, region.name, points[0], colour)
        if chosen:
            self._paint_corners(painter, points, colour)

    def _paint_name(self, painter: QPainter, name: str, at: QPointF, colour: QColor) -> None:
        look = Look.here()
        painter.setFont(look.font(12, bold=True))
        width = painter.fontMetrics().horizontalAdvance(name) + look.px(10)
        height = painter.fontMetrics().height() + look.px(4)
        left = min(max(0, round(at.x()) + look.px(8)), max(0, self.width() - width))
        top = min(max(0, round(at.y()) + look.px(8)), max(0, self.height() - height))
        painter.fillRect(left, top, width, height, colour)
        painter.setPen(QColor(SHADOW))
        painter.drawText(left, top, width, height, Qt.AlignmentFlag.AlignCenter, name)

    def _paint_corners(self, painter: QPainter, points: list[QPointF], colour: QColor) -> None:
        look = Look.here()
        painter.setPen(QPen(QColor(SHADOW), look.px(1)))
        for place, point in enumerate(points):
            marked = place == self.corner
            painter.setBrush(QColor("#ffffff") if marked else colour)
            radius = look.px(9 if marked else 7)
            painter.drawEllipse(point, radius, radius)

    def _paint_drawn(self, painter: QPainter, corners: list[Point]) -> None:
        look = Look.here()
        colour = QColor(INSPECT if self.kind == "inspect" else IGNORE)
        points = self._points(corners)
        line = [*points, self._pointer] if self._pointer is not None and points else points
        for pen in (QPen(QColor(0, 0, 0, 160), look.px(5)), QPen(colour, look.px(2), Qt.PenStyle.DashLine)):
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolyline(QPolygonF(line))
        self._paint_corners(painter, points, colour)
