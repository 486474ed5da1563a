"""The letterbox: ultralytics' geometry, written out a second time in the plainest way, and its inverse."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.detectors.letterbox import Geometry, Letterbox, geometry, to_frame
from partsight.domain.frame import Grab, PixelFormat

SIDES = st.integers(1, 3000)
INPUTS = st.sampled_from([(640, 640), (320, 320), (640, 384), (96, 64)])


def plain(image: Any, size: tuple[int, int], pad: int) -> Any:
    """Resize and a border, without any shortcut."""
    (height, width), (input_w, input_h) = image.shape[:2], size
    ratio = min(input_h / height, input_w / width)
    new = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    side, above = (input_w - new[0]) / 2, (input_h - new[1]) / 2
    if (width, height) != new:
        image = cv2.resize(image, new, interpolation=cv2.INTER_LINEAR)
    top, bottom = round(above - 0.1), round(above + 0.1)
    left, right = round(side - 0.1), round(side + 0.1)
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(pad, pad, pad))


def noise(height: int, width: int, channels: int = 3) -> Any:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(height * 7919 + width).integers(0, 256, shape, dtype=np.uint8)


@given(SIDES, SIDES, INPUTS)
def test_a_frame_fits_its_input_and_touches_two_of_its_sides(width: int, height: int, size: tuple[int, int]) -> None:
    place = geometry((width, height), size)
    assert place.left >= 0
    assert place.top >= 0
    assert place.left + place.width <= size[0]
    assert place.top + place.height <= size[1]
    assert place.width == size[0] or place.height == size[1]
    # Centred, the odd pixel to the right and to the bottom.
    assert size[0] - place.width - 2 * place.left in (0, 1)
    assert size[1] - place.height - 2 * place.top in (0, 1)


@pytest.mark.parametrize(
    ("frame", "size", "expected"),
    [
        ((1920, 1080), (640, 640), (0, 140, 640, 360)),
        ((640, 640), (640, 640), (0, 0, 640, 640)),
        ((100, 333), (320, 320), (112, 0, 96, 320)),
        ((333, 100), (320, 320), (0, 112, 320, 96)),
        ((5, 3), (64, 64), (0, 13, 64, 38)),
        ((641, 640), (640, 640), (0, 0, 640, 639)),
    ],
)
def test_known_geometries(frame: tuple[int, int], size: tuple[int, int], expected: tuple[int, int, int, int]) -> None:
    place = geometry(frame, size)
    assert (place.left, place.top, place.width, place.height) == expected


@pytest.mark.parametrize("size", [(640, 640), (64, 64), (96, 64)])
@pytest.mark.parametrize(
    "shape", [(64, 64), (480, 640), (1080, 1920), (63, 65), (1, 1), (1, 900), (900, 1), (640, 640)]
)
def test_pixels_are_those_of_the_plain_way(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image = noise(*shape)
    box = Letterbox(*size, pad=114)
    box.fill(0, Grab(image, PixelFormat.BGR8))
    np.testing.assert_array_equal(box.pixels[0], plain(image, size, 114))


@pytest.mark.parametrize("shape", [(64, 64), (100, 50)])
def test_one_channel_is_three_equal_ones(shape: tuple[int, int]) -> None:
    grey = noise(*shape, channels=1)
    box = Letterbox(64, 64)
    box.fill(0, Grab(grey, PixelFormat.MONO8))
    np.testing.assert_array_equal(box.pixels[0], plain(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), (64, 64), 114))


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
def test_deep_pixels_are_scaled_by_their_depth(depth: int) -> None:
    top = (1 << depth) - 1
    ramp = np.linspace(0, top, 64 * 64).round().astype(np.uint16).reshape(64, 64)
    box = Letterbox(64, 64)
    box.fill(0, Grab(ramp, PixelFormat.MONO16, depth))
    expected = np.rint(ramp * (255 / top))
    assert np.abs(box.pixels[0, ..., 0] - expected).max() <= 1
    assert (box.pixels[0, 0, 0, 0], box.pixels[0, -1, -1, 0]) == (0, 255)


@pytest.mark.parametrize("shape", [(64, 64), (128, 96)])
@pytest.mark.parametrize(
    ("form", "red_at", "blue_at"),
    [
        (PixelFormat.BAYER_RG8, (0, 0), (1, 1)),
        (PixelFormat.BAYER_BG8, (1, 1), (0, 0)),
        (PixelFormat.BAYER_GR8, (0, 1), (1, 0)),
        (PixelFormat.BAYER_GB8, (1, 0), (0, 1)),
    ],
)
def test_bayer_keeps_red_and_blue_apart(
    form: PixelFormat, red_at: tuple[int, int], blue_at: tuple[int, int], shape: tuple[int, int]
) -> None:
    mosaic = np.full(shape, 100, np.uint8)
    mosaic[red_at[0] :: 2, red_at[1] :: 2] = 200
    mosaic[blue_at[0] :: 2, blue_at[1] :: 2] = 30
    box = Letterbox(64, 64)
    place = box.fill(0, Grab(mosaic, form))
    inner = box.pixels[0, place.top + 4 : place.top + place.height - 4, place.left + 4 : place.left + place.width - 4]
    np.testing.assert_allclose(inner.reshape(-1, 3).mean(axis=0), (30, 100, 200), atol=1)


def test_slots_are_independent_and_borders_follow_the_frame() -> None:
    box = Letterbox(64, 64, pad=7, batch=2)
    memory = box.pixels
    for shapes in [((32, 64), (64, 32)), ((64, 64), (64, 64)), ((64, 32), (16, 64))]:
        images = [noise(*shape) for shape in shapes]
        for slot, image in enumerate(images):
            box.fill(slot, Grab(image, PixelFormat.BGR8))
        for slot, image in enumerate(images):
            np.testing.assert_array_equal(box.pixels[slot], plain(image, (64, 64), 7))
    assert box.pixels is memory


@given(SIDES, SIDES, INPUTS, st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_box_finds_back_into_its_frame(width: int, height: int, size: tuple[int, int], share: list[float]) -> None:
    place = geometry((width, height), size)
    x1, x2 = sorted((share[0] * width, share[1] * width))
    y1, y2 = sorted((share[2] * height, share[3] * height))
    scale = [place.width / width, place.height / height] * 2
    there = np.array([[x1, y1, x2, y2]]) * scale + [place.left, place.top] * 2
    np.testing.assert_allclose(to_frame(there.astype(np.float32), place)[0], (x1, y1, x2, y2), atol=0.01 / min(scale))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=4, max_size=4))
def test_any_box_is_clipped_to_the_frame(values: list[float]) -> None:
    place = Geometry(30, 20, 2.0, 2, 12, 60, 40)
    box = to_frame(np.array([values], np.float32), place)[0]
    assert np.isfinite(box).all()
    assert (box >= 0).all()
    assert (box <= (30, 20, 30, 20)).all()


def test_no_box_is_no_box() -> None:
    assert to_frame(np.zeros((0, 4), np.float32), geometry((5, 5), (64, 64))).shape == (0, 4)


def test_a_hundred_megapixels_pass() -> None:
    box = Letterbox(64, 64)
    box.fill(0, Grab(np.full((10_000, 10_000), 50, np.uint8), PixelFormat.MONO8))
    assert (box.pixels == 50).all()
