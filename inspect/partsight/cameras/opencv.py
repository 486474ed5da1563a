"""V4L2 devices, video files and network streams through OpenCV.

OpenCV's reads cannot be given a time-out a call, so each kind of source is bounded in its own way: a V4L2
device is polled before it is read, a network stream carries its read time-out from the moment it is opened
(`read_timeout_s` is the longest that a `grab` can take there), a file does not wait.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from partsight.cameras.opencv_log import silence_opencv
from partsight.domain.errors import CameraLost, CameraUnavailable, EndOfStream
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.ports import CameraInfo

Kind = Literal["device", "url", "file"]

_CATCH_UP_S = 1.0
"""A source that after this long still hands out frames without waiting has no pace of its own."""
_DEVICE_BUFFERS = 4
"""Most frames that V4L2 keeps for OpenCV, where a driver does not let it keep one only."""


class OpenCvSettings(BaseModel):
    """Which source, and how.

    source: a device number or path (0, "/dev/video0"), a video file, or a URL (rtsp://, http://).
    width, height, fps, fourcc: asked of a device, which must then give just that size; not for files and URLs.
    open_timeout_s: for URLs. read_timeout_s: for URLs, the stream is lost when nothing came for so long.
    backend: auto takes V4L2 for devices and FFmpeg for the rest.
    loop: a file starts again at its end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)
    fps: float | None = Field(default=None, gt=0)
    fourcc: str | None = Field(default=None, min_length=4, max_length=4)
    open_timeout_s: float = Field(default=5.0, gt=0, le=60)
    read_timeout_s: float = Field(default=1.0, gt=0, le=60)
    backend: Literal["auto", "v4l2", "ffmpeg"] = "auto"
    loop: bool = False

    @property
    def kind(self) -> Kind:
        """What `source` names."""
        source = str(self.source)
        if source.isdigit() or source.startswith("/dev/"):
            return "device"
        return "url" if "://" in source else "file"


