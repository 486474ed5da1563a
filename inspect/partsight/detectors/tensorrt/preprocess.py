"""What the letterbox kernel is fed with: integer tables by OpenCV's own rules, arguments, and the frame's bytes.

With them the kernel gives the same bits as the CPU's way (`detectors/letterbox.py`, then the multiplication of
`detectors/onnx.py`); float16 is the nearest even value to that float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from partsight.detectors.letterbox import DEMOSAIC, Geometry, check_pixels, geometry
from partsight.domain.errors import DetectorError
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.model import ModelSpec

Bytes = npt.NDArray[np.uint8]
Table = npt.NDArray[np.int32]

# One letter an argument, as `struct` has them, in the order of the kernel's source.
SIGNATURE = "PiPiiiiiiPPifiiii"
BLOCK = (32, 8, 1)

# OpenCV's INTER_RESIZE_COEF_SCALE: weights have 11 bits.
WEIGHT_ONE = 2048

# Where red lies in the 2x2 pattern: bit 0 its column, bit 1 its row. By GenICam's names: the letters are the first row.
RED = {PixelFormat.BAYER_RG8: 0, PixelFormat.BAYER_GR8: 1, PixelFormat.BAYER_GB8: 2, PixelFormat.BAYER_BG8: 3}


@dataclass(frozen=True, slots=True)
class Feed:
    """All that the kernel needs for frames of one size and format into one model.

    columns: (place.width, 4) int32 {x0, x1, a0, a1}; rows: (place.height, 4) int32. Both are to lie on the device.
    kernel: the function's name in the module. grid: blocks of BLOCK threads.
    """

    place: Geometry
    format: PixelFormat
    kernel: str
    grid: tuple[int, int, int]
    columns: Table
    rows: Table
    _model: tuple[int, int, int, float, bool]

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Of the uint8 array that `stage` fills."""
        size = (self.place.frame_height, self.place.frame_width)
        return (*size, 3) if self.format is PixelFormat.BGR8 else size

    def arguments(self, source: int, stride: int, target: int, columns: int, rows: int) -> tuple[int | float, ...]:
        """The kernel's arguments, as SIGNATURE says.

        source: the staged frame's address on the device. stride: its bytes a row. target: where this image's three
        planes begin (an image of a batch is an offset). columns, rows: the tables' addresses on the device.
        """
        width, height, pad, scale, rgb = self._model
        place = self.place
        scaled = (place.width, place.height, place.left, place.top)
        frame = (place.frame_width, place.frame_height, RED.get(self.format, 0))
        return (source, stride, target, width, height, *scaled, columns, rows, pad, scale, int(rgb), *frame)


def kernel_module() -> bytes:
    """The kernels as PTX text, ended by a NUL as `cuModuleLoadData` wants it. Raises DetectorError where it is not
    packaged."""
    try:
        text = resources.files("partsight.detectors.tensorrt.kernels").joinpath("letterbox.ptx").read_bytes()
    except OSError as problem:
        raise DetectorError(f"the CUDA kernel is missing from the installation ({problem}); install again") from problem
    return text + b"\0"


def feed(frame_size: tuple[int, int], form: PixelFormat, spec: ModelSpec, dtype: np.dtype[Any]) -> Feed:
    """For frames of (width, height) in a format, into planes of float32 or float16. Raises DetectorError."""
    place = geometry(frame_size, (spec.width, spec.height))
    # The multiplication is one of float32, as on the CPU.
    model = (spec.width, spec.height, spec.pad, float(np.float32(spec.scale)), spec.colour == "RGB")
    grid = (-(-spec.width // BLOCK[0]), -(-spec.height // BLOCK[1]), 1)
    columns = axis_table(place.frame_width, place.width, clamp_weights=True)
    rows = axis_table(place.frame_height, place.height, clamp_weights=False)
    return Feed(place, form, kernel_name(form, dtype), grid, columns, rows, model)


def kernel_name(form: PixelFormat, dtype: np.dtype[Any]) -> str:
    """The function in the module for a frame's format and the model's input type. Raises DetectorError."""
    kinds = {np.dtype(np.float32): "f32", np.dtype(np.float16): "f16"}
    if dtype not in kinds:
        raise DetectorError(f"the GPU's preprocessing writes float32 or float16, not {dtype}; export the model again")
    return f"letterbox_{'bgr' if form is PixelFormat.BGR8 else 'bayer' if form in DEMOSAIC else 'mono'}_{kinds[dtype]}"


def axis_table(source: int, scaled: int, *, clamp_weights: bool) -> Table:
    """(scaled, 4) int32: the two source positions of each scaled one, and their weights, by the rules of cv2.resize.

    clamp_weights: OpenCV sets the weights at the edge to all or nothing in x; in y it only repeats the edge's row.
    Both are the same picture, but not always the same last bit.
    """
    scale = 1.0 / (scaled / source)  # by OpenCV's way to it: source / scaled can differ in the last bit
    position = ((np.arange(scaled, dtype=np.float64) + 0.5) * scale - 0.5).astype(np.float32)
    first = np.floor(position).astype(np.int32)
    part = (position - first).astype(np.float32)
    if clamp_weights:
        part[(first < 0) | (first >= source - 1)] = 0
    # rint rounds halves to even, as OpenCV's saturate_cast does.
    weights = (np.rint((np.float32(1) - part) * np.float32(WEIGHT_ONE)), np.rint(part * np.float32(WEIGHT_ONE)))
    places = (np.clip(first, 0, source - 1), np.clip(first + 1, 0, source - 1))
    return np.ascontiguousarray(np.stack([*places, *weights], axis=1).astype(np.int32))


def stage(grab: Grab, out: Bytes) -> None:
    """Copy a frame's pixels into pinned memory, `out`, of the feed's `frame_shape`; 16 bits become 8 as on the CPU.

    Raises DetectorError where pixels and format do not fit each other.
    """
    check_pixels(grab)
    if grab.format is not PixelFormat.MONO16:
        np.copyto(out, grab.pixels)
        return
    scaled = cv2.convertScaleAbs(grab.pixels, out, 255 / ((1 << grab.bit_depth) - 1))
    if not np.may_share_memory(scaled, out):
        np.copyto(out, scaled)
