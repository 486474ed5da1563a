"""A copper mask with what is derived from it, to find places on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
"""A binary image (h, w): 1 is copper, 0 is none."""

WINDOW_PX = 44
"""Half side of the window in which a change is drawn and checked; larger than any defect."""

_BORDER = 6
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where to draw: a point (x, y) with the copper around it as a window with its own origin."""

    x: int
    y: int
    copper: Mask
    origin: tuple[int, int]

    @property
    def local(self) -> tuple[int, int]:
        return self.x - self.origin[0], self.y - self.origin[1]

    @property
    def span(self) -> tuple[slice, slice]:
        """The window's rows and columns in the whole mask."""
        left, top = self.origin
        rows, columns = self.copper.shape
        return slice(top, top + rows), slice(left, left + columns)


class Sheet:
    """A copper mask with what is derived from it, each thing computed once and only when asked for."""

    def __init__(self, mask: Mask) -> None:
        self.mask = mask

    def field(self, value: int) -> Mask:
        """1 where the mask has `value`."""
        return self.mask if value else self._ground

    @cached_property
    def _ground(self) -> Mask:
        return np.asarray(1 - self.mask, dtype=np.uint8)

    def depth(self, value: int) -> NDArray[np.float32]:
        """How far each pixel lies inside copper (1) or ground (0), pixels; the image's border counts as an edge."""
        return self._copper_depth if value else self._ground_depth

    @cached_property
    def _copper_depth(self) -> NDArray[np.float32]:
        return depth_of(self.field(1))

    @cached_property
    def _ground_depth(self) -> NDArray[np.float32]:
        return depth_of(self.field(0))

    @cached_property
    def nets(self) -> NDArray[np.int32]:
        """A label for each connected piece of copper, 0 on the ground."""
        return np.asarray(cv2.connectedComponents(self.mask, connectivity=8)[1], dtype=np.int32)

    def ridge(self, value: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Flat indices of the pixels in the middle of a track (1) or gap (0), and how deep each lies."""
        return self._copper_ridge if value else self._ground_ridge

    @cached_property
    def _copper_ridge(self) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        return _ridge(self.depth(1))

    @cached_property
    def _ground_ridge(self) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        return _ridge(self.depth(0))

    @cached_property
    def edge(self) -> NDArray[np.intp]:
        """Flat indices of the pixels on both sides of an edge."""
        return np.flatnonzero(_inner(cv2.morphologyEx(self.mask, cv2.MORPH_GRADIENT, _SQUARE) > 0))

    def point(self, places: NDArray[np.intp], rng: Generator) -> tuple[int, int] | None:
        """One of the flat indices as (x, y)."""
        if len(places) == 0:
            return None
        y, x = divmod(int(places[rng.integers(len(places))]), self.mask.shape[1])
        return x, y

    def window(self, x: int, y: int) -> Place:
        """What lies around (x, y)."""
        left, top = max(x - WINDOW_PX, 0), max(y - WINDOW_PX, 0)
        return Place(x, y, self.mask[top : y + WINDOW_PX + 1, left : x + WINDOW_PX + 1], (left, top))


def depth_of(field: Mask) -> NDArray[np.float32]:
    """Distance to the nearest zero, the image's border counting as zeros."""
    return np.asarray(cv2.distanceTransform(np.pad(field, 1), cv2.DIST_L2, 3)[1:-1, 1:-1], dtype=np.float32)


def _ridge(depth: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    places = np.flatnonzero(_inner((depth > 1) & (depth >= cv2.dilate(depth, _SQUARE) - 1e-3)))
    return places, depth.ravel()[places]


def _inner(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Nothing at the image's border."""
    where[:_BORDER], where[-_BORDER:], where[:, :_BORDER], where[:, -_BORDER:] = False, False, False, False
    return where
