"""Our states in the words and numbers of OPC 40100-1."""

from __future__ import annotations

from partsight.domain.status import StationState, StationStatus
from partsight.domain.verdict import Result

OUTER: dict[str, int] = {"Preoperational": 1, "Halted": 2, "Error": 3, "Operational": 4}
"""States of the VisionStateMachine."""
AUTOMATIC: dict[str, int] = {"Initialized": 5, "Ready": 6, "SingleExecution": 7, "ContinuousExecution": 8}
"""States of the AutomaticModeStateMachine inside Operational."""

_OURS: dict[StationState, tuple[str, str | None]] = {
    StationState.PREOPERATIONAL: ("Preoperational", None),
    StationState.INITIALIZED: ("Operational", "Initialized"),
    StationState.READY: ("Operational", "Ready"),
    StationState.RUNNING: ("Operational", "ContinuousExecution"),
    StationState.HELD: ("Operational", "Ready"),
    StationState.SUSPENDED: ("Operational", "Ready"),
    StationState.HALTED: ("Halted", None),
    StationState.ERROR: ("Error", None),
}

EVALUATION = {Result.OK: 1, Result.NG: 2, Result.REVIEW: 3, Result.INVALID: 3}
"""ResultEvaluation of OPC 40001-101: 1 OK, 2 not OK, 3 not decidable."""

COMPLETED, FAILED = 1, 4
"""ResultState: a part that could not be judged is a failed processing."""


def vision_states(status: StationStatus, *, single: bool) -> tuple[str, str | None]:
    """State of the VisionStateMachine, and of the automatic mode inside it (None outside Operational).

    single: the run was begun by StartSingleJob and its result is not there yet.
    """
    outer, inner = _OURS[status.state]
    return outer, "SingleExecution" if inner == "ContinuousExecution" and single else inner


def result_state(result: Result) -> int:
    """ResultState of OPC 40100-1."""
    return FAILED if result is Result.INVALID else COMPLETED
