"""The newest frame of each camera, in memory that the daemon and the API share.

One anonymous file (memfd), inherited by the API's process: a slot a camera, two buffers a slot, so that a reader has
a whole frame's time before the writer comes back to the buffer that it reads. The file is sparse: only what was written
takes memory. It is written and read by pwrite and pread, which let other threads run and, unlike a mapping, answer with
an error where memory has run out or the file is short.

A buffer is `begun (8 bytes) | done (8 bytes) | pixels`, both of them stamps: pixels that were read are whole if `begun`
and `done` are still the stamp that was asked for.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from partsight.domain.frame import Grab, PixelFormat, Pixels

SLOT_BYTES = 256 << 20
"""Two buffers of 128 MiB: 44 megapixels in colour."""
_HEADER = struct.Struct("=QQ")
_HEAD = 4096
"""Bytes before the pixels: a page, so that they are aligned."""


class FrameWriter:
    """The daemon's side. One thread writes."""

    def __init__(self, cameras: Sequence[str], slot_bytes: int = SLOT_BYTES) -> None:
        """Raises OSError where the kernel gives no memfd."""
        self.slot_bytes = slot_bytes
        self._places = {name: n * slot_bytes for n, name in enumerate(cameras)}
        self._stamps: dict[str, int] = dict.fromkeys(cameras, 0)
        self.fd = os.memfd_create("partsight-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, max(1, len(cameras)) * slot_bytes)
        # The other process cannot take the memory away under our feet.
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)

    def put(self, camera: str, grab: Grab) -> int | None:
        """The stamp under which the pixels lie; None where they are too large for a slot. Raises OSError."""
        pixels = np.ascontiguousarray(grab.pixels)
        if _HEAD + pixels.nbytes > self.slot_bytes // 2:
            return None
        stamp = self._stamps[camera] + 1
        self._stamps[camera] = stamp
        place = _place(self._places[camera], self.slot_bytes, stamp)
        os.pwrite(self.fd, _HEADER.pack(stamp, 0), place)
        _write(self.fd, pixels.data.cast("B"), place + _HEAD)
        os.pwrite(self.fd, _HEADER.pack(stamp, stamp), place)
        return stamp

    def close(self) -> None:
        os.close(self.fd)


class FrameReader:
    """The API's side; any thread may read."""

    def __init__(self, fd: int, cameras: Sequence[str], slot_bytes: int) -> None:
        self._fd = fd
        self._slot_bytes = slot_bytes
        self._places: Mapping[str, int] = {name: n * slot_bytes for n, name in enumerate(cameras)}

    def read(self, camera: str, stamp: int, width: int, height: int, format: PixelFormat) -> Pixels | None:  # noqa: A002 - the contract's word
        """A copy, (h, w) or (h, w, 3); None where a newer frame has taken its place. Raises OSError, KeyError."""
        shape = (height, width, 3) if format.channels == 3 else (height, width)
        pixels: Pixels = np.empty(shape, format.dtype)
        place = _place(self._places[camera], self._slot_bytes, stamp)
        if _HEAD + pixels.nbytes > self._slot_bytes // 2:
            return None
        whole = _read(self._fd, pixels.data.cast("B"), place + _HEAD)
        begun, done = _HEADER.unpack(os.pread(self._fd, _HEADER.size, place))
        return pixels if whole and begun == done == stamp else None


def _place(slot: int, slot_bytes: int, stamp: int) -> int:
    return slot + (stamp % 2) * (slot_bytes // 2)


def _write(fd: int, data: memoryview, at: int) -> None:
    while data:
        written = os.pwrite(fd, data, at)
        data, at = data[written:], at + written


def _read(fd: int, data: memoryview, at: int) -> bool:
    while data:
        got = os.preadv(fd, [data], at)
        if got == 0:
            return False
        data, at = data[got:], at + got
    return True
