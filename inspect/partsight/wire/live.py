"""The verdict channel: what a PLC acts on within milliseconds. Flat, integers, never retained.

`verdict_message(inspection)`, `heartbeat(status, n, time)`, `trigger_ack(event)`; for receivers
`VerdictMessage.parse(bytes)`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_core import to_json

from partsight.domain.inspection import Inspection
from partsight.domain.messages import Exposed, Latched, Missed
from partsight.domain.status import Mode, StationStatus
from partsight.domain.verdict import Action, Result
from partsight.wire.message import MAX_ID, EpochMs, Flag, Id, Int64, Message, Version, clean, epoch_ms

MAX_VERDICT_BYTES = 200

RESULT_NUMBERS: dict[Result, int] = {Result.OK: 1, Result.NG: 2, Result.REVIEW: 3, Result.INVALID: 3}
"""`r`: ResultEvaluation of OPC 40001-101."""


class VerdictMessage(Message):
    """One part's verdict, at most 200 bytes, keys always in this order.

    `a` alone decides: a receiver passes the part if `a` is 0 for this `e` and `id` before its gate, and in no other
    case. A long part id is cut.
    """

    v: Version = 1
    e: Annotated[int, Field(ge=0, description="epoch: boot counter of the station")]
    id: Annotated[Id, Field(description="result id, the PLC's if it gave one")]
    p: Annotated[str, Field(description="part id, its beginning where it is long")]
    r: Annotated[int, Field(ge=1, le=3, description="1 OK, 2 NG, 3 not decidable (REVIEW and INVALID)")]
    a: Annotated[int, Field(ge=0, le=2, description="0 pass, 1 reject, 2 hold (no pass)")]
    c: Annotated[int, Field(ge=0, description="reason code, 0 for none, 1000 + class for a defect")]
    enc: Annotated[Int64, Field(description="encoder at the trigger, 0 without one")]
    t: Annotated[EpochMs, Field(description="time of the trigger")]
    dl: Annotated[EpochMs, Field(description="deadline: after it only a reject may be believed")]


class Heartbeat(Message):
    """Ten a second, `n` counts on only while every loop of the station ticks within its own time."""

    e: Annotated[int, Field(ge=0)]
    n: Annotated[int, Field(ge=0)]
    rdy: Annotated[Flag, Field(description="1: the PLC may send parts; in READY (PackML 4) only after start")]
    packml: Annotated[int, Field(description="state, numbers of PackTags")]
    id: Annotated[int, Field(ge=0, le=MAX_ID, description="newest accepted trigger, 0 for none")]
    t: EpochMs


class TriggerAck(Message):
    """What became of a trigger: latched, exposed (the part may move), missed (its part is rejected)."""

    e: Annotated[int, Field(ge=0)]
    id: Id
    st: Literal["latched", "exposed", "missed"]


def sent_action(inspection: Inspection) -> Action:
    """What the line is told to do with the part: BYPASS passes every one, with its true result."""
    return Action.PASS if inspection.mode is Mode.BYPASS else inspection.verdict.action


def verdict_message(inspection: Inspection) -> VerdictMessage:
    """Never fails, whatever the inspection holds: it is on the way of a reject."""
    part = clean(inspection.trigger.part_id)
    whole = _message(inspection, part)
    over = len(whole.to_bytes()) - MAX_VERDICT_BYTES
    return whole if over <= 0 else _message(inspection, _cut(part, _json_bytes(part) - over))


def _message(inspection: Inspection, part: str) -> VerdictMessage:
    trigger, verdict = inspection.trigger, inspection.verdict
    at = epoch_ms(trigger.at)
    values: dict[str, Any] = {
        "v": 1,
        "e": trigger.epoch,
        "id": trigger.id,
        "p": part,
        "r": RESULT_NUMBERS[verdict.result],
        "a": int(sent_action(inspection)),
        "c": int(verdict.code),
        "enc": trigger.encoder if trigger.encoder is not None else 0,
        "t": at,
        "dl": at + (trigger.deadline_ns - trigger.at_ns) // 1_000_000,
    }
    try:
        return VerdictMessage.model_validate(values)
    except ValidationError:
        # A reject must leave even where one of our own numbers is out of its range; the receiver rejects either way.
        return VerdictMessage.model_construct(**values)


def _cut(text: str, room: int) -> str:
    """The longest beginning of `text` that takes at most `room` bytes inside a JSON string."""
    used = 0
    for n, character in enumerate(text):
        used += _json_bytes(character)
        if used > room:
            return text[:n]
    return text


def _json_bytes(text: str) -> int:
    return len(to_json(text)) - 2


def heartbeat(status: StationStatus, n: int, time: datetime) -> Heartbeat:
    """`n` is the sender's own counter: see `CommandSink.alive`."""
    return Heartbeat(
        e=status.epoch,
        n=n,
        rdy=1 if status.ready else 0,
        packml=status.state.packml,
        id=status.last_id,
        t=epoch_ms(time),
    )


def trigger_ack(event: Latched | Exposed | Missed) -> TriggerAck:
    """The acknowledgement that belongs to an event of the station."""
    step: Literal["latched", "exposed", "missed"] = (
        "latched" if isinstance(event, Latched) else "exposed" if isinstance(event, Exposed) else "missed"
    )
    return TriggerAck(e=event.trigger.epoch, id=event.trigger.id, st=step)
