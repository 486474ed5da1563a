"""A camera over a simulated line: boards without end, their defects known, faults on request."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from partsight.cameras.simulated.misbehaviour import Kind, Misbehaviour, Temper
from partsight.cameras.simulated.world import World
from partsight.domain.errors import CameraLost, CameraUnavailable
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.ports import CameraInfo

Rate = Annotated[float, Field(ge=0, le=1)]
TRIGGERS_WAITING = 64
"""A trigger more than this is refused: real cameras ignore triggers while they are busy."""


class SimulatedSettings(BaseModel):
    """What the line makes and how its camera looks at it.

    part: name of the part type; another name is another layout.
    width, height: pixels; at 640 x 640 copper has the scale of DeepPCB's images.
    rate_hz: parts a second in free run, 0 for as fast as they are asked for.
    defect_rate, empty_rate, shifted_rate, rotated_rate, wrong_rate: shares of the parts, 0..1.
    defects_per_bad_part: least and most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str = Field(default="A", min_length=1, max_length=40)
    width: int = Field(default=640, ge=64, le=8192)
    height: int = Field(default=640, ge=64, le=8192)
    seed: int = Field(default=1, ge=0)
    rate_hz: float = Field(default=10.0, ge=0, le=1000)
    defect_rate: Rate = 0.2
    defects_per_bad_part: tuple[Annotated[int, Field(ge=1, le=12)], Annotated[int, Field(ge=1, le=12)]] = (1, 3)
    empty_rate: Rate = 0.02
    shifted_rate: Rate = 0.02
    rotated_rate: Rate = 0.02
    wrong_rate: Rate = 0.02
    format: Literal["BGR8", "Mono8"] = "BGR8"
    misbehaviour: tuple[Misbehaviour, ...] = ()

    @model_validator(mode="after")
    def _adds_up(self) -> SimulatedSettings:
        if self.empty_rate + self.shifted_rate + self.rotated_rate + self.wrong_rate > 1:
            raise ValueError("empty_rate + shifted_rate + rotated_rate + wrong_rate is more than 1")
        if self.defects_per_bad_part[0] > self.defects_per_bad_part[1]:
            raise ValueError("defects_per_bad_part: the first number is the least, the second the most")
        return self


