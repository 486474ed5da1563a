"""The six defects of bare boards, drawn on a copper mask in the sizes and shapes of DeepPCB's.

Each is checked before it counts: an open parts a track, a short joins two nets, a mousebite and a spur
leave all nets as they are, spurious copper and a pin-hole touch no edge.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from partsight.cameras.simulated.sheet import WINDOW_PX, Mask, Place, Sheet, depth_of
from partsight.domain.frame import TruthBox

KINDS = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
"""DeepPCB's names, in the order of its class numbers (1 to 6)."""

BOX_MARGIN_PX = 10
"""DeepPCB's boxes stand this far off the defect on each side, whatever its size."""

_TRIES = 40
_APART = 2 * BOX_MARGIN_PX + 4
"""Room between defects on one board, so that their boxes stay apart."""
_LONGEST_BRIDGE = 40
"""Pixels; real opens and shorts are shorter."""
_ROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_SQUARE = np.ones((3, 3), np.uint8)


_Draw = Callable[[Sheet, Generator], "tuple[Mask, Place] | None"]


def draw_defect(
    mask: Mask,
    kind: str,
    rng: Generator,
    *,
    forbidden: Mask | None = None,
    margin_px: int = BOX_MARGIN_PX,
) -> tuple[Mask, TruthBox] | None:
    """Draw one defect at a random valid place; None where 40 tries found none.

    mask: uint8 (h, w), 0 or 1, 1 is copper; it is not changed.
    kind: one of `KINDS`.
    forbidden: uint8 (h, w), 1 where no part of the defect may be.
    margin_px: how far the truth box stands off the changed pixels; 0 is tight.
    Returns a new mask and the box (x1, y1, x2, y2), edges exclusive at the far side, clipped to the mask.
    """
    drawn = _find(Sheet(mask), kind, rng, forbidden)
    if drawn is None:
        return None
    change, place = drawn
    result = mask.copy()
    result[place.span] ^= change
    return result, TruthBox(kind, _box(change, place, mask.shape, margin_px))


def draw_defects(sheet: Sheet, kinds: Sequence[str], rng: Generator, forbidden: Mask) -> tuple[Mask, list[TruthBox]]:
    """Draw several defects, well apart from each other; the boxes are tight.

    What the sheet has derived from its mask stays valid, so that a board analysed once serves many parts.
    A kind that finds no place becomes spurious copper, which finds one everywhere.
    """
    result, taken = sheet.mask.copy(), forbidden.copy()
    boxes: list[TruthBox] = []
    for wanted in kinds:
        for kind in (wanted, "copper"):
            drawn = _find(sheet, kind, rng, taken)
            if drawn is None:
                continue
            change, place = drawn
            result[place.span] ^= change
            box = _box(change, place, result.shape, 0)
            boxes.append(TruthBox(kind, box))
            x1, y1, x2, y2 = (int(value) for value in box)
            taken[max(y1 - _APART, 0) : y2 + _APART, max(x1 - _APART, 0) : x2 + _APART] = 1
            break
    return result, boxes


def _find(sheet: Sheet, kind: str, rng: Generator, forbidden: Mask | None) -> tuple[Mask, Place] | None:
    """A valid change of this kind, None where 40 tries found none."""
    for _ in range(_TRIES):
        drawn = _DRAW[kind](sheet, rng)
        if drawn is None:
            continue
        change, place = drawn
        if forbidden is None or not (forbidden[place.span] & _grown(change)).any():
            return drawn
    return None


def _box(change: Mask, place: Place, shape: tuple[int, ...], margin: int) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(change.any(axis=1)), np.flatnonzero(change.any(axis=0))
    left, top = place.origin
    return (
        float(max(left + int(columns[0]) - margin, 0)),
        float(max(top + int(rows[0]) - margin, 0)),
        float(min(left + int(columns[-1]) + 1 + margin, shape[1])),
        float(min(top + int(rows[-1]) + 1 + margin, shape[0])),
    )


def _open(sheet: Sheet, rng: Generator) -> tuple[Mask, Place] | None:
    """A ragged cut across the narrow of a track."""
    place = _pick_ridge(sheet, 1, (1.9, float(rng.choice([6.0, 10.0, 16.0]))), rng)
    return None if place is None else _bridge(place, place.copper, rng, int(rng.integers(4, 13)))


def _short(sheet: Sheet, rng: Generator) -> tuple[Mask, Place] | None:
    """A ragged bridge over the gap between two nets."""
    place = _pick_ridge(sheet, 0, (2.4, 15.0), rng)
    if place is None:
        return None
    drawn = _bridge(place, (1 - place.copper).astype(np.uint8), rng, int(rng.integers(3, 10)))
    if drawn is None or len(_touched_nets(sheet, drawn[0], place)) != 2:
        return None
    return drawn


