"""Which of the station's events belong into the record stream, and as what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from partsight.domain.messages import CameraChanged, ChallengeFinished, Event, FaultCleared, FaultRaised, StateChanged
from partsight.domain.ports import Clock


def record_of_event(event: Event, clock: Clock) -> tuple[str, dict[str, Any], datetime] | None:
    """(kind, data, at), None for what has a channel of its own."""
    if isinstance(event, StateChanged):
        return "state", {"before": event.before.value, "after": event.after.value, "why": event.why}, event.at
    if isinstance(event, FaultRaised):
        fault = event.fault
        data = {"key": fault.key, "text": fault.text, "cure": fault.cure, "latched": fault.latched}
        return "fault", data, fault.since
    if isinstance(event, FaultCleared):
        return "fault-cleared", {"key": event.fault.key, "text": event.fault.text}, event.at
    if isinstance(event, CameraChanged):
        status = event.status
        return "camera", {"name": status.name, "state": status.state, "error": status.error}, clock.utc()
    if isinstance(event, ChallengeFinished):
        return "challenge", {"passed": event.passed, "parts": event.parts, "missed": event.missed}, event.at
    return None
