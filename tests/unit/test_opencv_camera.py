"""Video files that end, are cut off or are none, and devices that are not there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from partsight.cameras.opencv import OpenCvCamera, OpenCvSettings
from partsight.domain.errors import CameraUnavailable, EndOfStream


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "line.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for number in range(10):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


def levels(camera: OpenCvCamera, most: int) -> list[int]:
    """Which frames came, by their grey level, up to the end or `most`."""
    found: list[int] = []
    try:
        while len(found) < most:
            grab = camera.grab(1.0)
            assert grab is not None
            found.append(int(float(grab.pixels.mean()) / 20 + 0.3))
    except EndOfStream:
        pass
    return found


def test_a_file_gives_every_frame_once(video: Path) -> None:
    camera = OpenCvCamera(OpenCvSettings(source=str(video)))
    info = camera.open(1.0)
    assert (info.live, info.software_trigger, info.width, info.height) == (False, False, 64, 48)
    assert levels(camera, 100) == list(range(10))
    camera.close()


def test_a_looped_file_starts_again(video: Path) -> None:
    camera = OpenCvCamera(OpenCvSettings(source=str(video), loop=True))
    camera.open(1.0)
    assert levels(camera, 25) == [number % 10 for number in range(25)]
    camera.close()


def test_a_file_that_is_cut_off_gives_what_is_whole_and_ends(video: Path) -> None:
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    grain = np.random.default_rng(0).integers(0, 20, (240, 320, 3), np.uint8)
    for number in range(10):
        writer.write(grain + np.uint8(20 * number))
    writer.release()
    whole = video.read_bytes()
    video.write_bytes(whole[: int(len(whole) * 0.6)])
    camera = OpenCvCamera(OpenCvSettings(source=str(video)))
    camera.open(1.0)
    found = levels(camera, 100)
    assert 0 < len(found) < 10
    assert found[:-1] == list(range(len(found) - 1))
    camera.close()


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 100])
def test_a_file_that_is_no_video_is_unavailable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(CameraUnavailable, match=r"x\.mp4"):
        OpenCvCamera(OpenCvSettings(source=str(path))).open(1.0)


def test_an_absent_device_names_those_that_are_there() -> None:
    with pytest.raises(CameraUnavailable, match="video devices here") as caught:
        OpenCvCamera(OpenCvSettings(source=97)).open(1.0)
    assert "/dev/video97" in str(caught.value)


def test_a_device_that_is_no_camera_is_unavailable() -> None:
    with pytest.raises(CameraUnavailable, match="no V4L2 camera"):
        OpenCvCamera(OpenCvSettings(source="/dev/null")).open(1.0)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (0, "device"),
        ("2", "device"),
        ("/dev/video0", "device"),
        ("rtsp://10.0.0.5/main", "url"),
        ("http://h/x.mjpg", "url"),
        ("parts/line.mp4", "file"),
    ],
)
def test_what_a_source_is(source: int | str, kind: str) -> None:
    assert OpenCvSettings(source=source).kind == kind
