"""Frame pixels into a model's input and boxes back: ultralytics' own geometry, to the pixel.

The frame is scaled by the smaller of the two ratios (bilinear), centred, and framed with grey.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from partsight.domain.errors import DetectorError
from partsight.domain.frame import Grab, PixelFormat

Bytes = npt.NDArray[np.uint8]

# OpenCV names a Bayer pattern by its second row, GenICam by its first: the aliases by four letters are unambiguous.
DEMOSAIC: dict[PixelFormat, int] = {
    PixelFormat.BAYER_RG8: cv2.COLOR_BayerRGGB2BGR,
    PixelFormat.BAYER_GB8: cv2.COLOR_BayerGBRG2BGR,
    PixelFormat.BAYER_GR8: cv2.COLOR_BayerGRBG2BGR,
    PixelFormat.BAYER_BG8: cv2.COLOR_BayerBGGR2BGR,
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a frame lies in the model's input.

    frame_width, frame_height: the frame. gain: input pixels for one frame pixel.
    left, top: the frame's corner in the input. width, height: the scaled frame, at least 1 by 1.
    """

    frame_width: int
    frame_height: int
    gain: float
    left: int
    top: int
    width: int
    height: int


def geometry(frame_size: tuple[int, int], input_size: tuple[int, int]) -> Geometry:
    """How a frame of (width, height) is placed into an input of (width, height)."""
    frame_w, frame_h = frame_size
    input_w, input_h = input_size
    gain = min(input_h / frame_h, input_w / frame_w)
    # A frame that is thinner than half a pixel after scaling still keeps one.
    width, height = max(1, round(frame_w * gain)), max(1, round(frame_h * gain))
    # The 0.1 settles halves as ultralytics does: the odd pixel of a border goes to the right and to the bottom.
    left, top = round((input_w - width) / 2 - 0.1), round((input_h - height) / 2 - 0.1)
    return Geometry(frame_w, frame_h, gain, left, top, width, height)


def to_frame(boxes: npt.NDArray[np.floating[Any]], place: Geometry) -> npt.NDArray[np.float32]:
    """Boxes (n, 4) x1 y1 x2 y2 in input pixels as (n, 4) float32 in frame pixels, clipped to the frame."""
    # float64: a finite float32 cannot overflow on the way.
    moved = boxes.astype(np.float64)
    moved -= (place.left, place.top, place.left, place.top)
    # Each side was rounded to whole pixels by itself, so each has its own scale.
    moved /= (place.width / place.frame_width, place.height / place.frame_height) * 2
    np.maximum(moved, 0.0, out=moved)
    np.minimum(moved, (place.frame_width, place.frame_height) * 2, out=moved)
    return moved.astype(np.float32)


def check_pixels(grab: Grab) -> None:
    """Raises DetectorError where the pixels are not what the grab's format says."""
    pixels = grab.pixels
    form = grab.format
    dims = 3 if form.channels == 3 else 2
    fits = pixels.ndim == dims and (dims == 2 or pixels.shape[2] == 3) and pixels.dtype == form.dtype
    if not fits or pixels.size == 0:
        wanted = f"{form.dtype} (h, w{', 3' if dims == 3 else ''}), not empty"
        raise DetectorError(
            f"frame {grab.name!r}: {form.value} pixels are {pixels.dtype} {pixels.shape}; need {wanted}"
        )
    if form is PixelFormat.MONO16 and not 1 <= grab.bit_depth <= 16:
        raise DetectorError(f"frame {grab.name!r}: bit_depth is {grab.bit_depth}; Mono16 has 1 to 16")
    if form in DEMOSAIC and min(pixels.shape[:2]) < 3:
        raise DetectorError(f"frame {grab.name!r}: a Bayer frame of {pixels.shape} is too small; it needs 3x3 pixels")


class Letterbox:
    """Owns the input of a model as BGR bytes, (batch, height, width, 3), and everything needed to fill it.

    One thread. `pixels` is the same memory for life: a backend may bind it once.
    """

    def __init__(self, width: int, height: int, pad: int = 114, batch: int = 1) -> None:
        self.pixels: Bytes = np.full((batch, height, width, 3), pad, np.uint8)
        self._size = (width, height)
        self._pad = pad
        self._places: list[Geometry | None] = [None] * batch
        self._scratch: dict[str, Bytes] = {}

    def fill(self, slot: int, grab: Grab) -> Geometry:
        """Write a frame of any pixel format into one slot. Raises DetectorError."""
        check_pixels(grab)
        place = self._places[slot]
        if place is None or (place.frame_width, place.frame_height) != grab.size:
            place = self._clear(slot, grab.size)
        target = self.pixels[slot, place.top : place.top + place.height, place.left : place.left + place.width]
        try:
            self._draw(grab, (place.width, place.height), target)
        except cv2.error as problem:
            raise DetectorError(f"frame {grab.name!r}: OpenCV cannot scale {grab.pixels.shape}: {problem}") from problem
        return place

    def _clear(self, slot: int, frame_size: tuple[int, int]) -> Geometry:
        # Only a frame of another size moves the border, so it is painted then and not for each frame.
        place = geometry(frame_size, self._size)
        self.pixels[slot] = self._pad
        self._places[slot] = place
        return place

    def _draw(self, grab: Grab, size: tuple[int, int], target: Bytes) -> None:
        pixels: Any = grab.pixels
        same = grab.size == size
        if grab.format is PixelFormat.MONO16:
            scale = 255 / ((1 << grab.bit_depth) - 1)
            pixels = self._kept("depth", pixels.shape, lambda out: cv2.convertScaleAbs(pixels, out, scale))
        if grab.format.channels == 1 and grab.format not in DEMOSAIC:
            # One channel is scaled before it becomes three: the same bytes for a third of the work.
            if not same:
                pixels = self._kept("grey", (size[1], size[0]), lambda out: _scale(pixels, size, out))
            _into(target, cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR, target))
            return
        code = DEMOSAIC.get(grab.format)
        if code is not None and same:
            _into(target, cv2.cvtColor(pixels, code, target))
            return
        if code is not None:
            shape = (*pixels.shape, 3)
            pixels = self._kept("colour", shape, lambda out: cv2.cvtColor(pixels, code, out))
        if same:
            np.copyto(target, pixels)
        else:
            _into(target, _scale(pixels, size, target))

    def _kept(self, name: str, shape: tuple[int, ...], work: Callable[[Bytes], Any]) -> Bytes:
        # Memory that is kept from frame to frame: fresh pages cost more than the work on them.
        buffer = self._scratch.get(name)
        if buffer is None or buffer.shape != shape:
            buffer = self._scratch[name] = np.empty(shape, np.uint8)
        _into(buffer, work(buffer))
        return buffer


def _scale(pixels: Any, size: tuple[int, int], out: Bytes) -> Any:
    return cv2.resize(pixels, size, dst=out, interpolation=cv2.INTER_LINEAR)


def _into(target: Bytes, result: Any) -> None:
    """OpenCV writes into `dst` where the layout allows it, and else returns memory of its own."""
    if result is not target and not np.may_share_memory(result, target):
        np.copyto(target, result)
