"""A YOLO model's output as boxes: pure functions on arrays, the same for every backend.

ANCHORS follows ultralytics' `predict` defaults: each anchor speaks for its best class only, then greedy
non-maximum suppression inside each class. Nothing here knows frames; boxes are in input pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from partsight.domain.errors import DetectorError
from partsight.domain.model import ModelSpec, OutputFormat

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

BLOCK = 64
"""Candidates that are compared with each other at once, up to twice as many where no others remain; measured: larger
blocks compare more than they save."""

FEW = 128
"""So few candidates are compared one by one: numpy's calls cost more than the work, and twice that on the cold caches
that an inference leaves."""

LARGEST = float(np.finfo(np.float32).max)

SCORE_SLACK = 1e-3
"""How far a score may leave 0..1 by rounding in a lower precision before the output is refused."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Boxes of one image, best score first.

    boxes: (n, 4) float32, x1 <= x2 and y1 <= y2 in input pixels. scores: (n,) float32 in 0..1.
    class_ids: (n,) int32. None of them shares memory with the model's output.
    """

    boxes: Floats
    scores: Floats
    class_ids: npt.NDArray[np.int32]


def decode(output: Floats, spec: ModelSpec) -> Columns:
    """One image's output, (k, 6) or (4 + classes, m), down to the spec's floor.

    Raises DetectorError where the output holds a NaN, an infinity, or scores or classes that cannot be.
    """
    if not np.isfinite(output).all():
        raise DetectorError(
            f"model {spec.name!r} gave a NaN or an infinity; the part cannot be judged. If it happens again, "
            "try the fp32 file or another backend"
        )
    if spec.output is OutputFormat.END2END:
        return _end2end(output, spec)
    return _anchors(output, spec)


def _end2end(rows: Floats, spec: ModelSpec) -> Columns:
    scores = rows[:, 4]
    _check_scores(scores, spec)
    kept = rows[scores > spec.floor]
    ids = kept[:, 5]
    if len(kept) and not (ids.min() >= 0 and ids.max() < len(spec.classes) and (ids == np.floor(ids)).all()):
        raise DetectorError(
            f"model {spec.name!r} gave class {ids.max():g}, the card names {len(spec.classes)} classes; "
            "is this another model's card, or is the output not end-to-end?"
        )
    kept = kept[np.argsort(-kept[:, 4], kind="stable")[: spec.max_detections]]
    return _columns(kept[:, :4], kept[:, 4], kept[:, 5])


def _anchors(planes: Floats, spec: ModelSpec) -> Columns:
    _check_scores(planes[4:], spec)
    # The maximum over all anchors is cheap, the argmax is not: it is taken for candidates only.
    candidates = np.flatnonzero(planes[4:].max(axis=0) > spec.floor)
    by_class = planes[4:, candidates]
    class_ids = by_class.argmax(axis=0)
    scores = by_class.max(axis=0) if len(candidates) else np.zeros(0, np.float32)
    centre, half = planes[:2, candidates].astype(np.float64), planes[2:4, candidates].astype(np.float64) / 2
    boxes = np.concatenate((centre - half, centre + half)).T
    kept = suppress(boxes, scores, class_ids, spec.nms_iou, spec.max_detections)
    return _columns(boxes[kept], scores[kept], class_ids[kept])


def _check_scores(scores: Floats, spec: ModelSpec) -> None:
    if scores.size and not (scores.min() >= -SCORE_SLACK and scores.max() <= 1 + SCORE_SLACK):
        raise DetectorError(
            f"model {spec.name!r} gave scores from {scores.min():g} to {scores.max():g}; they must lie in 0..1. "
            "Was it exported without its sigmoid, or does the card name another output format?"
        )


def _columns(boxes: npt.NDArray[np.floating[Any]], scores: Floats, class_ids: npt.NDArray[Any]) -> Columns:
    ordered = np.empty((len(boxes), 4), np.float64)
    np.minimum(boxes[:, :2], boxes[:, 2:], out=ordered[:, :2])
    np.maximum(boxes[:, :2], boxes[:, 2:], out=ordered[:, 2:])
    np.maximum(ordered, -LARGEST, out=ordered)
    np.minimum(ordered, LARGEST, out=ordered)
    return Columns(
        ordered.astype(np.float32),
        np.minimum(scores, np.float32(1)),
        class_ids.astype(np.int32),
    )


def suppress(
    boxes: npt.NDArray[np.floating[Any]],
    scores: Floats,
    class_ids: npt.NDArray[Any],
    iou: float,
    limit: int,
) -> Indices:
    """Greedy non-maximum suppression inside each class.

    boxes (n, 4) x1 y1 x2 y2, scores (n,), class_ids (n,). Returns indices of the kept boxes, best first, at most
    `limit`; equal scores keep their order. A box goes where its IoU with a kept box of its class is over `iou`.
    Classes are compared as such: ultralytics moves each class to a place of its own instead, which is the same
    up to the rounding of coordinates that have become large.
    """
    order = np.argsort(-scores, kind="stable")
    if len(order) <= FEW:
        return order[_greedy(boxes[order].tolist(), class_ids[order].tolist(), iou)[:limit]]
    rest = _Sorted(np.ascontiguousarray(boxes[order].T, np.float64), class_ids[order])
    kept: list[Indices] = []
    count = 0
    while len(order) and count < limit:
        size = len(order) if len(order) <= 2 * BLOCK else BLOCK
        block, behind = rest.part(slice(size)), rest.part(slice(size, None))
        best = np.flatnonzero(_survivors(block.overlap(block, iou)))[: limit - count]
        kept.append(order[best])
        count += len(best)
        if size == len(order):
            break
        alive = np.flatnonzero(~rest.part(best).overlap(behind, iou).any(axis=0))
        order, rest = order[size:][alive], behind.part(alive)
    return np.concatenate(kept) if kept else np.zeros(0, np.intp)


def _greedy(boxes: list[list[float]], class_ids: list[float], iou: float) -> list[int]:
    """Which of the boxes, sorted by score, are kept: the same arithmetic as `_Sorted.overlap`, to the bit."""
    kept: list[int] = []
    by_class: dict[float, list[tuple[float, float, float, float, float]]] = {}
    for place, (x1, y1, x2, y2) in enumerate(boxes):
        area = max(x2 - x1, 0.0) * max(y2 - y1, 0.0)
        better = by_class.setdefault(class_ids[place], [])
        for a1, b1, a2, b2, other in better:
            width = (x2 if x2 < a2 else a2) - (x1 if x1 > a1 else a1)
            height = (y2 if y2 < b2 else b2) - (y1 if y1 > b1 else b1)
            if width > 0 and height > 0:
                shared = width * height
                if shared > (other + area - shared) * iou:
                    break
        else:
            kept.append(place)
            better.append((x1, y1, x2, y2, area))
    return kept


class _Sorted:
    """Boxes as contiguous columns, (4, n) float64, with their classes (n,)."""

    def __init__(self, sides: npt.NDArray[np.float64], class_ids: npt.NDArray[Any]) -> None:
        self.sides = sides
        self.class_ids = class_ids

    def part(self, which: slice | npt.NDArray[Any]) -> _Sorted:
        """Some of them, in their order."""
        return _Sorted(self.sides[:, which], self.class_ids[which])

    def overlap(self, other: _Sorted, iou: float) -> npt.NDArray[np.bool_]:
        """(n, m): the same class and an IoU over `iou`. Boxes without area overlap nothing."""
        a, b = self.sides[:, :, None], other.sides[:, None, :]
        width = np.minimum(a[2], b[2])
        width -= np.maximum(a[0], b[0])
        height = np.minimum(a[3], b[3])
        height -= np.maximum(a[1], b[1])
        # Sides are clamped: a box with swapped corners has no area.
        shared = np.maximum(width, 0, out=width)
        shared *= np.maximum(height, 0, out=height)
        limit = np.add(self._areas()[:, None], other._areas()[None, :], out=height)
        limit -= shared
        limit *= iou
        over: npt.NDArray[np.bool_] = shared > limit
        over &= self.class_ids[:, None] == other.class_ids[None, :]
        return over

    def _areas(self) -> npt.NDArray[np.float64]:
        sides = np.maximum(self.sides[2:] - self.sides[:2], 0)
        areas: npt.NDArray[np.float64] = sides[0] * sides[1]
        return areas


def _survivors(overlap: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(n, n) overlaps of boxes sorted by score: which are kept, (n,)."""
    alive = np.zeros(len(overlap), np.bool_)
    packed = np.packbits(overlap, axis=1, bitorder="little")
    width, rows = packed.shape[1], packed.tobytes()
    # Each row as one integer, a bit for each box: greedy by its nature, and numpy costs more than the bits.
    gone = 0
    for row in range(len(overlap)):
        if not gone >> row & 1:
            alive[row] = True
            gone |= int.from_bytes(rows[row * width : (row + 1) * width], "little")
    return alive
