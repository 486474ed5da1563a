"""The layout of a part type: where its pads, traces, copper areas, holes and fiducials are.

A layout follows from the part's name alone: "A" is always the same board, another name is another one.
Lengths are in board pixels, which have the scale of the DeepPCB images: traces of 6 to 10 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from partsight.cameras.simulated.routing import BLOCKED, Cell, Grid

BOARD_PX = 576
CELL_PX = 16
FIDUCIALS: tuple[tuple[int, int], ...] = ((40, 40), (536, 40), (40, 536))
"""Centres (x, y). The same on every part, as panels of one line have them: a wrong part shows by its copper."""
FIDUCIAL_RADIUS_PX = 17
HOLE_RADIUS_PX = 13
KEEP_OUT_PX = 28
"""No copper nearer to the centre of a fiducial or a mounting hole."""

_HOLE_PLACES = ((536, 536), (40, 288), (536, 288), (288, 40), (288, 536), (168, 288), (408, 296), (288, 200))
_CELLS = BOARD_PX // CELL_PX


@dataclass(frozen=True, slots=True)
class Pad:
    """One pad, a circle or a rectangle: centre cell, half sizes in pixels, drill radius (0 for none)."""

    cell: Cell
    half_width: int
    half_height: int
    drill: int
    net: int

    @property
    def round(self) -> bool:
        """Drilled pads are round."""
        return self.drill > 0 or self.half_width == self.half_height


@dataclass(frozen=True, slots=True)
class Area:
    """A copper area: its corner cells (inclusive) and how far its corners are cut off, pixels."""

    top: int
    left: int
    bottom: int
    right: int
    chamfer: int
    net: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything on a board of one part type. Traces are chains of cells."""

    part: str
    trace_px: int
    pads: tuple[Pad, ...]
    areas: tuple[Area, ...]
    traces: tuple[tuple[Cell, ...], ...]
    holes: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Draft:
    """A layout while it is being made."""

    rng: Generator
    grid: Grid = field(default_factory=lambda: Grid(_CELLS, _CELLS))
    pads: list[Pad] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    traces: list[tuple[Cell, ...]] = field(default_factory=list)
    nets: int = 0

    def new_net(self) -> int:
        self.nets += 1
        return self.nets

    def cells(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))


def make_layout(part: str) -> Layout:
    """The layout of the part type of this name; takes about 0.2 s."""
    draft = _Draft(np.random.default_rng([*part.encode(), 20]))
    _close_border(draft.grid)
    hole_count = draft.cells(3, 5)
    holes = tuple(_HOLE_PLACES[i] for i in sorted(draft.rng.permutation(len(_HOLE_PLACES))[:hole_count].tolist()))
    for x, y in (*FIDUCIALS, *holes):
        _close_circle(draft.grid, x, y)
    trace_px = int(draft.rng.choice([6, 7, 8, 9]))
    for _ in range(draft.cells(2, 4)):
        _place_area(draft)
    for _ in range(draft.cells(10, 14)):
        _place_row(draft)
    for _ in range(draft.cells(8, 14)):
        _place_single(draft)
    _connect(draft)
    return Layout(part, trace_px, tuple(draft.pads), tuple(draft.areas), tuple(draft.traces), holes)


def _close_border(grid: Grid) -> None:
    grid.owner[:1], grid.owner[-1:], grid.owner[:, :1], grid.owner[:, -1:] = BLOCKED, BLOCKED, BLOCKED, BLOCKED


def _close_circle(grid: Grid, x: int, y: int) -> None:
    reach = KEEP_OUT_PX + CELL_PX // 2
    top, bottom = (y - reach) // CELL_PX, (y + reach) // CELL_PX
    left, right = (x - reach) // CELL_PX, (x + reach) // CELL_PX
    grid.owner[max(top, 0) : bottom + 1, max(left, 0) : right + 1] = BLOCKED


