"""What the station measures in an image, on boards whose place, holes and brightness are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partsight.cameras.simulated import SimulatedCamera
from partsight.cameras.simulated.world import World, reference
from partsight.config.recipe import RecipeFile
from partsight.domain.errors import ImageError
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.reasons import Reason
from partsight.domain.views import ImageFacts
from partsight.recipes import Recipe, compile_recipe, load_recipe
from partsight.station.facts import MIN_SIDE_PX, Measurer, grey8, is_frozen, similarity

Image = npt.NDArray[np.uint8]

CLASSES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
SHIFT_PX, ANGLE_DEG = 0.7, 0.1
BELT, BOARD = 55, 190
RECIPE = load_recipe(Path(__file__).resolve().parents[2] / "configs/recipes/demo-board.toml", CLASSES)
PART = reference("A")


def recipe_with(**view: Any) -> Recipe:
    content = {"schema": 1, "name": "r", "revision": 1, "views": [{"camera": "*", **view}]}
    return compile_recipe(RecipeFile.model_validate(content), Path("r.toml"), CLASSES)


def mono(pixels: Image) -> Grab:
    return Grab(pixels, PixelFormat.MONO8)


def placed(dx: float, dy: float, angle: float, picture: Image = PART.picture) -> Image:
    """The reference board moved by (dx, dy) and turned about the middle, counter-clockwise as one sees it; with noise.

    Drawn apart from what draws the simulated line, so that a mistake in one does not hide in the other.
    """
    turn = np.deg2rad(angle)
    cos, sin = np.cos(turn), np.sin(turn)
    y, x = np.mgrid[0:640, 0:640].astype(np.float64) + 0.5 - 320
    x, y = x - dx, y - dy
    # The way back: a point of the turned board to its place in the reference picture; y points down.
    source_x, source_y = cos * x - sin * y + 320 - 0.5, sin * x + cos * y + 320 - 0.5
    moved = cv2.remap(
        picture,
        source_x.astype(np.float32),
        source_y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(BELT,),
    )
    noise = np.random.default_rng(7).normal(0, 3, moved.shape)
    return np.clip(moved + noise, 0, 255).astype(np.uint8)


def measure(pixels: Image, recipe: Recipe = RECIPE) -> ImageFacts:
    return Measurer(recipe, "top").measure(mono(pixels))


def angle_between(a: float, b: float) -> float:
    return abs((a - b + 180) % 360 - 180)


@settings(max_examples=40)
@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(-3, 3))
def test_shift_and_angle_are_found(dx: float, dy: float, angle: float) -> None:
    alignment = measure(placed(dx, dy, angle)).alignment
    assert alignment is not None
    assert abs(alignment.shift_px[0] - dx) < SHIFT_PX
    assert abs(alignment.shift_px[1] - dy) < SHIFT_PX
    assert abs(alignment.angle_deg - angle) < ANGLE_DEG
    assert alignment.score > 0.8


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize(("dx", "dy", "jitter"), [(0, 0, 0), (9, -6, 1.5), (-12, 3, -2)])
def test_quarter_turns_are_found(turn: float, dx: float, dy: float, jitter: float) -> None:
    alignment = measure(placed(dx, dy, turn + jitter)).alignment
    assert alignment is not None
    assert angle_between(alignment.angle_deg, turn + jitter) < ANGLE_DEG
    assert abs(alignment.shift_px[0] - dx) < SHIFT_PX
    assert abs(alignment.shift_px[1] - dy) < SHIFT_PX


def world(**rates: float) -> World:
    none = {f"{name}_rate": 0.0 for name in ("defect", "empty", "shifted", "rotated", "wrong")}
    return World(SimulatedCamera.Settings.model_validate({**none, "seed": 11, **rates}))


def test_places_of_the_simulated_line_are_found_with_their_defects() -> None:
    line = world(defect_rate=0.5)
    for number in range(12):
        plan = line.plan(number)
        facts = measure(line.render(number, colour=False)[0])
        assert facts.alignment is not None
        assert abs(facts.alignment.shift_px[0] - plan.shift_px[0]) < SHIFT_PX
        assert abs(facts.alignment.shift_px[1] - plan.shift_px[1]) < SHIFT_PX
        assert abs(facts.alignment.angle_deg - plan.angle_deg) < ANGLE_DEG
        assert facts.counts == {"holes": 4}


def test_likeness_tells_a_wrong_part_from_its_own() -> None:
    """Both have the same marks in the same places; the recipe's limit lies between them with room on both sides."""
    own = [measure(world(defect_rate=1.0).render(n, colour=False)[0]).likeness for n in range(8)]
    wrong = [measure(world(wrong_rate=1.0).render(n, colour=False)[0]).likeness for n in range(8)]
    assert all(value is not None for value in own + wrong)
    lowest, highest = min(v for v in own if v is not None), max(v for v in wrong if v is not None)
    rule = RECIPE.views["*"].likeness
    assert rule is not None
    assert highest + 0.05 < rule.min < lowest - 0.05


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 8, 60, 255]), st.integers(1, 60))
def test_similarity_is_the_correlation_coefficient(seed: int, noise: int, contrast: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(100, 100 + contrast, (40, 80)).astype(np.uint8)
    b = np.clip(a.astype(int) + rng.integers(-noise, noise + 1, a.shape), 0, 255).astype(np.uint8)
    if min(np.ptp(a), np.ptp(b)) == 0:
        assert similarity(a, b) == 0.0
    else:
        assert similarity(a, b) == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-5)


