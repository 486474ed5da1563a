"""From the station's events to those that screens are told."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from partsight.api.channel import EventMessage
from partsight.api.parts import part_row
from partsight.api.snapshot import camera_note, fault_note
from partsight.domain.inspection import Inspection
from partsight.domain.messages import (
    CameraChanged,
    ChallengeFinished,
    Event,
    FaultCleared,
    FaultRaised,
    Finished,
    Missed,
    StateChanged,
)
from partsight.wire.message import clean
from partsight.wire.screen.message import now

Queued = Event | Inspection | EventMessage
"""What waits to be told: a finished part without its pixels, any other event, or one that is told as it is."""


def message_of(item: Queued, names: tuple[str, ...]) -> EventMessage:
    """names: the model's classes. Raises ValueError for what cannot be told."""
    if isinstance(item, EventMessage):
        return item
    if isinstance(item, Finished):
        item = item.inspection
    if isinstance(item, Inspection):
        return EventMessage(kind="finished", at=now(), data=_json(part_row(item, names)))
    if isinstance(item, Missed):
        trigger = item.trigger
        data = {"sequence": trigger.sequence, "id": trigger.id, "part_id": clean(trigger.part_id), "text": item.why}
        return EventMessage(kind="missed", at=trigger.at, data=data)
    if isinstance(item, StateChanged):
        data = {"before": item.before.value, "after": item.after.value, "why": item.why}
        return EventMessage(kind="state", at=item.at, data=data)
    if isinstance(item, FaultRaised):
        return EventMessage(kind="fault", at=item.fault.since, data=_json(fault_note(item.fault)))
    if isinstance(item, FaultCleared):
        return EventMessage(kind="fault-over", at=item.at, data=_json(fault_note(item.fault, item.at)))
    if isinstance(item, CameraChanged):
        return EventMessage(kind="camera", at=now(), data=_json(camera_note(item.status)))
    if isinstance(item, ChallengeFinished):
        data = {"passed": item.passed, "parts": item.parts, "missed": item.missed}
        return EventMessage(kind="challenge", at=item.at, data=data)
    raise ValueError(f"{type(item).__name__} is no event for screens")


def _json(note: BaseModel) -> dict[str, Any]:
    return note.model_dump(mode="json")
