"""Crops to learn from, drawn anew each time: real boards, good boards, boards with drawn defects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from partsight.training.boards import MARGIN_PX, Board, Pixels, copper_of
from partsight.training.drawing import Box, Shapes, defect_shapes, draw_defect

GREY = 114
LEAST_VISIBLE = 0.6
_INVERTED = np.array([1, 0, 3, 2, 5, 4])
"""Copper and ground exchanged: an open becomes a short, a mousebite a spur, spurious copper a pin-hole."""

_SHARES = (0.25, 0.25, 0.125, 0.125, 0.125, 0.125)
"""Cuts fail to find a place more often than the rest, and real shorts are the hardest to find."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A square to learn from: uint8 (s, s) or RGB (s, s, 3), boxes float32 (n, 4) in pixels."""

    image: Pixels
    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]


Source = Callable[[Generator, int], Crop]
"""Gives one crop of the given side."""


def real_source(boards: Sequence[Board]) -> Source:
    """Crops of real boards with their real defects."""

    def crop(rng: Generator, side: int) -> Crop:
        board = boards[int(rng.integers(len(boards)))]
        return spoiled(turned(placed_crop(board.image, board.boxes, board.class_ids, rng, side), rng), rng)

    return crop


def drawn_source(boards: Sequence[Board], defects: tuple[int, int] = (1, 7)) -> Source:
    """Crops of good boards at any angle and line width, with defects drawn on them."""
    shapes = defect_shapes(boards)

    def crop(rng: Generator, side: int) -> Crop:
        board = boards[int(rng.integers(len(boards)))]
        return spoiled(drawn_crop(board, shapes, defects, rng, side), rng)

    return crop


def good_source(boards: Sequence[Board]) -> Source:
    """Crops of good boards: nothing is to be found."""

    def crop(rng: Generator, side: int) -> Crop:
        board = boards[int(rng.integers(len(boards)))]
        crop = placed_crop(board.template, board.boxes[:0], board.class_ids[:0], rng, side)
        return spoiled(turned(crop, rng), rng)

    return crop


def placed_crop(
    picture: Pixels,
    boxes: NDArray[np.float32],
    class_ids: NDArray[np.int64],
    rng: Generator,
    side: int,
    *,
    scales: tuple[float, float] = (0.7, 1.4),
    binary: bool = True,
) -> Crop:
    """A crop near a defect (or anywhere), half of the time at another scale.

    binary: a rescaled picture gets hard edges again.
    """
    height, width = picture.shape[:2]
    scale = float(rng.uniform(*scales)) if rng.random() < 0.5 else 1.0
    window = min(round(side / scale), height, width)
    x, y = _corner(boxes, (width, height), window, rng)
    image = picture[y : y + window, x : x + window]
    if window != side:
        image = _resized(image, side)
        image = _hardened(image, rng) if binary else image
    return _cut_out(np.array(image), boxes - np.array([x, y, x, y], np.float32), class_ids, side / window)


def _corner(boxes: NDArray[np.float32], size: tuple[int, int], window: int, rng: Generator) -> tuple[int, int]:
    width, height = size
    if len(boxes) and rng.random() < 0.7:
        box = boxes[int(rng.integers(len(boxes)))]
        centre = (box[:2] + box[2:]) / 2 + rng.uniform(-0.4, 0.4, 2) * window
        corner = (centre - window / 2).astype(int)
        return int(np.clip(corner[0], 0, width - window)), int(np.clip(corner[1], 0, height - window))
    return int(rng.integers(width - window + 1)), int(rng.integers(height - window + 1))


def _resized(image: Pixels, side: int) -> Pixels:
    method = cv2.INTER_AREA if side < len(image) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side, side), interpolation=method), dtype=np.uint8)


def _hardened(image: Pixels, rng: Generator) -> Pixels:
    """Binary again: other line widths with edges as sharp as before."""
    soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 0.9)))
    return np.asarray(np.where(soft > rng.integers(108, 148), 255, 0), dtype=np.uint8)


