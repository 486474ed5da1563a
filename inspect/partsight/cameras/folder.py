"""Image files as a camera: in natural order, once or without end."""

from __future__ import annotations

import os
import re
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import ClassVar

import cv2
import imagesize
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from partsight.cameras.opencv_log import silence_opencv
from partsight.domain.errors import CameraLost, CameraUnavailable, EndOfStream, ImageError
from partsight.domain.frame import Grab, PixelFormat, Pixels
from partsight.domain.ports import CameraInfo
from partsight.domain.reasons import Reason

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pnm"})
MAX_MEGAPIXELS = 64.0
TRIGGERS_WAITING = 64


def read_image(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Grab:
    """One image file as a Grab; what is wrong with it is the Grab's `error`, pixels are then (0, 0).

    8-bit files become Mono8 or BGR8, 16-bit ones Mono16, or BGR8 scaled down where they have colour. An alpha
    channel is dropped. Pixels stay as they are in the file: an orientation noted beside them is not applied.
    The size is read from the header first, so that a huge image is refused before it takes memory.
    """
    try:
        pixels = _decode(path, max_megapixels)
    except ImageError as problem:
        return Grab(np.zeros((0, 0), np.uint8), PixelFormat.MONO8, name=_text(path.name), error=problem)
    if pixels.ndim == 3:
        return Grab(pixels, PixelFormat.BGR8, name=_text(path.name))
    if pixels.dtype == np.uint16:
        return Grab(pixels, PixelFormat.MONO16, bit_depth=16, name=_text(path.name))
    return Grab(pixels, PixelFormat.MONO8, name=_text(path.name))


def _text(path: Path | str) -> str:
    """A file's name as text that every record and table takes: Linux allows bytes in it that are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def _decode(path: Path, max_megapixels: float) -> Pixels:
    _check_size(path, max_megapixels)
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise _unreadable(path, f"cannot be read: {problem.strerror}") from problem
    if not data:
        raise _unreadable(path, "is empty")
    if not _is_whole(data):
        raise _unreadable(path, "is cut off or damaged")
    # A broken file is reported by our own error; OpenCV would print lines of its own.
    silence_opencv()
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as problem:
        raise _unreadable(path, f"cannot be decoded: {problem}") from problem
    if pixels is None:
        raise _unreadable(path, "is not an image that can be decoded")
    return _as_frame(path, np.asarray(pixels))


def _check_size(path: Path, max_megapixels: float) -> None:
    """Raise ImageError where the header says more pixels than allowed, before anything is decoded."""
    try:
        width, height = imagesize.get(str(path))
        bytes_there = path.stat().st_size
    except OSError as problem:
        raise _unreadable(path, f"cannot be read: {problem.strerror}") from problem
    except (ValueError, struct.error, TypeError, IndexError, OverflowError) as problem:
        # What imagesize raises on headers that are cut off or nonsense.
        raise _unreadable(path, f"has a damaged header: {problem}") from problem
    if width > 0 and height > 0:
        megapixels = width * height / 1e6
        what = f"{width} x {height} pixels, {megapixels:.1f} megapixels"
    else:
        # Formats whose header is not known are not compressed: at least one byte a pixel.
        megapixels = bytes_there / 1e6 / 3
        what = f"{bytes_there / 1e6:.0f} MB"
    if megapixels > max_megapixels:
        message = (
            f"{_text(path)}: {what}; at most {max_megapixels:g} megapixels are read: raise max_megapixels or scale it"
        )
        raise ImageError(Reason.WRONG_SIZE, message)


def _is_whole(data: bytes) -> bool:
    """Whether the file's end is there: decoders fill what is missing with grey and say nothing."""
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    if data.startswith(b"\x89PNG"):
        return _png_is_whole(data)
    if data.startswith(b"BM") and len(data) >= 54:
        offset, _, width, height, _, bits, packing = struct.unpack_from("<IIiiHHI", data, 10)
        return bool(packing != 0 or len(data) >= offset + (width * bits + 31) // 32 * 4 * abs(height))
    return True


def _png_is_whole(data: bytes) -> bool:
    """Whether every chunk's check sum is right, up to the last one."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data) or zlib.crc32(data[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            return False
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at = end + 4
    return False


def _as_frame(path: Path, pixels: np.ndarray) -> Pixels:
    if pixels.dtype not in (np.uint8, np.uint16):
        raise _unreadable(path, f"has {pixels.dtype} values; 8 or 16 bits without sign are read")
    if pixels.ndim == 3 and pixels.shape[2] in (1, 2):
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3:
        pixels = pixels[:, :, :3]
        if pixels.dtype == np.uint16:
            pixels = (pixels >> 8).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def _unreadable(path: Path, what: str) -> ImageError:
    return ImageError(Reason.UNREADABLE, f"{_text(path)}: {what}; take the file out, or copy it again from its source")


class FolderSettings(BaseModel):
    """Which files.

    path: a folder, or one file.
    patterns: globs below the folder; `**/*` goes into folders below it.
    loop: start again after the last file.
    rate_hz: files a second, 0 for as fast as they are asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    patterns: tuple[str, ...] = Field(default=("*",), min_length=1)
    loop: bool = False
    rate_hz: float = Field(default=0.0, ge=0, le=1000)
    max_megapixels: float = Field(default=MAX_MEGAPIXELS, gt=0)


class FolderCamera:
    """Gives one file after another; no file is passed over. Triggered, each trigger gives the next file.

    `Grab.name` is the file's path relative to the folder. `ignored` counts files that are no images by their
    suffix.
    """

    Settings: ClassVar[type[FolderSettings]] = FolderSettings

    def __init__(self, settings: FolderSettings) -> None:
        self._settings = settings
        self._change = threading.Condition()
        self._files: tuple[Path, ...] = ()
        self._open = False
        self._triggered = False
        self._waiting = 0
        self._given = 0
        self._opened_at = 0.0
        self.ignored = 0

    def open(self, timeout_s: float, *, triggered: bool = False) -> CameraInfo:
        """List the files and start at the first. Raises CameraUnavailable where there is none."""
        self.close()
        files = self._list()
        first = read_image(files[0], self._settings.max_megapixels)
        with self._change:
            self._files, self._open, self._triggered = files, True, triggered
            self._waiting = self._given = 0
            self._opened_at = time.monotonic()
        rate = self._settings.rate_hz
        others = f", {self.ignored} other files ignored" if self.ignored else ""
        return CameraInfo(
            model=f"folder {self._settings.path}: {len(files)} images{others}",
            width=first.size[0],
            height=first.size[1],
            format=first.format,
            live=False,
            software_trigger=True,
            frame_period_s=1 / rate if rate and not triggered else None,
            first_id=1,
        )

    def grab(self, timeout_s: float) -> Grab | None:
        """The next file. Raises EndOfStream after the last, CameraLost when closed."""
        until = time.monotonic() + timeout_s
        with self._change:
            path = self._wait_for_turn(until)
            if path is None:
                return None
            self._given += 1
            number = self._given
        grab = read_image(path, self._settings.max_megapixels)
        root = self._settings.path
        name = path.relative_to(root).as_posix() if root.is_dir() else path.name
        return Grab(grab.pixels, grab.format, grab.bit_depth, device_id=number, name=_text(name), error=grab.error)

    def trigger(self) -> None:
        """Give the next file. Raises CameraLost when closed, CameraUnavailable when it cannot."""
        with self._change:
            if not self._open:
                raise CameraLost(f"{self._settings.path} is not open: open it before a trigger")
            if not self._triggered:
                raise CameraUnavailable(f"{self._settings.path} runs free: open it with triggered=True to trigger it")
            if not self._settings.loop and self._given + self._waiting >= len(self._files):
                raise CameraUnavailable(f"{self._settings.path}: every file was given; set loop to start again")
            if self._waiting >= TRIGGERS_WAITING:
                raise CameraUnavailable(f"{TRIGGERS_WAITING} triggers wait for their files: trigger less often")
            self._waiting += 1
            self._change.notify_all()

    def close(self) -> None:
        """Forget the place in the folder."""
        with self._change:
            self._open = False
            self._change.notify_all()

    def _list(self) -> tuple[Path, ...]:
        root = self._settings.path
        if root.is_file():
            return (root,)
        if not root.is_dir():
            raise CameraUnavailable(f"{root}: there is no such folder; set path to one that exists")
        try:
            found = {file for pattern in self._settings.patterns for file in root.glob(pattern) if file.is_file()}
        except (OSError, ValueError, NotImplementedError) as problem:
            raise CameraUnavailable(f"{root}: cannot be listed with {self._settings.patterns}: {problem}") from problem
        images = [file for file in found if file.suffix.lower() in IMAGE_SUFFIXES]
        self.ignored = len(found) - len(images)
        if not images:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            raise CameraUnavailable(
                f"{root}: no image among {len(found)} files for {list(self._settings.patterns)}; images end in {kinds}"
            )
        return tuple(sorted(images, key=lambda file: _natural(file.relative_to(root).as_posix())))

    def _wait_for_turn(self, until: float) -> Path | None:
        """The next file, None where its turn did not come before `until`."""
        while True:
            if not self._open:
                raise CameraLost(f"{self._settings.path} is not open: open it first")
            if not self._settings.loop and self._given >= len(self._files):
                raise EndOfStream(f"{self._settings.path}: all {len(self._files)} files were given")
            now = time.monotonic()
            due = self._due(now)
            if due <= now:
                self._waiting -= self._triggered
                return self._files[self._given % len(self._files)]
            if now >= until:
                return None
            self._change.wait(min(due, until) - now)

    def _due(self, now: float) -> float:
        if self._triggered:
            return now if self._waiting else float("inf")
        rate = self._settings.rate_hz
        return self._opened_at + self._given / rate if rate else now


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key that puts 2.png before 10.png."""
    return [
        (0, int(part), part) if part.isdigit() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name) if part
    ]
