"""Geometry of regions: what lies under a finger, and polygons with a corner more or less. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from partsight.wire.screen.recipes import RegionSetting

Point = tuple[float, float]
MOST_CORNERS = 64
FEWEST_CORNERS = 3


def is_inside(point: Point, corners: Sequence[Point]) -> bool:
    """Even-odd rule, as for the polygons of the recipe."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def nearest_corner(point: Point, corners: Sequence[Point], reach: float) -> int | None:
    """The corner nearest to the point, within `reach`."""
    distances = [math.dist(point, corner) for corner in corners]
    place = min(range(len(distances)), key=distances.__getitem__, default=None)
    return place if place is not None and distances[place] <= reach else None


def nearest_edge(point: Point, corners: Sequence[Point], reach: float) -> int | None:
    """The edge nearest to the point, within `reach`; edge k goes from corner k to the next."""
    pairs = list(zip(corners, (*corners[1:], corners[0]), strict=True))
    distances = [_to_segment(point, a, b) for a, b in pairs]
    place = min(range(len(distances)), key=distances.__getitem__, default=None)
    return place if place is not None and distances[place] <= reach else None


def _to_segment(point: Point, a: Point, b: Point) -> float:
    length = math.dist(a, b) ** 2
    if length == 0:
        return math.dist(point, a)
    t = ((point[0] - a[0]) * (b[0] - a[0]) + (point[1] - a[1]) * (b[1] - a[1])) / length
    t = min(1.0, max(0.0, t))
    return math.dist(point, (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))


def with_corner(region: RegionSetting, place: int, point: Point) -> RegionSetting:
    """Corner `place` is somewhere else."""
    corners = [*region.corners]
    corners[place] = point
    return region.model_copy(update={"corners": tuple(corners)})


def with_corner_after(region: RegionSetting, place: int, point: Point) -> RegionSetting:
    """One corner more, behind corner `place`; unchanged where there are as many as there may be."""
    if len(region.corners) >= MOST_CORNERS:
        return region
    corners = [*region.corners[: place + 1], point, *region.corners[place + 1 :]]
    return region.model_copy(update={"corners": tuple(corners)})


def without_corner(region: RegionSetting, place: int) -> RegionSetting:
    """One corner less; unchanged where a polygon would be none any more."""
    if len(region.corners) <= FEWEST_CORNERS:
        return region
    return region.model_copy(update={"corners": region.corners[:place] + region.corners[place + 1 :]})


def moved(region: RegionSetting, by: Point, width: float, height: float) -> RegionSetting:
    """The whole region elsewhere, kept within the picture."""
    xs, ys = [x for x, _ in region.corners], [y for _, y in region.corners]
    dx = _kept(by[0], -min(xs), width - max(xs))
    dy = _kept(by[1], -min(ys), height - max(ys))
    corners = tuple((round(x + dx, 2), round(y + dy, 2)) for x, y in region.corners)
    return region.model_copy(update={"corners": corners})


def _kept(by: float, least: float, most: float) -> float:
    # What lies outside already may only be moved inwards.
    return min(max(by, min(least, 0.0)), max(most, 0.0))


def free_name(names: Sequence[str], kind: str) -> str:
    """inspect-1, ignore-2: the first that is not taken."""
    return next(name for n in range(1, len(names) + 2) if (name := f"{kind}-{n}") not in names)
