"""Finding a way for a trace over a grid of cells, at 45 and 90 degrees, without crossing another net."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Cell = tuple[int, int]
"""(row, column)."""

FREE = 0
BLOCKED = -1

_STEPS: tuple[tuple[int, int, float], ...] = (
    (0, 1, 1.0),
    (1, 0, 1.0),
    (0, -1, 1.0),
    (-1, 0, 1.0),
    (1, 1, 1.42),
    (1, -1, 1.42),
    (-1, 1, 1.42),
    (-1, -1, 1.42),
)
_TURN = 0.6
"""Cost of a bend: traces run straight where they can."""


class Grid:
    """Which net owns which cell: FREE, BLOCKED, or a net's number (1 and up)."""

    def __init__(self, rows: int, columns: int) -> None:
        self.owner: NDArray[np.int32] = np.zeros((rows, columns), np.int32)

    def claim(self, row: int, column: int, net: int) -> None:
        """Give a cell to `net`; a cell that two nets claim is closed to both."""
        rows, columns = self.owner.shape
        if 0 <= row < rows and 0 <= column < columns:
            taken = self.owner[row, column] not in (FREE, net)
            self.owner[row, column] = BLOCKED if taken else net

    def claim_block(self, top: int, left: int, bottom: int, right: int, net: int) -> None:
        """Give the cells top..bottom, left..right (both inclusive) to `net`."""
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                self.claim(row, column, net)

    def is_free(self, top: int, left: int, bottom: int, right: int) -> bool:
        """Whether the block lies on the grid and nobody owns a cell of it."""
        rows, columns = self.owner.shape
        if top < 0 or left < 0 or bottom >= rows or right >= columns:
            return False
        return not self.owner[top : bottom + 1, left : right + 1].any()

    def route(self, start: Cell, goal: Cell, net: int, longest: float) -> list[Cell] | None:
        """The cheapest way from `start` to `goal` over free cells and `net`'s own; claimed at once.

        None where there is no way that costs less than `longest` cells.
        """
        came: dict[Cell, Cell | None] = {start: None}
        cost = {start: 0.0}
        heap: list[tuple[float, Cell]] = [(0.0, start)]
        while heap:
            _, cell = heapq.heappop(heap)
            if cell == goal:
                path = _walk_back(came, goal)
                self._claim_path(path, net)
                return path
            for step, price in self._steps(cell, came[cell], net):
                total = cost[cell] + price
                if total < cost.get(step, longest):
                    cost[step] = total
                    came[step] = cell
                    heapq.heappush(heap, (total + _distance(step, goal), step))
        return None

    def _steps(self, cell: Cell, before: Cell | None, net: int) -> Iterator[tuple[Cell, float]]:
        row, column = cell
        for down, right, price in _STEPS:
            step = (row + down, column + right)
            if not self._open(step, net):
                continue
            # A diagonal needs both corners beside it, or it would touch a trace that passes there.
            if (
                down
                and right
                and not (self._open((row + down, column), net) and self._open((row, column + right), net))
            ):
                continue
            straight = before is None or (row - before[0], column - before[1]) == (down, right)
            yield step, price if straight else price + _TURN

    def _open(self, cell: Cell, net: int) -> bool:
        rows, columns = self.owner.shape
        row, column = cell
        return 0 <= row < rows and 0 <= column < columns and self.owner[row, column] in (FREE, net)

    def _claim_path(self, path: list[Cell], net: int) -> None:
        for row, column in path:
            self.owner[row, column] = net
        for (row, column), (next_row, next_column) in itertools.pairwise(path):
            self.owner[next_row, column] = net
            self.owner[row, next_column] = net


def _distance(a: Cell, b: Cell) -> float:
    down, right = abs(a[0] - b[0]), abs(a[1] - b[1])
    return max(down, right) + 0.42 * min(down, right)


def _walk_back(came: dict[Cell, Cell | None], goal: Cell) -> list[Cell]:
    path: list[Cell] = []
    cell: Cell | None = goal
    while cell is not None:
        path.append(cell)
        cell = came[cell]
    return path[::-1]
