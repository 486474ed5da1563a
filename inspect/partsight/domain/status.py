"""What the station says of itself: frozen snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, unique

from partsight.domain.verdict import Result


@unique
class StationState(str, Enum):
    """States of the contract with the line; see docs/plc for their PackML numbers."""

    PREOPERATIONAL = "PREOPERATIONAL"
    INITIALIZED = "INITIALIZED"
    READY = "READY"
    RUNNING = "RUNNING"
    HELD = "HELD"
    SUSPENDED = "SUSPENDED"
    HALTED = "HALTED"
    ERROR = "ERROR"

    @property
    def packml(self) -> int:
        """The state's number in PackTags (ISA-TR88.00.02)."""
        return _PACKML[self][0]

    @property
    def packml_name(self) -> str:
        """The state's name in PackML."""
        return _PACKML[self][1]


_PACKML: dict[StationState, tuple[int, str]] = {
    StationState.PREOPERATIONAL: (15, "RESETTING"),
    StationState.INITIALIZED: (2, "STOPPED"),
    StationState.READY: (4, "IDLE"),
    StationState.RUNNING: (6, "EXECUTE"),
    StationState.HELD: (11, "HELD"),
    StationState.SUSPENDED: (5, "SUSPENDED"),
    StationState.HALTED: (2, "STOPPED"),
    StationState.ERROR: (9, "ABORTED"),
}


@unique
class Mode(str, Enum):
    """What the verdicts are for. SIMULATION: the parts are not real. BYPASS: nothing is rejected."""

    PRODUCTION = "PRODUCTION"
    SIMULATION = "SIMULATION"
    CHALLENGE = "CHALLENGE"
    BYPASS = "BYPASS"


@dataclass(frozen=True, slots=True)
class Counters:
    """One consistent snapshot: `triggers == ok + ng + review + invalid + in_flight`, always.

    late: model answers that came after the deadline had rejected the part.
    frames_dropped: frames that free run passed over; they were never parts.
    images_dropped, previews_dropped: slow-lane losses, never verdicts.
    """

    triggers: int = 0
    ok: int = 0
    ng: int = 0
    review: int = 0
    invalid: int = 0
    in_flight: int = 0
    late: int = 0
    missed: int = 0
    frames_dropped: int = 0
    images_dropped: int = 0
    by_reason: Mapping[int, int] = field(default_factory=dict)

    def of(self, result: Result) -> int:
        """How many parts had this result."""
        return {Result.OK: self.ok, Result.NG: self.ng, Result.REVIEW: self.review, Result.INVALID: self.invalid}[
            result
        ]

    @property
    def balanced(self) -> bool:
        """The accounting identity of rule 1."""
        return self.triggers == self.ok + self.ng + self.review + self.invalid + self.in_flight


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that people must know: what, where, since when, what to do. `code`: for a PLC, a `Reason` or 0."""

    key: str
    text: str
    cure: str
    since: datetime
    latched: bool = False
    code: int = 0


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A camera's state: opening, streaming, stalled, backoff, ended or stopped, and its counts.

    `received == delivered + dropped + incomplete + queued`, always.
    """

    name: str
    state: str
    error: str = ""
    received: int = 0
    delivered: int = 0
    dropped: int = 0
    incomplete: int = 0
    queued: int = 0
    reconnects: int = 0


@dataclass(frozen=True, slots=True)
class StationStatus:
    """A frozen snapshot of the station.

    ready: as the line sees it; triggers are judged in RUNNING only. since: of the state.
    last_id: of the newest accepted trigger, 0 none.
    error, error_text: of the fault that made it ERROR or SUSPENDED, 0 and "" else.
    line_stop: the line is asked to stop. overrun: a verdict had no free slot (hand-shake with acknowledgement).
    unacknowledged: verdicts that the PLC has not acknowledged (0 where it never does).
    model: name and the first 12 digits of its hash.
    """

    name: str
    epoch: int
    state: StationState
    ready: bool
    mode: Mode
    since: datetime
    last_id: int
    counters: Counters
    faults: tuple[Fault, ...]
    cameras: tuple[CameraStatus, ...]
    recipe: str
    recipe_id: int
    model: str
    backend: str
    deadline_ms: float
    error: int = 0
    error_text: str = ""
    line_stop: bool = False
    overrun: bool = False
    unacknowledged: int = 0
    challenge_due: bool = False
