"""What comes down the belt: part after part, each decided by the seed and its number alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from partsight.cameras.simulated.board import BELT_LEVEL, VARIANTS, Board, board
from partsight.cameras.simulated.defects import BOX_MARGIN_PX, KINDS, draw_defects
from partsight.cameras.simulated.layout import BOARD_PX, FIDUCIALS, HOLE_RADIUS_PX
from partsight.cameras.simulated.sheet import Mask, Sheet
from partsight.domain.frame import Truth, TruthBox

VIEW_PX = 640
"""Side of the view at which a board has the scale of DeepPCB's images."""
JITTER_PX = 3.0
JITTER_DEG = 1.0
_NOISE = 9
"""The noise field is added, so everything is painted darker by its mean."""
_ROOM = 192
_WRONG_PARTS = 2

Point = tuple[float, float]
Matrix = NDArray[np.float64]


class Rates(Protocol):
    """What the world must know: how many of which parts, and how large the picture is."""

    @property
    def part(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def defect_rate(self) -> float: ...
    @property
    def defects_per_bad_part(self) -> tuple[int, int]: ...
    @property
    def empty_rate(self) -> float: ...
    @property
    def shifted_rate(self) -> float: ...
    @property
    def rotated_rate(self) -> float: ...
    @property
    def wrong_rate(self) -> float: ...


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A part type as the camera sees it in its nominal place, without noise or defects: recipes start here.

    picture: uint8 (h, w), grey. All places are (x, y) in pixels of this picture.
    outline: the board's corners (x1, y1, x2, y2).
    """

    picture: NDArray[np.uint8]
    fiducials: tuple[Point, ...]
    holes: tuple[Point, ...]
    hole_radius_px: float
    outline: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """What part `number` will be, before anything is drawn. `angle_deg` counts counter-clockwise."""

    number: int
    place: str
    part: str
    variant: int
    shift_px: Point
    angle_deg: float
    gain: float
    kinds: tuple[str, ...]


def reference(part: str, width: int = VIEW_PX, height: int = VIEW_PX) -> Reference:
    """The clean picture of a part type and the places of what can be found on it."""
    matrix = _placement(width, height, (0.0, 0.0), 0.0)
    the_board = board(part)
    picture = np.full((height, width), BELT_LEVEL, np.uint8)
    _lay(_softened(the_board.grey(the_board.masks[0]), _scale(width, height)), matrix, picture)
    corners = _moved(((0, 0), (BOARD_PX, BOARD_PX)), matrix)
    return Reference(
        picture=picture,
        fiducials=_moved(FIDUCIALS, matrix),
        holes=_moved(the_board.layout.holes, matrix),
        hole_radius_px=HOLE_RADIUS_PX * _scale(width, height),
        outline=(*corners[0], *corners[1]),
    )


class World:
    """The belt. Parts are numbered from 0; any of them can be rendered at any time, always the same."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        scale = _scale(rates.width, rates.height)
        self._own = _Painted(board(rates.part), scale)
        names = [name for name in ("B", "C", "D") if name != rates.part][:_WRONG_PARTS]
        self._wrong = {name: _Painted(board(name), scale) for name in names} if rates.wrong_rate > 0 else {}
        rng = np.random.default_rng([rates.seed, 1])
        self._belt = _belt(rng, rates.height + _ROOM, rates.width + _ROOM)
        self._noise = np.clip(
            rng.normal(_NOISE, 3.0, (rates.height + _ROOM, rates.width + _ROOM)).round(), 0, 2 * _NOISE
        ).astype(np.uint8)

    def plan(self, number: int) -> PlannedPart:
        """What part `number` is. Microseconds, so parts that pass unseen cost nothing."""
        return self._plan(number, self._rng(number))

    def render(self, number: int, *, colour: bool) -> tuple[NDArray[np.uint8], Truth]:
        """The picture of part `number`, BGR (h, w, 3) or grey (h, w), and what is really there."""
        rng = self._rng(number)
        plan = self._plan(number, rng)
        rates = self._rates
        frame = _crop(self._belt, rng, rates.height, rates.width).copy()
        defects: tuple[TruthBox, ...] = ()
        if plan.place != "absent":
            matrix = _placement(rates.width, rates.height, plan.shift_px, plan.angle_deg)
            painted = self._wrong[plan.part] if plan.place == "wrong" else self._own
            picture, boxes = painted.with_defects(plan, rng)
            defects = tuple(_box_in_view(box, matrix, rates.width, rates.height) for box in boxes)
            _lay(picture, matrix, frame)
        cv2.add(frame, _crop(self._noise, rng, rates.height, rates.width), dst=frame)
        return _lit(frame, plan.gain, colour), Truth(plan.place, defects)

    def _rng(self, number: int) -> Generator:
        return np.random.default_rng([self._rates.seed, 2, number])

    def _plan(self, number: int, rng: Generator) -> PlannedPart:
        rates = self._rates
        place = _draw_place(rates, float(rng.random()))
        shift = (float(rng.uniform(-JITTER_PX, JITTER_PX)), float(rng.uniform(-JITTER_PX, JITTER_PX)))
        angle = float(rng.uniform(-JITTER_DEG, JITTER_DEG))
        part, kinds = rates.part, tuple[str, ...]()
        if place == "shifted":
            far, way = float(rng.uniform(20, 90)), float(rng.uniform(0, 2 * np.pi))
            shift = (far * float(np.cos(way)), far * float(np.sin(way)))
        elif place == "rotated":
            turn = float(rng.choice([90.0, 180.0])) if rng.random() < 0.4 else float(rng.uniform(5, 180))
            angle += turn if rng.random() < 0.5 else -turn
        elif place == "wrong":
            part = str(rng.choice(sorted(self._wrong)))
        elif place == "present" and rng.random() < rates.defect_rate:
            low, high = rates.defects_per_bad_part
            kinds = tuple(KINDS[i] for i in rng.integers(0, len(KINDS), int(rng.integers(low, high + 1))).tolist())
        gain = float(rng.uniform(0.96, 1.04))
        return PlannedPart(number, place, part, int(rng.integers(VARIANTS)), shift, angle, gain, kinds)


class _Painted:
    """The pictures of one part type, painted once."""

    def __init__(self, the_board: Board, scale: float) -> None:
        self._board = the_board
        self._scale = scale
        self._sheets = tuple(Sheet(mask) for mask in the_board.masks)
        self._good = tuple(self._paint(mask) for mask in the_board.masks)

    def _paint(self, copper: Mask) -> NDArray[np.uint8]:
        return np.asarray(_softened(self._board.grey(copper), self._scale) - _NOISE, dtype=np.uint8)

    def with_defects(self, plan: PlannedPart, rng: Generator) -> tuple[NDArray[np.uint8], list[TruthBox]]:
        """The board's picture with the planned defects, and their tight boxes in board pixels."""
        if not plan.kinds:
            return self._good[plan.variant], []
        copper, boxes = draw_defects(self._sheets[plan.variant], plan.kinds, rng, self._board.keep_out)
        return self._paint(copper), boxes


def _draw_place(rates: Rates, chance: float) -> str:
    for place, rate in (
        ("absent", rates.empty_rate),
        ("shifted", rates.shifted_rate),
        ("rotated", rates.rotated_rate),
        ("wrong", rates.wrong_rate),
    ):
        chance -= rate
        if chance < 0:
            return place
    return "present"


def _scale(width: int, height: int) -> float:
    return min(width, height) / VIEW_PX


def _softened(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """What a lens does to detail finer than a pixel; without it a small view would be full of steps."""
    if scale >= 0.9:
        return picture
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 / scale), dtype=np.uint8)