def test_nothing_is_like_a_flat_picture_rule_2(tmp_path: Path) -> None:
    """OpenCV's correlation of anything with a flat picture is 1: a recipe with an empty picture would pass all."""
    cv2.imwrite(str(tmp_path / "flat.png"), np.full((640, 640), 128, np.uint8))
    view = {"camera": "*", "likeness": {"picture": "flat.png", "min": 0.7}}
    content = {"schema": 1, "name": "r", "revision": 1, "views": [view]}
    recipe = compile_recipe(RecipeFile.model_validate(content), tmp_path / "r.toml", CLASSES)
    assert Measurer(recipe, "top").measure(mono(PART.picture)).likeness == 0.0


def test_an_empty_belt_has_nothing_to_align() -> None:
    line = world(empty_rate=1.0)
    for number in range(3):
        facts = measure(line.render(number, colour=False)[0])
        assert facts.alignment is None
        assert facts.likeness is None
        assert facts.counts == {}
        assert facts.coverage["board"] < 0.05


@pytest.mark.parametrize("hole", range(4))
def test_a_hole_that_is_filled_is_not_counted(hole: int) -> None:
    picture = PART.picture.copy()
    x, y = (round(v) for v in PART.holes[hole])
    cv2.circle(picture, (x, y), round(PART.hole_radius_px) + 6, (BOARD,), -1)
    assert measure(placed(5, -4, 1, PART.picture)).counts == {"holes": 4}
    assert measure(placed(5, -4, 1, picture)).counts == {"holes": 3}


@given(st.integers(0, 200), st.integers(0, 200), st.integers(40, 100), st.integers(40, 100), st.integers(0, 100))
def test_coverage_counts_inside_its_region_only(left: int, top: int, width: int, height: int, bright: int) -> None:
    """A picture that is bright down to a line inside the region, and of the other kind everywhere else."""
    pixels = np.full((300, 300), 255, np.uint8)
    edge = top + height * bright // 100
    pixels[top : top + height, left : left + width] = 40
    pixels[top:edge, left : left + width] = 200
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    rule = {"name": "share", "bright_above": 128, "min": 0.01, "region": corners}
    facts = measure(pixels, recipe_with(coverage=[rule]))
    # The region's rim is drawn at half size and may take in one row and column of the surroundings.
    rim = 2 * (width + height) * 2 / (width * height)
    assert abs(facts.coverage["share"] - (edge - top) / height) < rim


def test_coverage_without_a_region_is_of_the_whole_picture() -> None:
    pixels = np.zeros((200, 100), np.uint8)
    pixels[:50] = 200
    facts = measure(pixels, recipe_with(coverage=[{"name": "share", "bright_above": 128, "min": 0.01}]))
    assert facts.coverage == {"share": pytest.approx(0.25, abs=0.01)}


def test_a_region_outside_the_picture_covers_nothing() -> None:
    rule = {"name": "share", "min": 0.01, "region": [(900, 900), (990, 900), (990, 990)]}
    assert measure(np.full((100, 100), 255, np.uint8), recipe_with(coverage=[rule])).coverage == {"share": 0.0}


@pytest.mark.parametrize("depth", [10, 12, 16])
def test_deeper_pixels_are_the_same_grey(depth: int) -> None:
    pixels = placed(4, 4, 1)
    deep = np.round(pixels * (((1 << depth) - 1) / 255)).astype(np.uint16)
    grab = Grab(deep, PixelFormat.MONO16, bit_depth=depth)
    assert np.abs(grey8(grab).astype(int) - pixels).max() <= 1
    facts, of_8 = Measurer(RECIPE, "top").measure(grab), measure(pixels)
    assert facts.level == pytest.approx(of_8.level, abs=0.6)
    assert facts.saturated == pytest.approx(of_8.saturated, abs=0.001)
    assert facts.counts == of_8.counts


