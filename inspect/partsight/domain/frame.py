"""Pixels: what a driver returns and what the station makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import Any

import numpy as np
import numpy.typing as npt

from partsight.domain.trigger import Trigger

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@unique
class PixelFormat(str, Enum):
    """Layout of a frame's pixels, by GenICam's names where one exists."""

    MONO8 = "Mono8"
    MONO16 = "Mono16"
    BGR8 = "BGR8"
    BAYER_RG8 = "BayerRG8"
    BAYER_GB8 = "BayerGB8"
    BAYER_GR8 = "BayerGR8"
    BAYER_BG8 = "BayerBG8"

    @property
    def channels(self) -> int:
        """Values a pixel: 3 for BGR8, 1 for all others."""
        return 3 if self is PixelFormat.BGR8 else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint16 for Mono16, uint8 for all others."""
        return np.dtype(np.uint16 if self is PixelFormat.MONO16 else np.uint8)


@dataclass(frozen=True, slots=True)
class TruthBox:
    """A defect that is really there: its class name and its box (x1, y1, x2, y2) in frame pixels."""

    name: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a simulated or annotated part really is.

    `place` is "present", "absent", "shifted", "rotated" or "wrong": only a part that is present is
    good or bad; all others must never pass.
    """

    place: str
    defects: tuple[TruthBox, ...] = ()

    @property
    def good(self) -> bool:
        """True for a part in its place without defects: the only one that may pass."""
        return self.place == "present" and not self.defects


@dataclass(frozen=True, slots=True)
class Grab:
    """One image as a driver gives it.

    pixels: (h, w) for one channel, (h, w, 3) for BGR8; C-contiguous, never written again by the driver.
    bit_depth: significant bits of each value (8, 10, 12, 16).
    device_id: the camera's own frame number, None where it has none.
    device_time_ns: the camera's own clock, None where it has none.
    complete: False where parts of the image were lost on the way.
    error: why there are no usable pixels (an image file that cannot be read); pixels are then empty.
    """

    pixels: Pixels
    format: PixelFormat
    bit_depth: int = 8
    device_id: int | None = None
    device_time_ns: int | None = None
    complete: bool = True
    name: str = ""
    truth: Truth | None = None
    error: Exception | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class Frame:
    """A grab that belongs to a trigger. Its pixels are raw and read-only.

    arrived_ns: the station's monotonic clock when the grab was complete.
    """

    trigger: Trigger
    camera: str
    grab: Grab
    arrived_ns: int

    def __post_init__(self) -> None:
        self.grab.pixels.flags.writeable = False

    @property
    def pixels(self) -> Pixels:
        return self.grab.pixels

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.grab.size