class OpenCvCamera:
    """One capture of OpenCV. Frame numbers count what was read, the frames that were passed over as stale too."""

    Settings: ClassVar[type[OpenCvSettings]] = OpenCvSettings

    def __init__(self, settings: OpenCvSettings) -> None:
        self._settings = settings
        self._name = re.sub(r"//[^/@]*@", "//***@", str(settings.source))
        self._capture: cv2.VideoCapture | None = None
        self._ahead: np.ndarray | None = None
        self._period_s = 0.0
        self._number = 0
        self._read_at = 0.0
        self._ended = False

    def open(self, timeout_s: float, *, triggered: bool = False) -> CameraInfo:
        """Open the source anew; what it had buffered is dropped. Raises CameraUnavailable."""
        self.close()
        _set_process_options()
        try:
            self._capture = self._connect(timeout_s)
            self._configure(self._capture)
            info = self._describe(self._capture)
        except cv2.error as problem:
            self.close()
            raise CameraUnavailable(f"{self._name}: OpenCV cannot open it: {problem}") from problem
        except CameraUnavailable:
            self.close()
            raise
        self._ended = False
        return info

    def grab(self, timeout_s: float) -> Grab | None:
        """The next frame. Raises CameraLost, EndOfStream (files)."""
        capture = self._capture
        if capture is None:
            raise CameraLost(f"{self._name} is not open: open it first")
        try:
            if self._settings.kind == "file":
                return self._next_of_file(capture)
            return self._next_live(capture, timeout_s)
        except cv2.error as problem:
            raise CameraLost(f"{self._name}: OpenCV failed to read it: {problem}; open it again") from problem

    def trigger(self) -> None:
        """Raises CameraUnavailable: no source that OpenCV reads can be triggered by software."""
        raise CameraUnavailable(f"{self._name} streams by itself and cannot be triggered by software")

    def close(self) -> None:
        """Release the source."""
        capture, self._capture, self._ahead = self._capture, None, None
        if capture is not None:
            try:
                capture.release()
            except cv2.error:
                return  # it is gone already, and nothing is left to give back

    def _connect(self, timeout_s: float) -> cv2.VideoCapture:
        settings, kind = self._settings, self._settings.kind
        if kind == "device":
            return self._opened(
                cv2.VideoCapture(self._device(), self._backend(cv2.CAP_V4L2)),
                "it is no V4L2 camera, or another program has it",
            )
        if kind == "file":
            if not Path(str(settings.source)).is_file():
                raise CameraUnavailable(f"{self._name}: there is no such file; set source to one that exists")
            return self._opened(
                cv2.VideoCapture(str(settings.source), self._backend(cv2.CAP_FFMPEG)),
                "it is no video that FFmpeg can read, or it is cut off at its start",
            )
        # FFmpeg's limit can pass twice before a read gives up, so each is half of what is allowed.
        parameters = [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _milliseconds(min(timeout_s, settings.open_timeout_s))),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, _milliseconds(settings.read_timeout_s / 2)),
            *(cv2.CAP_PROP_N_THREADS, 1),  # each decoding thread more holds back one frame more
        ]
        capture = cv2.VideoCapture(str(settings.source), self._backend(cv2.CAP_FFMPEG), parameters)
        return self._opened(capture, "nothing answers there in time, or it sends no video; is the camera on?")

    def _opened(self, capture: cv2.VideoCapture, problem: str) -> cv2.VideoCapture:
        if not capture.isOpened():
            capture.release()
            raise CameraUnavailable(f"{self._name} cannot be opened: {problem}")
        return capture

    def _backend(self, automatic: int) -> int:
        return {"auto": automatic, "v4l2": cv2.CAP_V4L2, "ffmpeg": cv2.CAP_FFMPEG}[self._settings.backend]

    def _device(self) -> str:
        source = str(self._settings.source)
        path = Path(f"/dev/video{source}" if source.isdigit() else source)
        if not path.exists():
            there = ", ".join(sorted(str(one) for one in Path("/dev").glob("video*"))) or "none"
            raise CameraUnavailable(f"{path}: there is no such device; video devices here: {there}. Is it plugged in?")
        if not os.access(path, os.R_OK | os.W_OK):
            raise CameraUnavailable(f"{path}: no permission; add this user to the group `video` and log in again")
        return str(path)

    def _configure(self, capture: cv2.VideoCapture) -> None:
        """Ask a device for its mode, and take no other size than the one asked for."""
        settings = self._settings
        if settings.kind != "device":
            return
        if settings.fourcc:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.fourcc))
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, settings.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, settings.height),
            (cv2.CAP_PROP_FPS, settings.fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            if value is not None:
                capture.set(key, value)
        width, height = _size_of(capture)
        if (settings.width or width, settings.height or height) != (width, height):
            raise CameraUnavailable(
                f"{self._name} gives {width} x {height} pixels, not {settings.width} x {settings.height}; "
                "`v4l2-ctl --list-formats-ext` lists its modes"
            )

    def _describe(self, capture: cv2.VideoCapture) -> CameraInfo:
        kind = self._settings.kind
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        self._period_s = 1 / fps if 0.1 < fps < 1000 else 0.0
        self._number = 0
        width, height = _size_of(capture)
        pixel_format = PixelFormat.BGR8
        if kind == "url":
            self._catch_up(capture)
        if kind == "file":
            read, first = capture.read()
            if not read:
                raise CameraUnavailable(f"{self._name} holds no frame that can be decoded; is the file whole?")
            self._ahead = np.asarray(first)
            height, width = self._ahead.shape[:2]
            pixel_format = _format_of(self._ahead)
        self._read_at = time.monotonic()
        live = kind != "file"
        return CameraInfo(
            model=f"{kind} {self._name}",
            width=width,
            height=height,
            format=pixel_format,
            live=live,
            software_trigger=False,
            frame_period_s=self._period_s or None if live else None,
        )

    def _catch_up(self, capture: cv2.VideoCapture) -> None:
        """Pass over what the stream had buffered: frames that come without any wait are old."""
        began = time.monotonic()
        while (asked := time.monotonic()) - began < _CATCH_UP_S:
            if not capture.grab():
                raise CameraUnavailable(f"{self._name} was opened but sends nothing")
            self._number += 1
            if time.monotonic() - asked >= max(0.4 * self._period_s, 0.004):
                return

    def _next_of_file(self, capture: cv2.VideoCapture) -> Grab:
        pixels, self._ahead = self._ahead, None
        if pixels is None:
            read, pixels = (False, None) if self._ended else capture.read()
            if not read and self._settings.loop:
                capture.open(str(self._settings.source), self._backend(cv2.CAP_FFMPEG))
                read, pixels = capture.read()
            if not read or pixels is None:
                self._ended = True
                raise EndOfStream(f"{self._name}: all {self._number} frames were given")
        return self._made(np.asarray(pixels), capture)

    def _next_live(self, capture: cv2.VideoCapture, timeout_s: float) -> Grab | None:
        if self._settings.kind == "device":
            return self._next_of_device(capture, timeout_s)
        if time.monotonic() - self._read_at > max(3 * self._period_s, 0.25):
            self._pass_over_old(capture)
        return self._made(self._read(capture), capture)

    def _next_of_device(self, capture: cv2.VideoCapture, timeout_s: float) -> Grab | None:
        until = time.monotonic() + timeout_s
        for _ in range(_DEVICE_BUFFERS):
            ready, _ = cv2.VideoCapture.waitAny([capture], max(int((until - time.monotonic()) * 1e9), 1))
            if not ready:
                return None
            grab = self._made(self._read(capture), capture)
            if not self._is_old(grab):
                return grab
        # Older than its queue is deep: this device is slow from exposure to here, and its frames are fresh.
        return grab

    def _is_old(self, grab: Grab) -> bool:
        """Whether a frame lay in the driver's queue: V4L2 stamps each with the monotonic clock, most drivers do."""
        if grab.device_time_ns is None:
            return False
        age_s = (time.monotonic_ns() - grab.device_time_ns) / 1e9
        return max(2 * self._period_s, 0.2) < age_s < 60

    def _read(self, capture: cv2.VideoCapture) -> np.ndarray:
        read, pixels = capture.read()
        self._read_at = time.monotonic()
        if not read or pixels is None:
            limit = f" or nothing came for {self._settings.read_timeout_s:g} s" if self._settings.kind == "url" else ""
            raise CameraLost(f"{self._name}: the stream ended{limit}; open it again")
        return np.asarray(pixels)

    def _pass_over_old(self, capture: cv2.VideoCapture) -> None:
        try:
            self._catch_up(capture)
        except CameraUnavailable as problem:
            raise CameraLost(f"{self._name}: the stream ended; open it again") from problem

    def _made(self, pixels: np.ndarray, capture: cv2.VideoCapture) -> Grab:
        self._number += 1
        at_ms = float(capture.get(cv2.CAP_PROP_POS_MSEC))
        pixel_format = _format_of(pixels)
        return Grab(
            pixels=pixels,
            format=pixel_format,
            bit_depth=16 if pixel_format is PixelFormat.MONO16 else 8,
            device_id=self._number,
            device_time_ns=int(at_ms * 1e6) if at_ms > 0 else None,
        )


def _set_process_options() -> None:
    """What OpenCV takes from the environment only; a site's own settings win.

    Its V4L2 read waits 10 s by itself where a device announces a frame and gives none. OpenCV and FFmpeg
    print to stderr what our own errors say. FFmpeg's capture options stay untouched: they would reach every
    source of the process, files too.
    """
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    silence_opencv()


def _milliseconds(seconds: float) -> int:
    return max(int(seconds * 1000), 1)


def _size_of(capture: cv2.VideoCapture) -> tuple[int, int]:
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def _format_of(pixels: np.ndarray) -> PixelFormat:
    if pixels.ndim == 3:
        return PixelFormat.BGR8
    return PixelFormat.MONO16 if pixels.dtype == np.uint16 else PixelFormat.MONO8