def _place_area(draft: _Draft) -> None:
    """A copper area with a terminal at one of its sides."""
    for _ in range(20):
        height, width = draft.cells(2, 6), draft.cells(3, 8)
        top, left = draft.cells(1, _CELLS - height - 2), draft.cells(1, _CELLS - width - 2)
        bottom, right = top + height, left + width
        if not draft.grid.is_free(top - 1, left - 1, bottom + 1, right + 1):
            continue
        net = draft.new_net()
        draft.grid.claim_block(top, left, bottom, right, net)
        chamfer = min(int(draft.rng.choice([0, 8, 16, 24])), 6 * height)
        draft.areas.append(Area(top, left, bottom, right, chamfer, net))
        # The terminal is a pad inside the area, so that a trace can reach it.
        cell = ((top + bottom) // 2, (left + right) // 2)
        # Its drill hole is larger than a pin-hole, or there is none.
        draft.pads.append(Pad(cell, 5, 5, int(draft.rng.choice([0, 9])), net))
        return


def _place_row(draft: _Draft) -> None:
    """A row of pads: one side of a package, or a connector."""
    drilled = bool(draft.rng.random() < 0.5)
    pitch = 3 if drilled and draft.rng.random() < 0.4 else 2
    large = pitch == 3
    count = draft.cells(3, 5) if large else draft.cells(4, 7)
    upright = bool(draft.rng.random() < 0.5)
    long = (count - 1) * pitch
    for _ in range(20):
        height, width = (long, 0) if upright else (0, long)
        top, left = draft.cells(2, _CELLS - 3 - height), draft.cells(2, _CELLS - 3 - width)
        if not draft.grid.is_free(top - 2, left - 2, top + height + 2, left + width + 2):
            continue
        half = (16, 16) if large else (11, 11) if drilled else (13, 7) if upright else (7, 13)
        drill = (8 if large else 5) if drilled else 0
        for i in range(count):
            cell = (top + i * pitch, left) if upright else (top, left + i * pitch)
            _add_pad(draft, Pad(cell, half[0], half[1], drill, draft.new_net()))
        return


def _place_single(draft: _Draft) -> None:
    """A lone pad, round, large and full or with a drill hole."""
    for _ in range(20):
        row, column = draft.cells(2, _CELLS - 3), draft.cells(2, _CELLS - 3)
        if draft.grid.is_free(row - 2, column - 2, row + 2, column + 2):
            half = int(draft.rng.choice([9, 12, 17]))
            drill = int(draft.rng.choice([0, half // 2]))
            _add_pad(draft, Pad((row, column), half, half, drill, draft.new_net()))
            return


def _add_pad(draft: _Draft, pad: Pad) -> None:
    row, column = pad.cell
    draft.grid.claim_block(row - 1, column - 1, row + 1, column + 1, pad.net)
    draft.grid.owner[row, column] = pad.net
    draft.pads.append(pad)


def _connect(draft: _Draft) -> None:
    """Run traces from pad to pad, each pad used once; a pad that finds no partner gets a via."""
    order: list[int] = draft.rng.permutation(len(draft.pads)).tolist()
    used: set[int] = set()
    for index in order:
        if index in used:
            continue
        pad = draft.pads[index]
        others = [i for i in order if i not in used and draft.pads[i].net != pad.net]
        others.sort(key=lambda i, here=pad: _far(here, draft.pads[i]))  # type: ignore[misc]  # default binds the loop's pad
        for other in others[2:10:2]:
            if _join(draft, pad, draft.pads[other]):
                used |= {index, other}
                break
        else:
            if draft.rng.random() < 0.7 and _run_to_via(draft, pad):
                used.add(index)


def _far(a: Pad, b: Pad) -> int:
    return max(abs(a.cell[0] - b.cell[0]), abs(a.cell[1] - b.cell[1]))


def _join(draft: _Draft, a: Pad, b: Pad) -> bool:
    """One trace from a to b; both become one net."""
    owner = draft.grid.owner
    mine = owner == b.net
    owner[mine] = a.net
    path = draft.grid.route(a.cell, b.cell, a.net, longest=1.5 * _CELLS)
    if path is None:
        owner[mine] = b.net
        return False
    draft.traces.append(tuple(path))
    return True


def _run_to_via(draft: _Draft, pad: Pad) -> bool:
    """A trace to a free place not far away, that ends in a via."""
    for _ in range(6):
        row = int(np.clip(pad.cell[0] + draft.cells(-9, 9), 2, _CELLS - 3))
        column = int(np.clip(pad.cell[1] + draft.cells(-9, 9), 2, _CELLS - 3))
        if not draft.grid.is_free(row - 1, column - 1, row + 1, column + 1):
            continue
        path = draft.grid.route(pad.cell, (row, column), pad.net, longest=_CELLS)
        if path is None:
            continue
        draft.traces.append(tuple(path))
        _add_pad(draft, Pad((row, column), 9, 9, 4, pad.net))
        return True
    return False
