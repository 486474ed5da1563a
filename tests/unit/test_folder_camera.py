"""Image files in order, and every kind of file that is no good image."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from partsight.cameras.folder import FolderCamera, read_image
from partsight.domain.errors import CameraUnavailable, EndOfStream, ImageError
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.reasons import Reason


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype)


def opened(path: Path, **settings: Any) -> FolderCamera:
    camera = FolderCamera(FolderCamera.Settings(path=path, **settings))
    camera.open(1.0)
    return camera


def reason_of(grab: Grab) -> Reason:
    assert isinstance(grab.error, ImageError)
    assert grab.pixels.shape == (0, 0)
    return grab.error.reason


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header names a size that its few bytes do not hold."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


# --- files ---


def test_colour_and_grey_keep_their_pixels(tmp_path: Path) -> None:
    colour, grey = noise(20, 30, 3), noise(20, 30)
    first, second = read_image(write(tmp_path / "c.png", colour)), read_image(write(tmp_path / "g.png", grey))
    assert (first.format, second.format) == (PixelFormat.BGR8, PixelFormat.MONO8)
    assert np.array_equal(first.pixels, colour)
    assert np.array_equal(second.pixels, grey)


def test_sixteen_bits(tmp_path: Path) -> None:
    grey, colour = noise(20, 30, dtype=np.uint16), noise(20, 30, 3, dtype=np.uint16)
    mono = read_image(write(tmp_path / "g.png", grey))
    assert (mono.format, mono.bit_depth, mono.pixels.dtype) == (PixelFormat.MONO16, 16, np.uint16)
    assert np.array_equal(mono.pixels, grey)
    bgr = read_image(write(tmp_path / "c.tiff", colour))
    assert (bgr.format, bgr.bit_depth) == (PixelFormat.BGR8, 8)
    assert np.array_equal(bgr.pixels, (colour >> 8).astype(np.uint8))


def test_alpha_is_dropped_and_one_pixel_is_an_image(tmp_path: Path) -> None:
    four = noise(20, 30, 4)
    grab = read_image(write(tmp_path / "a.png", four))
    assert grab.format is PixelFormat.BGR8
    assert np.array_equal(grab.pixels, four[:, :, :3])
    assert grab.pixels.flags.c_contiguous
    assert read_image(write(tmp_path / "one.png", noise(1, 1))).size == (1, 1)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "tif", "webp", "ppm"])
@pytest.mark.parametrize("share", [0.0, 0.002, 0.3, 0.9, 0.99])
def test_a_file_that_is_cut_off_is_unreadable(tmp_path: Path, suffix: str, share: float) -> None:
    path = write(tmp_path / f"x.{suffix}", noise(90, 120, 3))
    assert read_image(path).error is None
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    grab = read_image(path)
    assert reason_of(grab) is Reason.UNREADABLE
    assert path.name in str(grab.error)


def test_a_file_that_is_no_image_or_not_there_is_unreadable(tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("not an image")
    assert reason_of(read_image(text)) is Reason.UNREADABLE
    assert reason_of(read_image(tmp_path / "absent.png")) is Reason.UNREADABLE
    floats = write(tmp_path / "f.tiff", np.ones((8, 8), np.float32))
    assert "float32" in str(read_image(floats).error)


def test_a_damaged_png_is_unreadable(tmp_path: Path) -> None:
    path = write(tmp_path / "x.png", noise(90, 120, 3))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert reason_of(read_image(path)) is Reason.UNREADABLE


def test_a_huge_image_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png(10_000, 10_000))
    grab = read_image(path)
    assert reason_of(grab) is Reason.WRONG_SIZE
    assert "100.0 megapixels" in str(grab.error)
    # With the limit raised it is read, and found to be cut off.
    assert reason_of(read_image(path, max_megapixels=200)) is Reason.UNREADABLE


def test_a_huge_image_without_a_known_header_is_refused_by_its_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "x.bmp", noise(700, 1000, 3))
    assert reason_of(read_image(path, max_megapixels=0.5)) is Reason.WRONG_SIZE


# --- folders ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2, 10, 9, 100):
        write(tmp_path / f"part{number}.png", np.full((8, 8), number, np.uint8))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "more").mkdir()
    write(tmp_path / "more" / "deep.png", noise(8, 8))
    return tmp_path


def names(camera: FolderCamera, count: int) -> list[str]:
    grabs = [camera.grab(1.0) for _ in range(count)]
    return [grab.name for grab in grabs if grab is not None]


def test_files_come_in_natural_order_and_then_the_stream_ends(folder: Path) -> None:
    camera = FolderCamera(FolderCamera.Settings(path=folder))
    info = camera.open(1.0)
    assert (info.live, info.software_trigger, info.width, info.format) == (False, True, 8, PixelFormat.MONO8)
    assert camera.ignored == 1
    assert "5 images, 1 other files ignored" in info.model
    assert names(camera, 5) == ["part1.png", "part2.png", "part9.png", "part10.png", "part100.png"]
    with pytest.raises(EndOfStream, match="all 5 files"):
        camera.grab(1.0)


def test_loop_patterns_and_folders_below(folder: Path) -> None:
    assert names(opened(folder, loop=True, patterns=("part1*.png",)), 4) == [
        "part1.png", "part10.png", "part100.png", "part1.png",
    ]  # fmt: skip
    assert names(opened(folder, patterns=("**/*",)), 6)[0] == "more/deep.png"
    assert names(opened(folder / "part9.png"), 1) == ["part9.png"]


def test_a_bad_file_is_a_grab_with_an_error_and_the_rest_follow(folder: Path) -> None:
    (folder / "part2.png").write_bytes(b"")
    camera = opened(folder)
    grabs = [camera.grab(1.0) for _ in range(5)]
    assert [grab is not None and grab.error is None for grab in grabs] == [True, False, True, True, True]
    assert grabs[1] is not None
    assert grabs[1].name == "part2.png"


def test_the_rate_is_kept_and_no_file_is_passed_over(folder: Path) -> None:
    camera = opened(folder, rate_hz=25)
    assert names(camera, 1) == ["part1.png"]
    assert camera.grab(0.0) is None
    assert names(camera, 4) == ["part2.png", "part9.png", "part10.png", "part100.png"]


def test_triggers_take_the_next_file_until_there_is_none(folder: Path) -> None:
    camera = FolderCamera(FolderCamera.Settings(path=folder))
    camera.open(1.0, triggered=True)
    for _ in range(5):
        camera.trigger()
    with pytest.raises(CameraUnavailable, match="every file was given"):
        camera.trigger()
    assert len(names(camera, 5)) == 5
    with pytest.raises(EndOfStream):
        camera.grab(0.0)


def test_folders_that_give_nothing_say_why(tmp_path: Path) -> None:
    with pytest.raises(CameraUnavailable, match="no such folder"):
        opened(tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CameraUnavailable, match="no image among 1 files"):
        opened(tmp_path)
    with pytest.raises(CameraUnavailable, match="cannot be listed"):
        opened(tmp_path, patterns=("/abs/*",))
