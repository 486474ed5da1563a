"""The picture of a bare board: dark copper on a bright ground, as DeepPCB's images show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from partsight.cameras.simulated.layout import (
    BOARD_PX,
    CELL_PX,
    FIDUCIAL_RADIUS_PX,
    FIDUCIALS,
    HOLE_RADIUS_PX,
    KEEP_OUT_PX,
    Area,
    Layout,
    Pad,
    make_layout,
)
from partsight.cameras.simulated.routing import Cell
from partsight.cameras.simulated.sheet import Mask

GROUND_LEVEL = 226
COPPER_LEVEL = 26
BELT_LEVEL = 72
VARIANTS = 3
"""Etched edges differ from board to board; so many differently ragged ones are made of each part type."""

_SHIFT = 3
"""cv2 draws with this many fractional bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """All boards of one part type, before defects.

    masks: `VARIANTS` copper masks (576, 576), 0 or 1, each with edges of its own.
    keep_out: 1 where no defect may be: around fiducials and holes, and at the board's edge.
    holes: 1 where the board is drilled through and the belt shows.
    """

    layout: Layout
    masks: tuple[Mask, ...]
    keep_out: Mask
    holes: Mask

    def grey(self, copper: Mask) -> NDArray[np.uint8]:
        """Paint a copper mask of this board: uint8 (576, 576)."""
        levels = np.array([GROUND_LEVEL, COPPER_LEVEL], np.uint8)
        picture = np.asarray(cv2.LUT(copper, np.resize(levels, 256)), dtype=np.uint8)
        picture[self.holes > 0] = BELT_LEVEL - 8
        return picture


@lru_cache(maxsize=16)
def board(part: str) -> Board:
    """The board of the part type of this name. The first call takes about 0.3 s, the next none."""
    layout = make_layout(part)
    copper = _draw_copper(layout)
    rng = np.random.default_rng([*part.encode(), 21])
    return Board(
        layout=layout,
        masks=tuple(_frozen(_roughen(copper, rng)) for _ in range(VARIANTS)),
        keep_out=_frozen(_draw_keep_out(layout)),
        holes=_frozen(_draw_holes(layout)),
    )


def _frozen(mask: Mask) -> Mask:
    mask.flags.writeable = False
    return mask


def _draw_copper(layout: Layout) -> Mask:
    copper = np.zeros((BOARD_PX, BOARD_PX), np.uint8)
    for area in layout.areas:
        cv2.fillPoly(copper, [_outline(area)], (1,))
    for pad in layout.pads:
        _draw_pad(copper, pad)
    for trace in layout.traces:
        for start, end in _legs(trace):
            cv2.line(copper, _centre(start), _centre(end), (1,), layout.trace_px, cv2.LINE_8)
        for cell in trace[1:-1]:
            # Round corners: without them the legs of a wide trace leave a notch at each bend.
            cv2.circle(copper, _centre(cell), layout.trace_px // 2, (1,), -1)
    for pad in layout.pads:
        if pad.drill:
            cv2.circle(copper, _centre(pad.cell), pad.drill, (0,), -1)
    for centre in FIDUCIALS:
        cv2.circle(copper, centre, FIDUCIAL_RADIUS_PX, (1,), -1)
        cv2.circle(copper, centre, FIDUCIAL_RADIUS_PX - 5, (0,), -1)
        cv2.circle(copper, centre, 5, (1,), -1)
    return copper


def _centre(cell: Cell) -> tuple[int, int]:
    return cell[1] * CELL_PX + CELL_PX // 2, cell[0] * CELL_PX + CELL_PX // 2


def _legs(trace: tuple[Cell, ...]) -> Iterator[tuple[Cell, Cell]]:
    """The straight runs of a chain of cells."""
    start = trace[0]
    for before, here, after in zip(trace, trace[1:], trace[2:], strict=False):
        if (here[0] - before[0], here[1] - before[1]) != (after[0] - here[0], after[1] - here[1]):
            yield start, here
            start = here
    yield start, trace[-1]


def _outline(area: Area) -> NDArray[np.int32]:
    """A rectangle with its corners cut off, 4 pixels inside the area's cells."""
    left, top = area.left * CELL_PX + 4, area.top * CELL_PX + 4
    right, bottom, cut = (area.right + 1) * CELL_PX - 4, (area.bottom + 1) * CELL_PX - 4, area.chamfer
    corners = [
        (left + cut, top),
        (right - cut, top),
        (right, top + cut),
        (right, bottom - cut),
        (right - cut, bottom),
        (left + cut, bottom),
        (left, bottom - cut),
        (left, top + cut),
    ]
    return np.array(corners, np.int32)


def _draw_pad(copper: Mask, pad: Pad) -> None:
    x, y = _centre(pad.cell)
    if pad.round:
        cv2.circle(copper, (x, y), pad.half_width, (1,), -1)
    else:
        near, far = (x - pad.half_width, y - pad.half_height), (x + pad.half_width, y + pad.half_height)
        cv2.rectangle(copper, near, far, (1,), -1)


def _draw_keep_out(layout: Layout) -> Mask:
    keep_out = np.zeros((BOARD_PX, BOARD_PX), np.uint8)
    cv2.rectangle(keep_out, (0, 0), (BOARD_PX - 1, BOARD_PX - 1), (1,), 12)
    for centre in (*FIDUCIALS, *layout.holes):
        cv2.circle(keep_out, centre, KEEP_OUT_PX, (1,), -1)
    return keep_out


def _draw_holes(layout: Layout) -> Mask:
    holes = np.zeros((BOARD_PX, BOARD_PX), np.uint8)
    for centre in layout.holes:
        cv2.circle(holes, centre, HOLE_RADIUS_PX, (1,), -1)
    return holes


def _roughen(copper: Mask, rng: Generator) -> Mask:
    """The ragged edge that etching and thresholding leave: about one pixel, here and there."""
    soft = cv2.GaussianBlur(copper.astype(np.float32), (0, 0), 0.9)
    grain = cv2.GaussianBlur(rng.standard_normal(copper.shape, dtype=np.float32), (0, 0), 1.3)
    rough = np.asarray(soft + 0.45 * grain > 0.5, dtype=np.uint8)
    # No more than a pixel from the drawn edge: no specks, and no pinholes of its own.
    square = np.ones((3, 3), np.uint8)
    inner = np.asarray(cv2.erode(copper, square, borderValue=1), dtype=np.uint8)
    outer = np.asarray(cv2.dilate(copper, square), dtype=np.uint8)
    return np.asarray((rough & outer) | inner, dtype=np.uint8)
