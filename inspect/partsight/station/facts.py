"""What the station measures in an image before a recipe reads it.

All of it runs on the 8-bit grey image, most of it at half size, since every millisecond here delays the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from partsight.config.recipe import AlignmentRule, CoverageRule, FeatureRule, ImageChecks, ViewRules
from partsight.domain.errors import ImageError
from partsight.domain.frame import Grab, PixelFormat, Pixels
from partsight.domain.reasons import Reason
from partsight.domain.views import Alignment, ImageFacts
from partsight.recipes.recipe import Grey, Recipe

Point = tuple[float, float]

MIN_SIDE_PX = 32
"""A smaller image cannot show a part."""

SATURATED = 254
_QUARTER_TURNS = (90.0, 180.0, 270.0)
_LIKENESS_SIDE = 80

_BAYER_TO_GREY = {
    PixelFormat.BAYER_RG8: cv2.COLOR_BayerRGGB2GRAY,
    PixelFormat.BAYER_GB8: cv2.COLOR_BayerGBRG2GRAY,
    PixelFormat.BAYER_GR8: cv2.COLOR_BayerGRBG2GRAY,
    PixelFormat.BAYER_BG8: cv2.COLOR_BayerBGGR2GRAY,
}


def grey8(grab: Grab) -> Grey:
    """The grab's pixels as grey uint8 (h, w); deeper ones scaled by their bit depth."""
    pixels = grab.pixels
    if grab.format is PixelFormat.BGR8:
        return _as_grey(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
    if grab.format in _BAYER_TO_GREY:
        return _as_grey(cv2.cvtColor(pixels, _BAYER_TO_GREY[grab.format]))
    if grab.format is PixelFormat.MONO16:
        return _as_grey(cv2.convertScaleAbs(pixels, alpha=255.0 / ((1 << grab.bit_depth) - 1)))
    return _as_grey(pixels)


def _as_grey(pixels: npt.NDArray[np.generic]) -> Grey:
    return np.asarray(pixels, np.uint8)


def is_frozen(pixels: Pixels, before: Pixels | None) -> bool:
    """Bit-identical with the frame before. One row decides for almost every live frame."""
    if before is None or before.shape != pixels.shape or before.dtype != pixels.dtype:
        return False
    middle = len(pixels) // 2
    return np.array_equal(pixels[middle : middle + 1], before[middle : middle + 1]) and np.array_equal(pixels, before)


def check_size(grab: Grab) -> None:
    """Raises ImageError for an image that is too small to show a part, or incomplete."""
    if grab.error is not None:
        reason = grab.error.reason if isinstance(grab.error, ImageError) else Reason.UNREADABLE
        raise ImageError(reason, str(grab.error))
    if not grab.complete:
        raise ImageError(Reason.FRAME_INCOMPLETE, "parts of the frame were lost between camera and station")
    width, height = grab.size
    if min(width, height) < MIN_SIDE_PX:
        text = f"image is {width} x {height} pixels; a side of at least {MIN_SIDE_PX} is needed"
        raise ImageError(Reason.WRONG_SIZE, text)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A fiducial or a feature, at half size: its picture and the place of its centre (half-size pixels)."""

    picture: Grey
    at: tuple[float, float]


class Measurer:
    """Measures the frames of one camera for one recipe; made once, since pictures are scaled in advance."""

    def __init__(self, recipe: Recipe, camera: str, mm_per_px: float | None = None) -> None:
        rules = recipe.view(camera)
        self._rules = rules if rules is not None else ViewRules.model_construct(camera=camera, image=ImageChecks())
        self._mm_per_px = mm_per_px
        half = {name: _halved(picture) for name, picture in recipe.pictures.items()}
        alignment = self._rules.alignment
        fiducials = alignment.fiducials if alignment is not None else ()
        self._fiducials = [_Mark(half[f.picture], (f.at[0] / 2, f.at[1] / 2)) for f in fiducials]
        self._features = {
            f.name: [_Mark(half[f.picture], (x / 2, y / 2)) for x, y in f.places]
            for f in self._rules.features
            if f.picture is not None
        }
        self._picture = _small(recipe.pictures[self._rules.likeness.picture]) if self._rules.likeness else None
        self._masks: dict[tuple[str, int, int], Grey] = {}

    def measure(self, grab: Grab, before: Pixels | None = None) -> ImageFacts:
        """All facts of one image. `before`: the live camera's frame before, to find a frozen one.

        Raises ImageError where there is nothing to measure.
        """
        check_size(grab)
        grey = grey8(grab)
        half = _halved(grey)
        rules = self._rules
        alignment = self._align(half, rules.alignment) if rules.alignment is not None else None
        return ImageFacts(
            width=grab.size[0],
            height=grab.size[1],
            level=min(255.0, float(cv2.mean(half)[0])),  # OpenCV's mean of all-white is a little more
            saturated=_saturated(grey) / grey.size,
            sharpness=_sharpness(half),
            frozen=is_frozen(grab.pixels, before),
            alignment=alignment,
            likeness=self._likeness(half, grab.size, alignment) if rules.likeness is not None else None,
            counts=self._counts(half, alignment),
            coverage=self._coverage(half, rules.coverage),
            mm_per_px=self._mm_per_px,
        )

    # --- place --------------------------------------------------------------------------------

    def _align(self, half: Grey, rule: AlignmentRule) -> Alignment | None:
        """Where the part lies, from its fiducials; quarter turns are tried when it is not found upright."""
        found = self._find_fiducials(half, rule, 0.0)
        if found is not None:
            return found
        for turn in _QUARTER_TURNS:
            found = self._find_fiducials(half, rule, turn)
            if found is not None:
                return found
        return None

    def _find_fiducials(self, half: Grey, rule: AlignmentRule, turn: float) -> Alignment | None:
        centre = (half.shape[1] / 2, half.shape[0] / 2)
        expected = [_turned(mark.at, centre, turn) for mark in self._fiducials]
        places: list[Point] = []
        worst = 1.0
        for mark, near in zip(self._fiducials, expected, strict=True):
            match = _find(half, _quarter_turned(mark.picture, turn), near, rule.search_px / 2)
            if match is None or match[1] < rule.min_score:
                return None
            places.append(match[0])
            worst = min(worst, match[1])
        shift, angle = _rigid(expected, places, centre)
        angle = (angle + turn + 180.0) % 360.0 - 180.0
        return Alignment((shift[0] * 2, shift[1] * 2), angle, worst)

    # --- likeness, features, coverage -----------------------------------------------------------

    def _likeness(self, half: Grey, size: tuple[int, int], alignment: Alignment | None) -> float | None:
        picture = self._picture
        if picture is None or (self._rules.alignment is not None and alignment is None):
            return None
        height, width = picture.shape
        small = cv2.resize(half, (width, height), interpolation=cv2.INTER_AREA)
        if alignment is not None:
            small = cv2.warpAffine(
                small,
                _to_upright(alignment, size, (width / size[0], height / size[1])),
                (width, height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return similarity(_as_grey(small), picture)

    def _counts(self, half: Grey, alignment: Alignment | None) -> Mapping[str, int]:
        if not self._features or (self._rules.alignment is not None and alignment is None):
            return {}
        rules = {f.name: f for f in self._rules.features}
        return {name: self._count(half, marks, rules[name], alignment) for name, marks in self._features.items()}

    def _count(self, half: Grey, marks: Sequence[_Mark], rule: FeatureRule, alignment: Alignment | None) -> int:
        centre = (half.shape[1] / 2, half.shape[0] / 2)
        counted = 0
        for mark in marks:
            place = mark.at
            if alignment is not None:
                x, y = _turned(place, centre, alignment.angle_deg)
                place = (x + alignment.shift_px[0] / 2, y + alignment.shift_px[1] / 2)
            match = _find(half, mark.picture, place, rule.search_px / 2)
            counted += match is not None and match[1] >= rule.min_score
        return counted

    def _coverage(self, half: Grey, rules: Sequence[CoverageRule]) -> Mapping[str, float]:
        return {rule.name: self._covered(half, rule) for rule in rules}

    def _covered(self, half: Grey, rule: CoverageRule) -> float:
        bright = cv2.threshold(half, rule.bright_above, 255, cv2.THRESH_BINARY)[1]
        if not rule.region:
            return cv2.countNonZero(bright) / half.size
        mask = self._mask(rule, half.shape)
        area = cv2.countNonZero(mask)
        return cv2.countNonZero(cv2.bitwise_and(bright, mask)) / area if area else 0.0

    def _mask(self, rule: CoverageRule, shape: tuple[int, ...]) -> Grey:
        key = (rule.name, shape[0], shape[1])
        if key not in self._masks:
            mask = np.zeros(shape, np.uint8)
            corners = np.round(np.array(rule.region) / 2).astype(np.int32)
            cv2.fillPoly(mask, [corners], (255,))
            self._masks[key] = mask
        return self._masks[key]


def _halved(grey: Grey) -> Grey:
    height, width = grey.shape
    half = cv2.resize(grey, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    return _as_grey(half)


def _small(picture: Grey) -> Grey:
    """The likeness picture: its longer side at `_LIKENESS_SIDE`, so that small defects do not matter."""
    factor = _LIKENESS_SIDE / max(picture.shape)
    size = (max(8, round(picture.shape[1] * factor)), max(8, round(picture.shape[0] * factor)))
    return _as_grey(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _sharpness(half: Grey) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al., 2000)."""
    deviation = cv2.meanStdDev(cv2.Laplacian(half, cv2.CV_16S))[1]
    return float(deviation[0, 0]) ** 2


def _saturated(grey: Grey) -> int:
    """How many values are at the top of the range. OpenCV's two passes cost half of numpy's comparison."""
    return cv2.countNonZero(cv2.threshold(grey, SATURATED - 1, 255, cv2.THRESH_BINARY)[1])


def similarity(a: Grey, b: Grey) -> float:
    """Normalised cross-correlation of two pictures of one size, -1..1; 0 where one of them is flat.

    OpenCV's `matchTemplate` with TM_CCOEFF_NORMED takes Fourier transforms for it, is out by 0.002 where the contrast
    is low, and calls everything like a flat picture.
    """
    x, y = a.ravel().astype(np.float32), b.ravel().astype(np.float32)
    x -= cv2.mean(a)[0]
    y -= cv2.mean(b)[0]
    power = float(x @ x) * float(y @ y)
    # Whole numbers: where not all are the same, the squares add up to one at least, nearly.
    return max(-1.0, min(1.0, float(x @ y) / math.sqrt(power))) if power > 0.5 else 0.0


def _find(half: Grey, picture: Grey, place: Point, reach: float) -> tuple[Point, float] | None:
    """The best match of `picture` whose centre lies within `reach` of `place`: (centre, similarity), or None."""
    height, width = picture.shape
    left = round(place[0] - width / 2 - reach)
    top = round(place[1] - height / 2 - reach)
    right, bottom = left + width + 2 * round(reach), top + height + 2 * round(reach)
    left, top = max(0, left), max(0, top)
    window = half[top : min(bottom, half.shape[0]), left : min(right, half.shape[1])]
    if window.shape[0] < height or window.shape[1] < width:
        return None
    scores = cv2.matchTemplate(window, picture, cv2.TM_CCOEFF_NORMED)
    _, best, _, at = cv2.minMaxLoc(scores)
    if not math.isfinite(best):
        return None
    x, y = at[0] + _peak(scores[at[1], :], at[0]), at[1] + _peak(scores[:, at[0]], at[1])
    return (left + x + width / 2, top + y + height / 2), float(best)


def _peak(line: npt.NDArray[np.generic], i: int) -> float:
    """Offset of the true peak from sample `i`, by a parabola through it and its neighbours, -0.5..0.5."""
    if not 0 < i < len(line) - 1:
        return 0.0
    before, at, after = float(line[i - 1]), float(line[i]), float(line[i + 1])
    bend = before - 2 * at + after
    return 0.0 if bend >= 0 else max(-0.5, min(0.5, 0.5 * (before - after) / bend))


def _turned(point: Point, centre: Point, angle_deg: float) -> Point:
    """`point` turned about `centre`, counter-clockwise as seen on the screen (y points down)."""
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    x, y = point[0] - centre[0], point[1] - centre[1]
    return cos * x + sin * y + centre[0], -sin * x + cos * y + centre[1]


def _quarter_turned(picture: Grey, turn: float) -> Grey:
    return np.ascontiguousarray(np.rot90(picture, round(turn / 90)))


def _rigid(expected: Sequence[Point], found: Sequence[Point], centre: Point) -> tuple[Point, float]:
    """Shift of `centre` and turn in degrees that map `expected` onto `found` best.

    Kabsch's method in two dimensions; with one point only the shift is known.
    """
    n = len(expected)
    ax, ay = sum(x for x, _ in expected) / n, sum(y for _, y in expected) / n
    bx, by = sum(x for x, _ in found) / n, sum(y for _, y in found) / n
    if n == 1:
        return (bx - ax, by - ay), 0.0
    dot = cross = 0.0
    for (x, y), (u, v) in zip(expected, found, strict=True):
        dot += (x - ax) * (u - bx) + (y - ay) * (v - by)
        cross += (x - ax) * (v - by) - (y - ay) * (u - bx)
    angle_deg = -math.degrees(math.atan2(cross, dot))  # y points down: a positive cross is clockwise
    x, y = _turned((centre[0] - ax, centre[1] - ay), (0.0, 0.0), angle_deg)
    return (x + bx - centre[0], y + by - centre[1]), angle_deg


def _to_upright(alignment: Alignment, size: tuple[int, int], scale: Point) -> npt.NDArray[np.float64]:
    """For WARP_INVERSE_MAP: from upright reference places to places in the small picture as it was taken."""
    cos, sin = math.cos(math.radians(alignment.angle_deg)), math.sin(math.radians(alignment.angle_deg))
    sx, sy = scale
    # the small picture may be scaled unevenly, the turn is one of the frame's own pixels
    a, b, c, d = cos, sin * sx / sy, -sin * sy / sx, cos
    x, y = size[0] / 2, size[1] / 2
    dx = sx * (x + alignment.shift_px[0] - cos * x - sin * y)
    dy = sy * (y + alignment.shift_px[1] + sin * x - cos * y)
    # pixel centres lie half a pixel inside: without it the picture moves by half a small pixel
    return np.array([[a, b, dx + (a + b - 1) / 2], [c, d, dy + (c + d - 1) / 2]])
