"""Kept images as clients get them: the file as it is, or a smaller JPEG of it.

Which file is meant comes from the part's own record, never from what a client writes; and no file is opened that does
not lie in the image folder itself.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import anyio.to_thread
import cv2
import numpy as np
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from partsight.api.parts import image_files
from partsight.domain.errors import UnknownRecord
from partsight.domain.frame import Frame
from partsight.domain.inspection import Inspection
from partsight.outputs.images.archive import FOLDER
from partsight.outputs.images.files import decode_original
from partsight.outputs.images.overlay import to_bgr8
from partsight.wire.screen.parts import ImageKind

CACHE_BYTES = 32 << 20
JPEG_QUALITY = 85
CHUNK = 256 << 10
FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}
"""An image of a part never changes: another one has another part's number, or another file."""
_LINKS = {errno.ELOOP, errno.ENOTDIR}


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An open file of the image folder. Whoever has it closes `file`."""

    file: BinaryIO
    name: str
    size: int
    mtime_ns: int

    @property
    def media_type(self) -> str:
        """By its ending, which the archive gives."""
        return "image/jpeg" if self.name.endswith(".jpg") else "image/png"

    def etag(self, width: int | None = None) -> str:
        """Changes with the file and with the width."""
        return f'"{self.mtime_ns:x}-{self.size:x}-{width or 0}"'


def open_image(folder: Path, inspection: Inspection, camera: str, kind: ImageKind) -> KeptImage:
    """A part's image. folder: the data folder. Raises UnknownRecord where it was never kept, or is gone."""
    sequence = inspection.trigger.sequence
    path = image_files(inspection).get((camera, kind))
    if path is None:
        raise UnknownRecord(f"no {kind} of camera {camera[:64]!r} was kept of part {sequence}")
    try:
        return _open_inside(folder, path)
    except FileNotFoundError:
        raise UnknownRecord(
            f"the {kind} of part {sequence} was kept, and is gone: removed to keep the budget of images, or by hand"
        ) from None
    except OSError as problem:
        if problem.errno in _LINKS:
            raise UnknownRecord(f"the {kind} of part {sequence} is a link to another place; it is not served") from None
        raise UnknownRecord(f"the {kind} of part {sequence} cannot be read: {problem.strerror}") from None


def _open_inside(folder: Path, path: str) -> KeptImage:
    """Follows no link below the image folder (which itself may be one, to a larger disk). Raises OSError."""
    parts = PurePosixPath(path).parts
    if len(parts) < 2 or parts[0] != FOLDER or ".." in parts:
        raise FileNotFoundError(errno.ENOENT, "not a path of the image folder", path)
    here = os.open(folder / FOLDER, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[1:-1]:
            below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = below
        # NONBLOCK: a pipe that somebody put there must not hold up the thread.
        handle = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)
    file = os.fdopen(handle, "rb")
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        file.close()
        raise OSError(errno.ELOOP, "not a plain file", path)
    return KeptImage(file, parts[-1], found.st_size, found.st_mtime_ns)


def scaled(kept: KeptImage, inspection: Inspection, camera: str, width: int) -> bytes:
    """A JPEG at most `width` pixels wide; never larger than the image. Raises ImageError (a file that is no image)."""
    grab = decode_original(kept.file.read(), kept.name)
    image = to_bgr8(Frame(inspection.trigger, camera, grab, 0))
    if image.shape[1] > width:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        image = np.ascontiguousarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()


class ScaledCache:
    """The JPEGs that were asked for last, up to a number of bytes. Thread-safe."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """Never more than `max_bytes`."""
        return self._bytes

    def get(self, name: str, etag: str) -> bytes | None:
        """etag: of the image at its width."""
        with self._lock:
            found = self._kept.get((name, etag))
            if found is not None:
                self._kept.move_to_end((name, etag))
            return found

    def put(self, name: str, etag: str, jpeg: bytes) -> None:
        """The ones that were not asked for the longest go first; one larger than the whole cache is not kept."""
        if len(jpeg) > self._max_bytes:
            return
        with self._lock:
            self._bytes += len(jpeg) - len(self._kept.pop((name, etag), b""))
            self._kept[name, etag] = jpeg
            while self._bytes > self._max_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1])


class FileAnswer(StreamingResponse):
    """A file in pieces, so that a slow client costs no memory. Closes the file."""

    def __init__(self, kept: KeptImage, headers: dict[str, str]) -> None:
        self._kept = kept
        super().__init__(
            self._pieces(), media_type=kept.media_type, headers={**headers, "content-length": str(kept.size)}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with suppress(OSError):
                self._kept.file.close()

    async def _pieces(self) -> AsyncIterator[bytes]:
        left = self._kept.size
        while left and (piece := await anyio.to_thread.run_sync(self._kept.file.read, min(CHUNK, left))):
            left -= len(piece)
            yield piece