def _bridge(place: Place, field: Mask, rng: Generator, width: int) -> tuple[Mask, Place] | None:
    """A stroke across `field` (a track, or a gap), along its shortest chord; it must part the field."""
    x, y = place.local
    angle, length = _shortest_chord(field, x, y)
    if length > _LONGEST_BRIDGE:
        return None
    angle += float(rng.normal(0, 0.2))
    tool = np.zeros_like(field)
    reach = WINDOW_PX - 8
    points = []
    aside = 0.0
    for along in range(-reach, reach + 1, 3):
        aside += float(rng.normal(0, 0.5))
        points.append(
            (x + along * np.cos(angle) - aside * np.sin(angle), y + along * np.sin(angle) + aside * np.cos(angle))
        )
    for first, second in itertools.pairwise(points):
        thick = max(2, width + int(rng.integers(-1, 2)))
        cv2.line(tool, _whole(first), _whole(second), (1,), thick)
    # Only the piece of the field that the stroke crosses at the place itself.
    crossed = _piece_at(tool & field, x, y)
    if crossed is None or not 12 <= int(crossed.sum()) <= 900 or _leaves_window(crossed):
        return None
    parted = _parts(field ^ crossed) > _parts(field)
    return (crossed, place) if parted else None


def _mousebite(sheet: Sheet, rng: Generator) -> tuple[Mask, Place] | None:
    """A bite out of an edge, which leaves the track whole."""
    return _bite(sheet, 1, rng)


def _spur(sheet: Sheet, rng: Generator) -> tuple[Mask, Place] | None:
    """A bite out of the empty ground: copper that sticks out of an edge and reaches nothing else."""
    drawn = _bite(sheet, 0, rng)
    if drawn is None or len(_touched_nets(sheet, _grown(drawn[0]), drawn[1])) != 1:
        return None
    return drawn


def _bite(sheet: Sheet, value: int, rng: Generator) -> tuple[Mask, Place] | None:
    point = sheet.point(sheet.edge, rng)
    if point is None:
        return None
    place = sheet.window(*point)
    field = place.copper if value else (1 - place.copper).astype(np.uint8)
    blob = _blob(rng, (9, 36))
    tool = _stamp(field, blob, place.local, rng, jitter=max(blob.shape) * 0.3)
    change = _piece_at(tool & field, *place.local)
    if change is None or int(change.sum()) < 18 or _leaves_window(change):
        return None
    depth = float((depth_of(field) * change).max())
    rest = field ^ change
    other = (1 - field).astype(np.uint8)
    # Deep enough to see; what remains keeps its parts, and a core around the bite; and no ring is opened.
    if (
        depth < 3.0
        or _parts(rest) != _parts(field)
        or _cuts_nearly(field, rest)
        or _parts(other | change) != _parts(other)
    ):
        return None
    return change, place


def _cuts_nearly(field: Mask, rest: Mask) -> bool:
    """Whether less than two pixels hold the rest together."""
    return _parts(_thinned(rest)) > _parts(_thinned(field))


def _copper(sheet: Sheet, rng: Generator) -> tuple[Mask, Place] | None:
    """An island on empty ground."""
    return _island(sheet, 0, (8, 42), rng)


def _pin_hole(sheet: Sheet, rng: Generator) -> tuple[Mask, Place] | None:
    """A hole in copper."""
    return _island(sheet, 1, (7, 36), rng)


def _island(sheet: Sheet, value: int, length: tuple[int, int], rng: Generator) -> tuple[Mask, Place] | None:
    blob = _blob(rng, length)
    point = sheet.point(np.flatnonzero(sheet.depth(value) > min(blob.shape) / 2 + 3), rng)
    if point is None:
        return None
    place = sheet.window(*point)
    change = _stamp(place.copper, blob, place.local, rng, jitter=0.0)
    around = _grown(change) & (place.copper != value)
    if int(change.sum()) < 16 or _leaves_window(change) or around.any():
        return None
    return change, place


_DRAW: dict[str, _Draw] = {
    "open": _open,
    "short": _short,
    "mousebite": _mousebite,
    "spur": _spur,
    "copper": _copper,
    "pin-hole": _pin_hole,
}


def _pick_ridge(sheet: Sheet, value: int, width: tuple[float, float], rng: Generator) -> Place | None:
    """A random point in the middle of a track (1) or gap (0) whose half width lies between two limits."""
    places, depths = sheet.ridge(value)
    point = sheet.point(places[(depths >= width[0]) & (depths <= width[1])], rng)
    return None if point is None else sheet.window(*point)


_ANGLES = np.arange(0, 2 * np.pi, np.pi / 12)
_STEPS = np.arange(1, WINDOW_PX)
_RIGHT, _DOWN = np.outer(np.cos(_ANGLES), _STEPS), np.outer(np.sin(_ANGLES), _STEPS)


