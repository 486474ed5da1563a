"""The ports: what the station needs from cameras, detectors, outputs and the clock.

Each is small; every blocking call takes a timeout; drivers own no threads, queues or retries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from partsight.domain.detections import Detections, ModelRef
from partsight.domain.frame import Frame, Grab, PixelFormat
from partsight.domain.inspection import Inspection
from partsight.domain.messages import Command, Reply
from partsight.domain.status import StationStatus
from partsight.domain.trigger import Trigger


class Clock(Protocol):
    """Monotonic time for durations, UTC for records."""

    def monotonic_ns(self) -> int: ...

    def utc(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """What an opened camera is.

    live: pixels come from a sensor, so two bit-identical frames mean a frozen camera.
    software_trigger: `trigger()` makes exactly one frame; without it the camera streams by itself.
    simulated: the parts are not real; every record says so.
    frame_period_s: time between frames where the camera streams by itself, None where it is not known.
    first_id: where the camera counts its triggers, the `device_id` of the first frame after opening: the n-th trigger
        that was not refused gives the frame first_id + n, or none if that was lost or missed. None: no such promise.
    """

    model: str
    width: int
    height: int
    format: PixelFormat
    live: bool
    software_trigger: bool
    simulated: bool = False
    frame_period_s: float | None = None
    first_id: int | None = None


class Camera(Protocol):
    """Pixels in. One thread calls `open`, `grab` and `close`; `trigger` may come from another.

    A camera that was closed or lost can be opened again.
    """

    def open(self, timeout_s: float, *, triggered: bool = False) -> CameraInfo:
        """Open the device. `triggered`: give a frame for each `trigger()` only, if the camera can.

        Raises CameraUnavailable.
        """

    def grab(self, timeout_s: float) -> Grab | None:
        """The next image, or None where none came within the timeout.

        A file that cannot be read is a Grab with `error`, not an exception.
        Raises CameraLost, EndOfStream.
        """

    def trigger(self) -> None:
        """Ask for one frame. Returns at once.

        Raises CameraLost, CameraUnavailable where it cannot; a trigger that was refused so is not counted.
        """

    def close(self) -> None:
        """Give the device back. Never raises; harmless when it is not open."""


@dataclass(frozen=True, slots=True)
class DetectionTimes:
    """Milliseconds that the last `detect` call spent in each of its steps, for the whole batch."""

    preprocess_ms: float
    infer_ms: float
    decode_ms: float


class Detector(Protocol):
    """Pixels to detections. One thread calls all of it; owns its device context."""

    @property
    def model(self) -> ModelRef: ...

    @property
    def names(self) -> tuple[str, ...]:
        """The model's classes, by class id."""

    @property
    def times(self) -> DetectionTimes:
        """Of the last `detect` call."""

    def warm_up(self) -> None:
        """Run enough inferences that the next one is as fast as any."""

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """One Detections for each frame, in order. Raises DetectorError."""

    def close(self) -> None:
        """Give the device back. Never raises."""


class Output(Protocol):
    """Verdicts out, on the fast lane: `publish` must return at once and never raise.

    An output that also has `tell(event: Event) -> None` is told every event, from any thread; it must return at once.
    """

    def publish(self, inspection: Inspection) -> None: ...


class CommandSink(Protocol):
    """Where outputs hand in what the line or a person asks for, and where they read how the station is.

    Thread-safe and never raises. `status` and all commands return within milliseconds, but for SelectRecipe: it waits
    for the part in work and for the self-test, up to the deadline and ten seconds. Call it from a thread that may wait.
    """

    def command(self, command: Command) -> Reply:
        """Carry it out, or say why not. A trigger's reply holds `sequence` and `id` in `data`."""

    def status(self) -> StationStatus:
        """A frozen snapshot."""

    def alive(self) -> bool:
        """True while every loop of the station ticked within its own time; a heartbeat counts on only then."""


class Records(Protocol):
    """The durable record of every part. Thread-safe."""

    def reserve(self, count: int) -> int:
        """The first of `count` sequence numbers that were never given out before and never will be again."""

    def latch(self, trigger: Trigger) -> None:
        """Note an accepted trigger so that it survives a killed process. Microseconds; raises RecordsError."""

    def latch_reject(self, sequence: int, code: int) -> None:
        """Note that a reject for this trigger has left before its record. Microseconds; raises RecordsError."""

    def commit(self, inspection: Inspection) -> None:
        """Write one inspection in one durable transaction. Raises RecordsError.

        A second commit for a sequence replaces a pass that the deadline has overruled by its INVALID verdict,
        and nothing else: what is recorded otherwise never changes.
        """

    def rehearse(self) -> None:
        """One durable transaction that records nothing, to measure how long one takes. Raises RecordsError."""


class FrameSink(Protocol):
    """Where pixels go after the verdict: the slow lane. `offer` returns at once; False when it dropped them."""

    def offer(self, inspection: Inspection, frames: Sequence[Frame]) -> bool: ...
