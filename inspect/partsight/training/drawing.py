"""Defects drawn on copper masks, in the sizes and with the ragged edges of real ones.

Three strokes make all six kinds: a cut, a bite and a hole in the copper are an open, a mousebite and a
pin-hole; the same three in the empty ground are a short, a spur and spurious copper.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator

from partsight.training.boards import COPPER, MARGIN_PX, MOUSEBITE, OPEN, PIN_HOLE, SHORT, SPUR, Board, Mask, copper_of

Shapes = dict[int, list[Mask]]
"""Outlines of real defects by class, to be drawn on other boards."""
Box = tuple[int, int, int, int]

_IN_GROUND = {SHORT: OPEN, SPUR: MOUSEBITE, COPPER: PIN_HOLE}
_SQUARE = np.ones((3, 3), np.uint8)
_SMALLEST_PX = 18
_TRIES = 8


def defect_shapes(boards: Sequence[Board]) -> Shapes:
    """Outlines of the bites, spurs, islands and holes of real boards: where image and template differ."""
    shapes: Shapes = {MOUSEBITE: [], SPUR: [], COPPER: [], PIN_HOLE: []}
    for board in boards:
        image, template = copper_of(board.image), copper_of(board.template)
        for box, class_id in zip(board.boxes.astype(int), board.class_ids.tolist(), strict=True):
            if class_id in shapes:
                shape = _outline(image, template, box.tolist(), class_id)
                if shape is not None:
                    shapes[class_id].append(shape)
    return shapes


def _outline(image: Mask, template: Mask, box: list[int], class_id: int) -> Mask | None:
    x1, y1, x2, y2 = box
    added = class_id in (SPUR, COPPER)
    change = image[y1:y2, x1:x2] > template[y1:y2, x1:x2] if added else image[y1:y2, x1:x2] < template[y1:y2, x1:x2]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(change.astype(np.uint8), connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, w, h, area = (int(v) for v in stats[largest])
    touches = x == 0 or y == 0 or x + w == x2 - x1 or y + h == y2 - y1
    if area < _SMALLEST_PX or touches:
        return None
    return np.asarray(labels[y : y + h, x : x + w] == largest, dtype=np.uint8)


def draw_defect(copper: Mask, class_id: int, shapes: Shapes, rng: Generator, taken: Sequence[Box] = ()) -> Box | None:
    """Draw one defect into `copper`; its box (with DeepPCB's margin), or None where no place was found.

    `copper` is changed in place. A defect never overlaps the boxes in `taken`.
    """
    in_ground = class_id in _IN_GROUND
    kind = _IN_GROUND.get(class_id, class_id)
    for _ in range(_TRIES):
        field = 1 - copper if in_ground else copper
        change = _STROKES[kind](field, shapes.get(class_id, []), rng)
        if change is None:
            continue
        box = _box_of(change)
        if any(_overlap(box, other) for other in taken):
            continue
        copper[change > 0] = 1 if in_ground else 0
        return box
    return None


def _cut(field: Mask, _shapes: Sequence[Mask], rng: Generator) -> Mask | None:
    """One to three ragged strokes across the narrow of a track, which part it in two."""
    depth = cv2.distanceTransform(field, cv2.DIST_L2, 3)
    middle = depth >= cv2.dilate(depth, _SQUARE) - 1e-3
    place = _pick(middle & (depth >= 1.9) & (depth <= rng.choice([6.0, 12.0, 24.0])), rng, border=14)
    if place is None:
        return None
    x, y = place
    reach = float(depth[y, x])
    tool = np.zeros_like(field)
    angle = _across(depth, x, y) + rng.normal(0, 0.35)
    for _ in range(int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))):
        start = (x + rng.normal(0, 2), y + rng.normal(0, 2))
        _stroke(tool, start, angle + rng.normal(0, 0.2), reach * 1.25 + 3, rng)
    change = tool & field
    return change if change.sum() >= _SMALLEST_PX // 2 and _parts(field, change) else None


def _across(depth: np.ndarray, x: int, y: int) -> float:
    """The direction across a track: the least spread of the deep pixels around."""
    r = int(min(12, depth[y, x] + 5))
    window = depth[max(y - r, 0) : y + r + 1, max(x - r, 0) : x + r + 1]
    ys, xs = np.nonzero(window > 0.6 * depth[y, x])
    if len(xs) < 3:
        return 0.0
    _, vectors = np.linalg.eigh(np.cov(np.stack([xs, ys])))
    return float(np.arctan2(vectors[1, 0], vectors[0, 0]))


def _stroke(tool: Mask, middle: tuple[float, float], angle: float, reach: float, rng: Generator) -> None:
    x, y = middle
    steps = max(4, int(reach / 2))
    along = np.linspace(-reach, reach, steps)
    aside = np.cumsum(rng.normal(0, 0.8, steps)) + rng.normal(0, 0.15) * along**2 / max(reach, 1)
    aside -= aside[steps // 2]
    points = np.stack(
        [x + along * np.cos(angle) - aside * np.sin(angle), y + along * np.sin(angle) + aside * np.cos(angle)], axis=1
    ).astype(np.int32)
    width = float(rng.choice([1.5, 2.5, 3.5, 5.0, 7.0], p=[0.2, 0.3, 0.25, 0.15, 0.1]))
    for first, second in itertools.pairwise(points):
        thickness = max(1, round(width + rng.normal(0, 0.7)))
        cv2.line(tool, first.tolist(), second.tolist(), 1, thickness)


def _parts(field: Mask, change: Mask) -> bool:
    """Whether the change parts what was whole, seen in a window around it."""
    x1, y1, x2, y2 = _box_of(change)
    window = np.s_[max(y1 - 4, 0) : y2 + 4, max(x1 - 4, 0) : x2 + 4]
    return _large_parts(field[window] & (1 - change[window])) > _large_parts(field[window])


def _large_parts(mask: Mask) -> int:
    _, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask), connectivity=4)
    return int((stats[1:, cv2.CC_STAT_AREA] >= 15).sum())


def _bite(field: Mask, shapes: Sequence[Mask], rng: Generator) -> Mask | None:
    """A blob over an edge: it must open to the outside and leave the track whole."""
    edge = (field == 1) & (cv2.erode(field, _SQUARE, borderValue=1) == 0)
    place = _pick(edge, rng, border=12)
    if place is None:
        return None
    tool = _placed(field.shape, _shape(shapes, rng), place, rng, jitter=2)
    change = tool & field
    outside = int((tool & (1 - field)).sum()) + int((_grown(change) & (1 - field)).sum())
    if change.sum() < _SMALLEST_PX or outside < 3 or cv2.connectedComponents(change, connectivity=8)[0] > 3:
        return None
    return None if _parts(field, change) else change


def _hole(field: Mask, shapes: Sequence[Mask], rng: Generator) -> Mask | None:
    """A blob wholly inside."""
    shape = _shape(shapes, rng)
    depth = cv2.distanceTransform(field, cv2.DIST_L2, 3)
    place = _pick(depth > min(shape.shape) / 2 + 1, rng, border=12)
    if place is None:
        return None
    tool = _placed(field.shape, shape, place, rng, jitter=0)
    whole = tool.sum() >= _SMALLEST_PX and not (_grown(tool) & (1 - field)).any()
    return tool if whole else None


_STROKES: dict[int, Callable[[Mask, Sequence[Mask], Generator], Mask | None]] = {
    OPEN: _cut,
    MOUSEBITE: _bite,
    PIN_HOLE: _hole,
}


def _shape(shapes: Sequence[Mask], rng: Generator) -> Mask:
    shape = shapes[int(rng.integers(len(shapes)))] if shapes and rng.random() < 0.7 else _blob(rng)
    shape = np.rot90(shape, int(rng.integers(4)))
    if rng.random() < 0.5:
        shape = shape[:, ::-1]
    factor = float(rng.uniform(0.8, 1.25))
    size = (max(3, round(shape.shape[1] * factor)), max(3, round(shape.shape[0] * factor)))
    grown = cv2.resize(np.ascontiguousarray(shape) * 255, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grown > 110, dtype=np.uint8)


def _blob(rng: Generator) -> Mask:
    """A ragged blob along a short random walk, 5 to 40 pixels long."""
    tool = np.zeros((64, 64), np.uint8)
    point, angle = np.array([32.0, 32.0]), rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.integers(1, 12))):
        cv2.circle(tool, point.astype(int).tolist(), int(rng.integers(2, 6)), 1, -1)
        angle += rng.normal(0, 0.5)
        point = np.clip(point + 2.5 * np.array([np.cos(angle), np.sin(angle)]), 8, 56)
    noise = cv2.GaussianBlur(rng.random((64, 64), dtype=np.float32), (0, 0), 1.2) - 0.5
    ragged = cv2.GaussianBlur(tool.astype(np.float32), (0, 0), 1.0) + float(rng.uniform(0, 2.5)) * noise > 0.5
    ys, xs = np.nonzero(ragged)
    if len(xs) == 0:
        return np.ones((4, 4), np.uint8)
    return np.asarray(ragged[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1], dtype=np.uint8)


def _placed(size: tuple[int, ...], shape: Mask, place: tuple[int, int], rng: Generator, jitter: float) -> Mask:
    tool = np.zeros(size, np.uint8)
    x = int(place[0] - shape.shape[1] / 2 + rng.normal(0, 1) * jitter)
    y = int(place[1] - shape.shape[0] / 2 + rng.normal(0, 1) * jitter)
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + shape.shape[0], size[0]), min(x + shape.shape[1], size[1])
    if bottom > top and right > left:
        tool[top:bottom, left:right] = shape[top - y : bottom - y, left - x : right - x]
    return tool


def _pick(where: np.ndarray, rng: Generator, border: int) -> tuple[int, int] | None:
    inner = where[border:-border, border:-border]
    places = np.flatnonzero(inner)
    if len(places) == 0:
        return None
    y, x = divmod(int(places[rng.integers(len(places))]), inner.shape[1])
    return x + border, y + border


def _box_of(change: Mask) -> Box:
    ys, xs = np.nonzero(change)
    h, w = change.shape
    return (
        max(int(xs.min()) - MARGIN_PX, 0),
        max(int(ys.min()) - MARGIN_PX, 0),
        min(int(xs.max()) + MARGIN_PX, w),
        min(int(ys.max()) + MARGIN_PX, h),
    )


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _grown(mask: Mask) -> Mask:
    return np.asarray(cv2.dilate(mask, _SQUARE), dtype=np.uint8)
