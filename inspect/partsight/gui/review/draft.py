"""What a person has drawn on a part so far: boxes with their history, as plain values.

Every change gives another Draft; `undo` gives the one before. Boxes stay within the picture and are never smaller than
MIN_SIDE.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from partsight.domain.reasons import DEFECT_BASE
from partsight.wire.screen.message import Box
from partsight.wire.screen.parts import MAX_BOXES, FindingNote, FoundBox, Part, ReviewBox

MIN_SIDE = 2.0
"""Frame pixels: less is a slip of the hand."""
SAME = 0.9
"""Two boxes that share so much of their area are one."""
HISTORY = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """boxes: in the order in which they were made. looked_at: a person has drawn, changed or accepted them, so they
    are all that is really there. selected: index, None for none.
    """

    sequence: int
    boxes: tuple[ReviewBox, ...] = ()
    looked_at: bool = False
    selected: int | None = None
    past: tuple[tuple[tuple[ReviewBox, ...], bool], ...] = ()

    def add(self, box: ReviewBox) -> Draft:
        """One more, selected. As it is where there are as many as can be kept."""
        if len(self.boxes) >= MAX_BOXES:
            return self
        return self._next((*self.boxes, box), selected=len(self.boxes))

    def change(self, index: int, *, box: Box | None = None, label: str | None = None) -> Draft:
        """Another place or class."""
        old = self.boxes[index]
        new = ReviewBox(
            camera=old.camera,
            label=old.label if label is None else label,
            box=old.box if box is None else box,
        )
        if new == old:
            return replace(self, selected=index)
        return self._next((*self.boxes[:index], new, *self.boxes[index + 1 :]), selected=index)

    def remove(self, index: int) -> Draft:
        """One less."""
        return self._next(self.boxes[:index] + self.boxes[index + 1 :], selected=None)

    def accept(self) -> Draft:
        """They are all that is there; again: nobody has said so, and they are as the model has them."""
        return replace(
            self,
            looked_at=not self.looked_at,
            past=(*self.past, (self.boxes, self.looked_at))[-HISTORY:],
            selected=None,
        )

    def select(self, index: int | None) -> Draft:
        """No change of what is there."""
        return replace(self, selected=index if index is not None and 0 <= index < len(self.boxes) else None)

    def undo(self) -> Draft:
        """As it was one change ago; the same where there was none."""
        if not self.past:
            return self
        boxes, looked_at = self.past[-1]
        return replace(self, boxes=boxes, looked_at=looked_at, selected=None, past=self.past[:-1])

    def _next(self, boxes: tuple[ReviewBox, ...], selected: int | None) -> Draft:
        past = (*self.past, (self.boxes, self.looked_at))[-HISTORY:]
        return replace(self, boxes=boxes, looked_at=True, selected=selected, past=past)


def draft_of(part: Part, classes: tuple[str, ...]) -> Draft:
    """To begin with: what people said of it before, else what decided."""
    said = part.disposition
    if said is not None and said.boxes is not None:
        return Draft(part.sequence, said.boxes, looked_at=True)
    boxes = [box for finding in part.findings if (box := _box_of(finding, part, classes)) is not None]
    return Draft(part.sequence, tuple(boxes[:MAX_BOXES]))


def _box_of(finding: FindingNote, part: Part, classes: tuple[str, ...]) -> ReviewBox | None:
    if finding.box is None or not finding.camera:
        return None
    view = next((view for view in part.views if view.camera == finding.camera), None)
    found = [box for box in view.boxes if overlap(box.box, finding.box) > SAME] if view is not None else []
    number = finding.code - DEFECT_BASE
    if 0 <= number < len(classes):
        label = classes[number]
    elif found:
        label = found[0].label
    else:
        return None
    return ReviewBox(camera=finding.camera, label=label, box=finding.box)


def weak_boxes(boxes: tuple[FoundBox, ...], camera: str, draft: Draft) -> tuple[FoundBox, ...]:
    """The model's boxes that are not in the draft."""
    taken = [box.box for box in draft.boxes if box.camera == camera]
    return tuple(box for box in boxes if not any(overlap(box.box, other) > SAME for other in taken))


def overlap(a: Box, b: Box) -> float:
    """Shared area by area of both together, 0..1 (the Jaccard index)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def spanned(x1: float, y1: float, x2: float, y2: float, size: tuple[int, int]) -> Box | None:
    """The box between two corners, cut at the picture's edge; None where it is too small to be meant."""
    left, right = sorted((min(max(x1, 0.0), size[0]), min(max(x2, 0.0), size[0])))
    top, bottom = sorted((min(max(y1, 0.0), size[1]), min(max(y2, 0.0), size[1])))
    if right - left < MIN_SIDE or bottom - top < MIN_SIDE:
        return None
    return left, top, right, bottom


def moved(box: Box, dx: float, dy: float, size: tuple[int, int]) -> Box:
    """Shifted as far as the picture's edge lets it."""
    dx = min(max(dx, -box[0]), size[0] - box[2])
    dy = min(max(dy, -box[1]), size[1] - box[3])
    return box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy


def resized(box: Box, handle: tuple[int, int], dx: float, dy: float, size: tuple[int, int]) -> Box:
    """handle: -1, 0 or 1 in x and y: the side that is taken. It stops MIN_SIDE before the other, and at the edge."""
    x1, y1, x2, y2 = box
    if handle[0] < 0:
        x1 = min(max(x1 + dx, 0.0), max(0.0, x2 - MIN_SIDE))
    elif handle[0] > 0:
        x2 = max(min(x2 + dx, size[0]), min(size[0], x1 + MIN_SIDE))
    if handle[1] < 0:
        y1 = min(max(y1 + dy, 0.0), max(0.0, y2 - MIN_SIDE))
    elif handle[1] > 0:
        y2 = max(min(y2 + dy, size[1]), min(size[1], y1 + MIN_SIDE))
    return x1, y1, x2, y2
