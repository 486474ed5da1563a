"""Events that the station tells and commands that it takes, as tagged unions.

Both come from several threads; who is told must return at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, unique
from typing import Any

from partsight.domain.frame import Frame
from partsight.domain.inspection import Inspection
from partsight.domain.status import CameraStatus, Fault, StationState
from partsight.domain.trigger import Trigger

# --- events ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Latched:
    """A trigger is accepted: its part gets a verdict."""

    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Exposed:
    """Every frame of the part is there: the part may move."""

    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Missed:
    """A trigger came while it could not be served; its part is rejected."""

    trigger: Trigger
    why: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A part has its verdict. `frames` are for slow lanes only and may be empty."""

    inspection: Inspection
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The station's state, or what it says beside it (ready, mode, line stop), is another."""

    before: StationState
    after: StationState
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FaultRaised:
    """A fault stands now."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class FaultCleared:
    """A fault is over or was acknowledged."""

    fault: Fault
    at: datetime


@dataclass(frozen=True, slots=True)
class CameraChanged:
    """A camera's state is another."""

    status: CameraStatus


@dataclass(frozen=True, slots=True)
class ChallengeFinished:
    """A challenge test has ended. `missed`: known bad parts that passed or good ones that did not."""

    passed: bool
    parts: int
    missed: int
    at: datetime


Event = (
    Latched
    | Exposed
    | Missed
    | Finished
    | StateChanged
    | FaultRaised
    | FaultCleared
    | CameraChanged
    | ChallengeFinished
)

# --- commands --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """READY, HELD or HALTED to RUNNING."""

    source: str


@dataclass(frozen=True, slots=True)
class Stop:
    """To HALTED: parts are rejected until `Start`."""

    source: str


@dataclass(frozen=True, slots=True)
class Hold:
    """To HELD: parts are rejected until `Start`."""

    source: str


@dataclass(frozen=True, slots=True)
class Reset:
    """Acknowledge latched faults and take back a line-stop request."""

    source: str


@dataclass(frozen=True, slots=True)
class SelectRecipe:
    """Change to another recipe: by name, by `name@revision`, or by its integer id."""

    source: str
    name: str = ""
    id: int | None = None


@dataclass(frozen=True, slots=True)
class TriggerPart:
    """Judge the part that is under the cameras now."""

    source: str
    part_id: str = ""
    id: int | None = None
    encoder: int | None = None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The PLC has taken every verdict up to this id (16 bit, round again)."""

    source: str
    id: int


@dataclass(frozen=True, slots=True)
class PlcHeartbeat:
    """The PLC is alive."""

    source: str


@dataclass(frozen=True, slots=True)
class RejectReport:
    """What the reject sensor saw of a part: was a reject commanded, and was it confirmed?"""

    source: str
    id: int
    commanded: bool
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Challenge:
    """Begin a challenge test of so many known parts: `bad` says of each, in order, whether it is bad."""

    source: str
    bad: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Bypass:
    """Inspect, never reject: for a supervisor, shown for as long as it lasts. Not on MQTT."""

    source: str
    on: bool


Command = (
    Start
    | Stop
    | Hold
    | Reset
    | SelectRecipe
    | TriggerPart
    | Acknowledge
    | PlcHeartbeat
    | RejectReport
    | Challenge
    | Bypass
)


@unique
class Answer(IntEnum):
    """How a command ended."""

    DONE = 0
    NOT_NOW = 1
    NOT_ALLOWED = 2
    INVALID = 3
    UNKNOWN = 4
    FAILED = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """Every command gets one."""

    code: Answer
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True where the command was carried out."""
        return self.code is Answer.DONE
