"""The picture on which boxes are drawn, chosen, moved, resized and deleted: by mouse, finger or key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QPinchGesture, QWidget

from partsight.gui.review.draft import Draft, moved, resized, spanned, weak_boxes
from partsight.gui.theme import Look
from partsight.gui.viewer.canvas import Canvas
from partsight.gui.widgets.frame_view import TONES, Mark
from partsight.wire.screen.message import Box
from partsight.wire.screen.parts import FoundBox, ReviewBox

GRIP = 11
"""Half of a handle that a mouse may take, at 1024 x 768."""
SLIP = 4
"""So far the mouse may slip in a click."""
STEP, LEAP = 1.0, 10.0
NEW_SHARE = 0.2
"""Of what is seen, the side of a box that is made by key."""
SIDES = (-1, 0, 1)


@dataclass(frozen=True, slots=True)
class Grab:
    """What the mouse has taken. at: frame pixels; box: as it was then."""

    what: Literal["draw", "move", "resize"]
    at: QPointF
    box: Box = (0.0, 0.0, 0.0, 0.0)
    handle: tuple[int, int] = (0, 0)


class Editor(Canvas):
    """`changed(Draft)` when something was drawn. `drawing_changed`: whether the next drag draws."""

    changed = Signal(object)
    drawing_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft: Draft | None = None
        self._camera = ""
        self._found: tuple[FoundBox, ...] = ()
        self._weak = False
        self._pen = ""
        self._grab: Grab | None = None
        self._trial: Box | None = None
        self._pressed = QPointF()
        self.may_draw = False
        self.drawing = False
        self.setMouseTracking(True)

    # What is shown

    def show_draft(self, draft: Draft | None, camera: str, found: tuple[FoundBox, ...] = (), pen: str = "") -> None:
        """found: the model's boxes of this camera. pen: the class of the next box."""
        if (draft.sequence if draft is not None else None, camera) != (
            self._draft.sequence if self._draft is not None else None,
            self._camera,
        ):
            self._let_go()
        self._draft, self._camera, self._found, self._pen = draft, camera, found, pen
        self._show()

    def show_weak(self, weak: bool) -> None:
        """Also the boxes that decided nothing: a click makes one of them real."""
        self._weak = weak
        self._show()

    def set_drawing(self, drawing: bool) -> None:
        """The next drag draws a box."""
        drawing = drawing and self.may_draw
        if drawing is not self.drawing:
            self.drawing = drawing
            self._let_go()
            self.setCursor(Qt.CursorShape.CrossCursor if drawing else Qt.CursorShape.ArrowCursor)
            self.drawing_changed.emit(drawing)

    def selected(self) -> int | None:
        """Of the draft, where it is seen by this camera."""
        if self._draft is None or self._draft.selected is None:
            return None
        return self._draft.selected if self._draft.boxes[self._draft.selected].camera == self._camera else None

    def _own(self) -> list[tuple[int, Box]]:
        """Boxes of this camera with their index in the draft; the one in hand as it would be."""
        if self._draft is None:
            return []
        held = self.selected()
        return [
            (index, self._trial if index == held and self._trial is not None and self._is_editing() else box.box)
            for index, box in enumerate(self._draft.boxes)
            if box.camera == self._camera
        ]

    def _is_editing(self) -> bool:
        return self._grab is not None and self._grab.what != "draw"

    def _show(self) -> None:
        draft = self._draft
        if draft is None:
            self.set_marks(())
            return
        weak = weak_boxes(self._found, self._camera, draft) if self._weak else ()
        marks = [Mark(box.box, f"{box.label} {box.score:.2f}", "quiet") for box in weak]
        for index, box in self._own():
            label = draft.boxes[index].label
            marks.append(Mark(box, label + self._score(label, box), "mine" if draft.looked_at else "review"))
        self.set_marks(tuple(marks))

    def _score(self, label: str, box: Box) -> str:
        """Of the model's box that this one was made of, as long as it is the same."""
        same = [found.score for found in self._found if found.box == box and found.label == label]
        return f" {same[0]:.2f}" if same else ""

    # Changes by key and button

    def delete_selected(self) -> None:
        """Del."""
        index = self.selected()
        if self._draft is not None and index is not None and self.may_draw:
            self.changed.emit(self._draft.remove(index))

    def select_next(self) -> None:
        """N: round and round."""
        indices = [index for index, _ in self._own()]
        if self._draft is None or not indices:
            return
        held = self.selected()
        later = [index for index in indices if held is not None and index > held]
        self.changed.emit(self._draft.select(later[0] if later else indices[0]))

    def put_new(self) -> None:
        """Enter while drawing: a box in the middle of what is seen."""
        seen = self.picture_rect().intersected(QRectF(self.rect()))
        if seen.isEmpty() or self._draft is None:
            return
        dx, dy = seen.width() * NEW_SHARE / 2, seen.height() * NEW_SHARE / 2
        first = self.to_frame(seen.center() - QPointF(dx, dy))
        last = self.to_frame(seen.center() + QPointF(dx, dy))
        self._add(spanned(first.x(), first.y(), last.x(), last.y(), self._frame))

    def _add(self, box: Box | None) -> None:
        if box is None or self._draft is None or not self._pen or not self._camera:
            return
        self.set_drawing(False)
        self.changed.emit(self._draft.add(ReviewBox(camera=self._camera, label=self._pen, box=box)))

    def _adopt(self, found: FoundBox) -> None:
        size = self._frame
        box = spanned(*found.box, size)
        if box is not None and self._draft is not None:
            self.changed.emit(self._draft.add(ReviewBox(camera=self._camera, label=found.label, box=box)))

    # By mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; takes a handle, a box or a corner of a new one; else the picture."""
        self._pressed = event.position()
        if event.button() is not Qt.MouseButton.LeftButton or not self.has_picture() or self._draft is None:
            super().mousePressEvent(event)
            return
        at = self.to_frame(event.position())
        if self.drawing:
            self._grab = Grab("draw", at)
            return
        held, handle = self.selected(), self._handle_at(event.position())
        if held is not None and handle is not None and self.may_draw:
            self._grab = Grab("resize", at, self._draft.boxes[held].box, handle)
            return
        index = self._box_at(event.position())
        if index is None or not self._show_marks:
            super().mousePressEvent(event)
            return
        if index != held:
            self.changed.emit(self._draft.select(index))
        if self.may_draw:
            self._grab = Grab("move", at, self._draft.boxes[index].box)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        grab = self._grab
        if grab is None:
            super().mouseMoveEvent(event)
            if self._dragged is None and not self.drawing:
                self._point(event.position())
            return
        if self._trial is None and _slipped(event.position(), self._pressed):
            return
        at = self.to_frame(event.position())
        dx, dy = at.x() - grab.at.x(), at.y() - grab.at.y()
        if grab.what == "draw":
            self._trial = spanned(grab.at.x(), grab.at.y(), at.x(), at.y(), self._frame)
        elif grab.what == "move":
            self._trial = moved(grab.box, dx, dy, self._frame)
        else:
            self._trial = resized(grab.box, grab.handle, dx, dy, self._frame)
        self._show()
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; what is in hand stays where it is."""
        grab, trial = self._grab, self._trial
        self._let_go()
        if grab is None:
            super().mouseReleaseEvent(event)
            if event.button() is Qt.MouseButton.LeftButton and _slipped(event.position(), self._pressed):
                self._click_nothing(event.position())
            return
        held = self.selected()
        if trial is None or self._draft is None:
            self._show()
        elif grab.what == "draw":
            self._add(trial)
        elif held is not None:
            self.changed.emit(self._draft.change(held, box=trial))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; zooms, but not where a box is meant."""
        if self.drawing or self._box_at(event.position()) is not None:
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def _click_nothing(self, point: QPointF) -> None:
        """Beside all boxes: none is chosen; on a weak one: it is one of them now."""
        if self._draft is None:
            return
        if self._weak and self.may_draw and self._show_marks:
            weak = weak_boxes(self._found, self._camera, self._draft)
            hit = [found for found in weak if self._place(found.box).contains(point)]
            if hit:
                self._adopt(min(hit, key=lambda found: _area(found.box)))
                return
        if self.selected() is not None:
            self.changed.emit(self._draft.select(None))

    def _point(self, point: QPointF) -> None:
        """The mouse says what a press would take."""
        handle = self._handle_at(point) if self.may_draw else None
        if handle is not None:
            self.setCursor(_cursor(handle))
        elif self._box_at(point) is not None and self.may_draw:
            self.setCursor(Qt.CursorShape.SizeAllCursor)
        else:
            self.setCursor(Qt.CursorShape.ArrowCursor)

    def _let_go(self) -> None:
        self._grab = self._trial = None
        self.update()

    def _pinched(self, pinch: QPinchGesture) -> None:
        self._let_go()
        super()._pinched(pinch)

    # Where things are

    def _place(self, box: Box) -> QRectF:
        return QRectF(self.to_widget(box[0], box[1]), self.to_widget(box[2], box[3])).normalized()

    def _box_at(self, point: QPointF) -> int | None:
        """The smallest that is under the mouse, so that one inside another can be taken."""
        if not self.has_picture():
            return None
        slip = Look.here().px(SLIP)
        hit = [
            (index, box)
            for index, box in self._own()
            if self._place(box).adjusted(-slip, -slip, slip, slip).contains(point)
        ]
        held = self.selected()
        if any(index == held for index, _ in hit):
            return held
        return min(hit, key=lambda found: _area(found[1]))[0] if hit else None

    def _handles(self) -> dict[tuple[int, int], QPointF]:
        held = self.selected()
        boxes = [box for index, box in self._own() if index == held]
        if not boxes or held is None or not self.has_picture():
            return {}
        place = self._place(boxes[0])
        half_w, half_h = place.width() / 2, place.height() / 2
        return {
            (x, y): place.center() + QPointF(x * half_w, y * half_h) for x in SIDES for y in SIDES if (x, y) != (0, 0)
        }

    def _handle_at(self, point: QPointF) -> tuple[int, int] | None:
        """Corners before sides: on a small box they lie over each other."""
        near = {
            handle: (place - point).manhattanLength()
            for handle, place in self._handles().items()
            if max(abs(place.x() - point.x()), abs(place.y() - point.y())) <= Look.here().px(GRIP)
        }
        return min(near, key=lambda handle: (near[handle], -abs(handle[0] * handle[1]))) if near else None

    def paint_over(self, painter: QPainter) -> None:
        """Handles of the chosen box, and the box that is being drawn."""
        look = Look.here()
        if self._grab is not None and self._grab.what == "draw" and self._trial is not None:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(TONES["mine"]), look.px(3)))
            painter.drawRect(self._place(self._trial))
        if not self.may_draw or not self._show_marks:
            return
        side = look.px(10)
        painter.setPen(QPen(QColor("#0b0f14"), look.px(1)))
        painter.setBrush(QColor("#ffffff"))
        for place in self._handles().values():
            painter.drawRect(QRectF(place.x() - side / 2, place.y() - side / 2, side, side))

    # By key

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; the arrows move the chosen box by a pixel (Ctrl: ten), with Shift its lower right corner."""
        arrows = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, -1),
            Qt.Key.Key_Down: (0, 1),
        }
        key, held = Qt.Key(event.key()), self.selected()
        if key in {Qt.Key.Key_Return, Qt.Key.Key_Enter} and self.drawing:
            self.put_new()
        elif key in arrows and held is not None and self._draft is not None and self.may_draw:
            leap = LEAP if event.modifiers() & Qt.KeyboardModifier.ControlModifier else STEP
            dx, dy = arrows[key][0] * leap, arrows[key][1] * leap
            box = self._draft.boxes[held].box
            shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            new = resized(box, (1, 1), dx, dy, self._frame) if shift else moved(box, dx, dy, self._frame)
            self.changed.emit(self._draft.change(held, box=new))
        else:
            super().keyPressEvent(event)


def _slipped(a: QPointF, b: QPointF) -> bool:
    return (a - b).manhattanLength() <= SLIP


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _cursor(handle: tuple[int, int]) -> Qt.CursorShape:
    if handle[0] == 0:
        return Qt.CursorShape.SizeVerCursor
    if handle[1] == 0:
        return Qt.CursorShape.SizeHorCursor
    return Qt.CursorShape.SizeFDiagCursor if handle[0] == handle[1] else Qt.CursorShape.SizeBDiagCursor
