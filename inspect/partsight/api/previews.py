"""Pictures for screens: the newest frame of each camera, made small and encoded once for all who want it alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import cv2
import structlog

from partsight.api.channel import FrameMessage
from partsight.api.frames import FrameReader
from partsight.domain.frame import Frame, Grab, PixelFormat
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.outputs.images.overlay import Bgr, to_bgr8
from partsight.wire.screen.stream import PreviewHeader, pack_preview

log = structlog.get_logger(__name__)

WORKERS = 2
Size = tuple[int, int]
"""Width and quality of a JPEG."""


class Picture:
    """One frame as it is shown. Its pixels are read when somebody wants them."""

    def __init__(self, message: FrameMessage, frames: FrameReader) -> None:
        self.camera = message.camera
        self.stamp = message.stamp
        self.header = message.header
        self._message = message
        self._frames = frames
        self._lock = threading.Lock()
        self._bgr: Bgr | None = None
        self._gone = False

    def encode(self, width: int, quality: int) -> bytes | None:
        """A JPEG at most `width` pixels wide; None where a newer frame has taken the pixels' place. In any thread."""
        with self._lock:
            if self._bgr is None and not self._gone:
                self._bgr = self._read()
                self._gone = self._bgr is None
            image = self._bgr
        if image is None:
            return None
        _, encoded = cv2.imencode(".jpg", smaller(image, width), [cv2.IMWRITE_JPEG_QUALITY, quality])
        return encoded.tobytes()

    def _read(self) -> Bgr | None:
        message = self._message
        try:
            form = PixelFormat(message.format)
            pixels = self._frames.read(message.camera, message.stamp, message.width, message.height, form)
            if pixels is None:
                return None
            return to_bgr8(Frame(_NOBODY, message.camera, Grab(pixels, form, message.bit_depth), 0))
        except (OSError, KeyError, ValueError, cv2.error) as error:
            log.warning("a frame cannot be shown", camera=message.camera, error=str(error))
            return None


def smaller(image: Bgr, width: int) -> Bgr:
    """At most `width` pixels wide, itself where it is no wider: (h, w, 3) uint8.

    Averaging over areas is quick by whole numbers only: 1080p to 1255 pixels would take 16 ms, more than a part's own
    judging leaves on a small machine. So by the factor's whole part that way, and by the rest, which is less than two,
    between neighbours: 2 to 4 ms.
    """
    high, wide = image.shape[:2]
    if width >= wide:
        return image
    whole = wide // width
    if whole > 1 and high >= whole:
        # What a division leaves over at the right and below, less than `whole` pixels, is cut off: under a pixel shown.
        cut = image[: high // whole * whole, : wide // whole * whole]
        image = cv2.resize(cut, (wide // whole, high // whole), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]  # cv2's stubs say only that it is an array
    size = (width, max(1, round(high * width / wide)))
    if (image.shape[1], image.shape[0]) != size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]  # as above
    return image


class Pictures:
    """The newest picture of each camera, and its JPEGs. On one event loop; encodes in threads of its own."""

    def __init__(self, frames: FrameReader) -> None:
        # More threads than its own would take cores from the judging.
        cv2.setNumThreads(1)
        self._frames = frames
        self._newest: dict[str, Picture] = {}
        self._jpegs: dict[str, dict[Size, asyncio.Future[bytes | None]]] = {}
        self._packed: dict[str, dict[tuple[int, int, int], bytes]] = {}
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="jpeg")
        self.encoded = 0
        """JPEGs that were made."""

    @property
    def newest(self) -> Mapping[str, Picture]:
        """By camera."""
        return self._newest

    def put(self, message: FrameMessage) -> Picture:
        """The newest from now on. What was encoded of the one before is dropped."""
        picture = Picture(message, self._frames)
        self._newest[message.camera] = picture
        self._jpegs[message.camera] = {}
        self._packed[message.camera] = {}
        return picture

    async def message(self, picture: Picture, width: int, quality: int, dropped: int) -> bytes | None:
        """A binary message of the WebSocket; None where the pixels are gone. dropped: see `PreviewHeader`."""
        jpeg = await self._jpeg(picture, (width, quality))
        if jpeg is None:
            return None
        key = (width, quality, dropped)
        kept = self._packed[picture.camera] if self._newest.get(picture.camera) is picture else {}
        if key not in kept:
            kept[key] = pack_preview(_with(picture.header, dropped), jpeg)
        return kept[key]

    def close(self) -> None:
        """Let what is being encoded end by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _jpeg(self, picture: Picture, size: Size) -> bytes | None:
        kept = self._jpegs[picture.camera] if self._newest.get(picture.camera) is picture else {}
        if size not in kept:
            self.encoded += 1
            kept[size] = asyncio.get_running_loop().run_in_executor(self._pool, picture.encode, *size)
        # Whoever stops waiting does not take it from the others.
        return await asyncio.shield(kept[size])


def _with(header: PreviewHeader, dropped: int) -> PreviewHeader:
    return header.model_copy(update={"dropped": dropped})


_NOBODY = Trigger(0, 1, 0, TriggerKind.CALL, datetime.fromtimestamp(0, timezone.utc), 0, 0, "")
"""`to_bgr8` wants a frame, and a frame belongs to a trigger."""