def _shortest_chord(field: Mask, x: int, y: int) -> tuple[float, float]:
    """The direction, radians, in which the field ends soonest on both sides, and the length of that way."""
    columns = np.clip(np.rint(x + _RIGHT).astype(int), 0, field.shape[1] - 1)
    rows = np.clip(np.rint(y + _DOWN).astype(int), 0, field.shape[0] - 1)
    ended = field[rows, columns] == 0
    way = np.where(ended.any(axis=1), ended.argmax(axis=1) + 1, 2 * WINDOW_PX)
    half = len(_ANGLES) // 2
    chord = way[:half] + way[half:]
    best = int(chord.argmin())
    return float(_ANGLES[best]), float(chord[best])


def _parts(field: Mask) -> int:
    """How many pieces of more than a few pixels a window holds."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(field), connectivity=4)
    return int((stats[1:, cv2.CC_STAT_AREA] >= 15).sum())


def _touched_nets(sheet: Sheet, change: Mask, place: Place) -> set[int]:
    """Labels, on the whole mask, of the nets that a change touches."""
    return set(np.unique(sheet.nets[place.span][cv2.dilate(change, _SQUARE) > 0]).tolist()) - {0}


def _piece_at(tool: Mask, x: int, y: int) -> Mask | None:
    """The connected piece of `tool` nearest to (x, y), None where there is none."""
    count, labels, _, centroids = cv2.connectedComponentsWithStats(np.ascontiguousarray(tool), connectivity=8)
    if count < 2:
        return None
    here = int(labels[y, x])
    if here == 0:
        here = 1 + int(np.argmin(np.hypot(centroids[1:, 0] - x, centroids[1:, 1] - y)))
    return np.asarray(labels == here, dtype=np.uint8)


def _leaves_window(change: Mask) -> bool:
    return bool(change[0].any() or change[-1].any() or change[:, 0].any() or change[:, -1].any())


def _blob(rng: Generator, length: tuple[int, int]) -> Mask:
    """A ragged outline along a bent walk; its longer side lies between the two lengths, short ones often."""
    low, high = length
    long = int(low + (high - low) * rng.beta(1.6, 3.2))
    thick = float(rng.uniform(3.0, max(4.0, long * 0.7)))
    canvas = np.zeros((96, 96), np.uint8)
    point, angle = np.array([48.0, 48.0]), float(rng.uniform(0, 2 * np.pi))
    for _ in range(max(1, int((long - thick) / 1.5) + 1)):
        cv2.circle(canvas, _whole(point), max(1, round(thick / 2 + float(rng.normal(0, 0.5)))), (1,), -1)
        angle += float(rng.normal(0, 0.3))
        point = np.clip(point + 1.5 * np.array([np.cos(angle), np.sin(angle)]), 12, 84)
    grain = cv2.GaussianBlur(rng.standard_normal(canvas.shape, dtype=np.float32), (0, 0), 0.9)
    ragged = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), 0.8) + float(rng.uniform(0, 0.6)) * grain > 0.5
    piece = _piece_at(np.asarray(ragged & (cv2.dilate(canvas, _SQUARE) > 0), dtype=np.uint8), 48, 48)
    if piece is None:
        return np.ones((4, 4), np.uint8)
    rows, columns = np.flatnonzero(piece.any(axis=1)), np.flatnonzero(piece.any(axis=0))
    return piece[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _stamp(field: Mask, blob: Mask, at: tuple[int, int], rng: Generator, jitter: float) -> Mask:
    """The blob on an empty window, centred at `at`, moved by up to `jitter` pixels."""
    tool = np.zeros(field.shape, np.uint8)
    left = round(at[0] - blob.shape[1] / 2 + float(rng.uniform(-1, 1)) * jitter)
    top = round(at[1] - blob.shape[0] / 2 + float(rng.uniform(-1, 1)) * jitter)
    y1, x1 = max(top, 0), max(left, 0)
    y2, x2 = min(top + blob.shape[0], field.shape[0]), min(left + blob.shape[1], field.shape[1])
    if y2 > y1 and x2 > x1:
        tool[y1:y2, x1:x2] = blob[y1 - top : y2 - top, x1 - left : x2 - left]
    return tool


def _grown(mask: Mask) -> Mask:
    """Two pixels wider on each side."""
    return np.asarray(cv2.dilate(mask, _ROUND), dtype=np.uint8)


def _thinned(mask: Mask) -> Mask:
    """One pixel thinner on each side, the window's border aside."""
    return np.asarray(cv2.erode(mask, _SQUARE, borderValue=1), dtype=np.uint8)


def _whole(point: tuple[float, float] | NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