@pytest.mark.parametrize(
    ("form", "cell"),
    [
        (PixelFormat.BAYER_RG8, "RGGB"),
        (PixelFormat.BAYER_GB8, "GBRG"),
        (PixelFormat.BAYER_GR8, "GRBG"),
        (PixelFormat.BAYER_BG8, "BGGR"),
    ],
)
@given(st.tuples(st.integers(20, 240), st.integers(20, 240), st.integers(20, 240)))
def test_bayer_pixels_are_the_grey_of_their_colour(form: PixelFormat, cell: str, colour: tuple[int, int, int]) -> None:
    """A plain surface seen through each mosaic (GenICam names it by its first two pixels)."""
    values = dict(zip("BGR", colour, strict=True))
    mosaic = np.array([[values[cell[0]], values[cell[1]]], [values[cell[2]], values[cell[3]]]], np.uint8)
    surface = np.full((40, 40, 3), colour, np.uint8)
    grey = grey8(Grab(np.tile(mosaic, (20, 20)), form))
    expected = grey8(Grab(surface, PixelFormat.BGR8))
    assert np.abs(grey.astype(int) - expected)[2:-2, 2:-2].max() <= 2


@given(st.data())
def test_frozen_means_every_value_is_the_same(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(40, 50), (41, 33, 3), (8, 8), (1, 5)]))
    pixels = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 256, shape, np.uint8)
    assert is_frozen(pixels, pixels.copy())
    other = pixels.copy()
    at = data.draw(st.integers(0, other.size - 1))
    other.flat[at] ^= data.draw(st.integers(1, 255))
    assert not is_frozen(pixels, other)
    assert not is_frozen(pixels, None)
    assert not is_frozen(pixels, pixels.astype(np.uint16))
    assert not is_frozen(pixels, pixels[:-1])


def test_frozen_is_told_in_the_facts() -> None:
    pixels = placed(0, 0, 0)
    measurer = Measurer(RECIPE, "top")
    assert measurer.measure(mono(pixels), pixels.copy()).frozen
    assert not measurer.measure(mono(pixels), placed(1, 0, 0)).frozen


FORMATS = st.sampled_from(list(PixelFormat))


@settings(max_examples=120)
@given(st.integers(1, 90), st.integers(1, 90), FORMATS, st.sampled_from(["noise", "black", "white"]))
def test_any_size_and_format_is_measured_or_refused(width: int, height: int, form: PixelFormat, content: str) -> None:
    """Also with fiducials that are larger than the picture, and where nothing in it varies."""
    shape = (height, width, 3) if form.channels == 3 else (height, width)
    top = np.iinfo(form.dtype).max
    pixels = {
        "noise": np.random.default_rng(width).integers(0, top, shape, form.dtype, endpoint=True),
        "black": np.zeros(shape, form.dtype),
        "white": np.full(shape, top, form.dtype),
    }[content]
    grab = Grab(pixels, form, bit_depth=16 if form is PixelFormat.MONO16 else 8)
    measurer = Measurer(RECIPE, "top")
    if min(width, height) < MIN_SIDE_PX:
        with pytest.raises(ImageError, match=f"{width} x {height}") as refused:
            measurer.measure(grab)
        assert refused.value.reason is Reason.WRONG_SIZE
        return
    facts = measurer.measure(grab)
    assert (facts.width, facts.height) == (width, height)
    assert facts.alignment is None, "no board is in it"
    numbers = (facts.level, facts.saturated, facts.sharpness, facts.coverage["board"])
    assert np.isfinite(numbers).all()
    if content != "noise":
        assert facts.level == pytest.approx(0 if content == "black" else 255)
        assert facts.saturated == (0 if content == "black" else 1)
        assert facts.sharpness == 0


def test_an_image_that_cannot_be_judged_says_why() -> None:
    empty = np.zeros((0, 0), np.uint8)
    cases = [
        (Grab(empty, PixelFormat.MONO8, error=ImageError(Reason.WRONG_SIZE, "too large")), Reason.WRONG_SIZE),
        (Grab(empty, PixelFormat.MONO8, error=OSError("gone")), Reason.UNREADABLE),
        (Grab(placed(0, 0, 0), PixelFormat.MONO8, complete=False), Reason.FRAME_INCOMPLETE),
        (Grab(empty, PixelFormat.MONO8), Reason.WRONG_SIZE),
    ]
    for grab, reason in cases:
        with pytest.raises(ImageError) as refused:
            Measurer(RECIPE, "top").measure(grab)
        assert refused.value.reason is reason


def test_a_blurred_board_is_less_sharp_and_a_bright_one_saturated() -> None:
    pixels = placed(0, 0, 0)
    blurred = [np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8) for sigma in (1, 2, 4, 8)]
    sharpness = [measure(image).sharpness for image in (pixels, *blurred)]
    assert sharpness == sorted(sharpness, reverse=True)
    limit = RECIPE.views["*"].image.sharpness_min
    assert limit is not None
    assert sharpness[-1] < limit < sharpness[0] / 10
    bright = np.clip(pixels.astype(int) + 90, 0, 255).astype(np.uint8)
    assert measure(bright).saturated == np.count_nonzero(bright >= 254) / bright.size
