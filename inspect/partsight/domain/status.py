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
    """Something that people must know: what, where, since when, what to do."""

    key: str
    text: str
    cure: str
    since: datetime
    latched: bool = False


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
    """A frozen snapshot of the station."""

    name: str
    epoch: int
    state: StationState
    counters: Counters
    faults: tuple[Fault, ...]
    cameras: tuple[CameraStatus, ...]
    recipe: str
    model: str
    backend: str