class SimulatedCamera:
    """The same seed gives the same parts in the same order, whether or not somebody looks at each.

    In free run parts come at `rate_hz`, and those that nobody grabs pass by unseen: their numbers are
    missing. Triggered, each `trigger()` is one part. The belt goes on where it was when the camera is opened
    again; frame numbers (`device_id`) then start at 1 again.
    """

    Settings: ClassVar[type[SimulatedSettings]] = SimulatedSettings

    def __init__(self, settings: SimulatedSettings) -> None:
        self._settings = settings
        self._change = threading.Condition()
        self._temper = Temper(settings.misbehaviour)
        self._waiting: deque[int] = deque()
        self._world: World | None = None
        self._open = False
        self._triggered = False
        self._next_part = 0
        self._opened_at = 0.0
        self._first_part = 0
        self._last_part = -1
        self._device_id = 0
        self._picture: NDArray[np.uint8] | None = None

    def open(self, timeout_s: float, *, triggered: bool = False) -> CameraInfo:
        """Start the belt. Raises CameraUnavailable while a disconnect lasts."""
        self.close()
        if self._temper.refuses_to_open(time.monotonic()):
            raise CameraUnavailable("the simulated camera is unplugged, as its settings ask; it will come back")
        settings = self._settings
        if self._world is None:
            self._world = World(settings)
        with self._change:
            self._open, self._triggered = True, triggered
            self._first_part, self._last_part = self._next_part, self._next_part - 1
            self._device_id = 0
            self._opened_at = time.monotonic()
        return CameraInfo(
            model=f"simulated line, part {settings.part}",
            width=settings.width,
            height=settings.height,
            format=PixelFormat(settings.format),
            live=True,
            software_trigger=True,
            simulated=True,
            frame_period_s=1 / settings.rate_hz if settings.rate_hz and not triggered else None,
            first_id=1,
        )

    def grab(self, timeout_s: float) -> Grab | None:
        """The next part's picture with the truth attached. Raises CameraLost."""
        until = time.monotonic() + timeout_s
        while True:
            with self._change:
                part, kind = self._wait_for_part(until)
            if part is None:
                return None
            passed, self._last_part = part - self._last_part, part
            if kind != "stall" or self._triggered:  # triggers are counted also where no picture comes
                self._device_id += passed
            if kind not in ("stall", "drop"):
                return self._expose(part, kind)
            if self._gives_up(kind, until):
                return None

    def trigger(self) -> None:
        """Take the next part's picture. Raises CameraLost when closed, CameraUnavailable when it cannot."""
        with self._change:
            if not self._open:
                raise CameraLost("the simulated camera is not open: open it before a trigger")
            if not self._triggered:
                raise CameraUnavailable("the simulated camera runs free: open it with triggered=True to trigger it")
            if len(self._waiting) >= TRIGGERS_WAITING:
                raise CameraUnavailable(
                    f"{TRIGGERS_WAITING} triggers wait for their frames; this one is refused: trigger less often"
                )
            self._waiting.append(self._next_part)
            self._next_part += 1
            self._change.notify_all()

    def misbehave(self, kind: Kind, *, parts: int | None = None, seconds: float | None = None) -> None:
        """Begin a fault with the next part, for a number of parts or seconds; from any thread."""
        with self._change:
            self._temper.add(Misbehaviour(kind=kind, after=0, parts=parts, seconds=seconds))
            self._change.notify_all()

    def close(self) -> None:
        """Stop the belt; pictures that nobody took are gone."""
        with self._change:
            self._open = False
            self._waiting.clear()
            self._picture = None

    def _wait_for_part(self, until: float) -> tuple[int | None, Kind | None]:
        """The number of the part under the camera with its fault, None where no part came before `until`."""
        while True:
            if not self._open:
                raise CameraLost("the simulated camera is not open: open it first")
            now = time.monotonic()
            coming = self._waiting[0] if self._waiting else self._next_part
            if self._temper.at(coming, now) == "disconnect":
                self._open = False
                self._waiting.clear()
                raise CameraLost("the simulated camera was unplugged, as its settings ask; open it again")
            part, due = self._part_at(now)
            if part is not None:
                return part, self._temper.at(part, now)
            if now >= until:
                return None, None
            self._change.wait(min(until, due) - now)

    def _part_at(self, now: float) -> tuple[int | None, float]:
        """The part to show now, or None and when the next one is due."""
        if self._triggered:
            return (self._waiting.popleft(), now) if self._waiting else (None, float("inf"))
        rate = self._settings.rate_hz
        if rate == 0:
            part = self._next_part
        else:
            part = self._first_part + int((now - self._opened_at) * rate) - 1
            if part < self._next_part:
                return None, self._opened_at + (self._next_part - self._first_part + 1) / rate
        self._next_part = part + 1
        return part, now

    def _gives_up(self, kind: str, until: float) -> bool:
        """After a part that gave no picture: whether the caller's time is over.

        A belt without a pace of its own would run through millions of parts here: it waits instead.
        """
        if self._settings.rate_hz or self._triggered:
            return False
        with self._change:
            rest = until - time.monotonic()
            self._change.wait(max(rest if kind == "stall" else min(rest, 0.001), 0))
        return time.monotonic() >= until

    def _expose(self, part: int, kind: Kind | None) -> Grab:
        assert self._world is not None
        picture, truth = self._world.render(part, colour=self._settings.format == "BGR8")
        if kind == "freeze" and self._picture is not None:
            picture = self._picture
        elif kind == "black":
            picture = np.zeros_like(picture)
        elif kind == "overexposed":
            picture = np.asarray(cv2.convertScaleAbs(picture, alpha=1.0, beta=190), dtype=np.uint8)
        self._picture = picture
        return Grab(
            pixels=picture,
            format=PixelFormat(self._settings.format),
            device_id=self._device_id,
            device_time_ns=time.monotonic_ns(),
            truth=truth,
        )
