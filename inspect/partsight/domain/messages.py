"""Events that the station tells and commands that it takes, as tagged unions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from partsight.domain.frame import Frame
from partsight.domain.inspection import Inspection
from partsight.domain.status import CameraStatus, Fault, StationState


@dataclass(frozen=True, slots=True)
class Finished:
    """A part has its verdict. `frames` are for slow lanes only and may be empty."""

    inspection: Inspection
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class StateChanged:
    before: StationState
    after: StationState
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FaultRaised:
    fault: Fault


@dataclass(frozen=True, slots=True)
class FaultCleared:
    fault: Fault
    at: datetime


@dataclass(frozen=True, slots=True)
class CameraChanged:
    status: CameraStatus


Event = Finished | StateChanged | FaultRaised | FaultCleared | CameraChanged


@dataclass(frozen=True, slots=True)
class Start:
    source: str


@dataclass(frozen=True, slots=True)
class Stop:
    source: str


@dataclass(frozen=True, slots=True)
class TriggerPart:
    """Judge the part that is under the cameras now."""

    source: str
    part_id: str = ""
    id: int | None = None
    encoder: int | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """Acknowledge latched faults."""

    source: str


Command = Start | Stop | TriggerPart | Reset