def _placement(width: int, height: int, shift: Point, angle: float) -> Matrix:
    """Board pixels to frame pixels, (2, 3)."""
    scale = _scale(width, height)
    centre = BOARD_PX / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((centre, centre), angle, scale), dtype=np.float64)
    matrix[:, 2] += (width / 2 - centre + shift[0] * scale, height / 2 - centre + shift[1] * scale)
    return matrix


def _lay(picture: NDArray[np.uint8], matrix: Matrix, frame: NDArray[np.uint8]) -> None:
    """Draw the board over the belt."""
    size = (frame.shape[1], frame.shape[0])
    cv2.warpAffine(picture, matrix, size, dst=frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)


def _moved(points: tuple[tuple[float, float], ...], matrix: Matrix) -> tuple[Point, ...]:
    moved = np.array(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return tuple((float(x), float(y)) for x, y in moved)


def _box_in_view(truth: TruthBox, matrix: Matrix, width: int, height: int) -> TruthBox:
    """The box around the turned box, with the margin that DeepPCB's boxes have, inside the frame."""
    x1, y1, x2, y2 = truth.box
    corners = np.array(_moved(((x1, y1), (x2, y1), (x2, y2), (x1, y2)), matrix))
    margin = BOX_MARGIN_PX * _scale(width, height)
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    box = np.clip([*low, *high], 0, [width, height, width, height])
    return TruthBox(truth.name, (float(box[0]), float(box[1]), float(box[2]), float(box[3])))


def _crop(field: NDArray[np.uint8], rng: Generator, height: int, width: int) -> NDArray[np.uint8]:
    top, left = (int(value) for value in rng.integers(0, _ROOM, 2))
    return field[top : top + height, left : left + width]


def _belt(rng: Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Dark grey rubber: streaks along the way of the belt, and a coarse grain."""
    streaks = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), 24, sigmaY=1.2)
    grain = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), 1.5)
    level = BELT_LEVEL - _NOISE + 4.0 * streaks / float(streaks.std()) + 4.0 * grain / float(grain.std())
    return np.asarray(np.clip(level, 0, 255), dtype=np.uint8)


_TINT = (0.95, 1.0, 0.97)
"""Blue, green, red: the slightly green cast of bare boards under white light."""


def _lit(frame: NDArray[np.uint8], gain: float, colour: bool) -> NDArray[np.uint8]:
    """The light of this moment; a colour camera's tint on top."""
    levels = np.arange(256, dtype=np.float32) * gain
    if not colour:
        return np.asarray(cv2.LUT(frame, np.clip(levels, 0, 255).astype(np.uint8)), dtype=np.uint8)
    table = np.clip(levels[:, None] * np.array(_TINT, np.float32), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), table[None]), dtype=np.uint8)