def _cut_out(image: Pixels, boxes: NDArray[np.float32], class_ids: NDArray[np.int64], scale: float) -> Crop:
    """Boxes scaled about the defect, not about its margin; a defect that is cut off becomes grey."""
    side = image.shape[0]
    margin = np.array([MARGIN_PX, MARGIN_PX, -MARGIN_PX, -MARGIN_PX], np.float32)
    boxes = _ordered(boxes + margin) * scale - margin
    inside = np.clip(boxes, 0, side)
    whole = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    seen = np.prod(inside[:, 2:] - inside[:, :2], axis=1) / np.maximum(whole, 1)
    for x1, y1, x2, y2 in inside[(seen > 0) & (seen < LEAST_VISIBLE)].round().astype(int):
        image[y1:y2, x1:x2] = GREY
    keep = seen >= LEAST_VISIBLE
    return Crop(image, inside[keep].astype(np.float32), class_ids[keep])


def _ordered(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes that the margin turned inside out become a point at their centre."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    low, high = np.minimum(boxes[:, :2], centre), np.maximum(boxes[:, 2:], centre)
    return np.asarray(np.concatenate([low, high], axis=1), dtype=np.float32)


def drawn_crop(board: Board, shapes: Shapes, defects: tuple[int, int], rng: Generator, side: int) -> Crop:
    """Part of a good board, turned and scaled, its lines thinner or wider, with defects drawn on it."""
    copper = copper_of(_warped(board.template, rng, side))
    grow = int(rng.choice([-2, -1, 0, 1, 2], p=[0.1, 0.2, 0.4, 0.2, 0.1]))
    if grow:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(grow) + 1, 2 * abs(grow) + 1))
        copper = np.asarray((cv2.dilate if grow > 0 else cv2.erode)(copper, kernel), dtype=np.uint8)
    if rng.random() < 0.12:
        copper = (1 - copper).astype(np.uint8)
    boxes: list[Box] = []
    class_ids: list[int] = []
    for _ in range(int(rng.integers(*defects))):
        class_id = int(rng.choice(6, p=_SHARES))
        box = draw_defect(copper, class_id, shapes, rng, boxes)
        if box is not None:
            boxes.append(box)
            class_ids.append(class_id)
    image = ((1 - copper) * 255).astype(np.uint8)
    return Crop(image, np.array(boxes, np.float32).reshape(-1, 4), np.array(class_ids, np.int64))


def _warped(template: Pixels, rng: Generator, side: int) -> Pixels:
    free = rng.random() < 0.3
    angle = float(rng.uniform(0, 360)) if free else 90.0 * int(rng.integers(4))
    scale = float(rng.uniform(0.65, 1.5)) if rng.random() < 0.7 else 1.0
    half = min(side / scale / 2, min(template.shape[:2]) / 2)
    scale = side / half / 2
    height, width = template.shape[:2]
    centre = (float(rng.uniform(half, width - half)), float(rng.uniform(half, height - half)))
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, angle, scale), dtype=np.float64)
    matrix[:, 2] += side / 2 - np.array(centre)
    if rng.random() < 0.5:
        matrix[0] = [-matrix[0, 0], -matrix[0, 1], side - matrix[0, 2]]
    blur = cv2.GaussianBlur(template, (0, 0), 0.6) if scale < 1 else template
    warped = cv2.warpAffine(blur, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(warped, dtype=np.uint8)


def turned(crop: Crop, rng: Generator, inverted: float = 0.08) -> Crop:
    """Turned by quarters, mirrored, and now and then with copper and ground exchanged."""
    image, boxes, class_ids, side = crop.image, crop.boxes, crop.class_ids, crop.image.shape[0]
    for _ in range(int(rng.integers(4))):
        image = np.rot90(image)
        boxes = np.stack([boxes[:, 1], side - boxes[:, 2], boxes[:, 3], side - boxes[:, 0]], axis=1)
    if rng.random() < 0.5:
        image = image[:, ::-1]
        boxes = np.stack([side - boxes[:, 2], boxes[:, 1], side - boxes[:, 0], boxes[:, 3]], axis=1)
    if rng.random() < inverted:
        image = np.where(image == GREY, image, 255 - image).astype(np.uint8)
        class_ids = _INVERTED[class_ids]
    return Crop(np.ascontiguousarray(image), boxes, class_ids)


def spoiled(crop: Crop, rng: Generator) -> Crop:
    """The grey levels that JPEG leaves at the edges."""
    if rng.random() < 0.5:
        return crop
    image = crop.image
    if rng.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 0.6))), dtype=np.uint8)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(85, 99))])
    return Crop(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED), dtype=np.uint8), crop.boxes, crop.class_ids)
