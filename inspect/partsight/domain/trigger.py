"""The call to judge one part."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, unique


@unique
class TriggerKind(str, Enum):
    """Where a trigger came from."""

    FREE_RUN = "free-run"
    TIMER = "timer"
    FOLDER = "folder"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Trigger:
    """One part to be judged, from the moment the station has accepted it.

    sequence: the station's internal key of a part, never reused, may skip.
    id: 1 to 65535 and round again; the PLC's if it gives one, else ours.
    epoch: boot counter of the station.
    at: UTC, for records.
    at_ns: the station's monotonic clock, for durations.
    deadline_ns: the monotonic time after which only a reject may leave.
    encoder: the line's encoder count at the trigger, None without one.
    """

    sequence: int
    id: int
    epoch: int
    kind: TriggerKind
    at: datetime
    at_ns: int
    deadline_ns: int
    part_id: str = ""
    encoder: int | None = None
