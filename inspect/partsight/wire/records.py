"""The record channel: whole records with a gap-free `seq`, repeated until they have arrived.

`result_record(inspection, *, station, seq, supersedes=None, context=LineContext())`,
`event_record(kind, data, *, station, epoch, seq, at)`; for receivers `ResultRecord.parse(bytes)`,
`EventRecord.parse(bytes)`, and `record_of(bytes)`, which tells the two apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from partsight.domain.inspection import Inspection
from partsight.domain.reasons import DEFECT_BASE, reason_text
from partsight.domain.status import Mode
from partsight.domain.verdict import Action, Finding, Result
from partsight.wire.live import sent_action
from partsight.wire.message import Message, WireError, clean, explain, rfc3339

ActionName = Literal["PASS", "REJECT", "HOLD"]
_ACTIONS: dict[Action, ActionName] = {Action.PASS: "PASS", Action.REJECT: "REJECT", Action.HOLD: "HOLD"}

Seq = Annotated[int, Field(ge=1, description="gap-free for ever; a receiver drops what it has already")]


@dataclass(frozen=True, slots=True)
class LineContext:
    """What the line said that is not of one part: batch, order, and how far the clock may be trusted."""

    batch: str = ""
    order: str = ""
    clock: str = ""


class RecordRecipe(Message):
    """The recipe that decided; name "" where a restart closed the part."""

    name: str
    rev: int
    sha256: str


class RecordModel(Message):
    """The model that was asked."""

    name: str
    sha256: str
    backend: str
    precision: str


class RecordReason(Message):
    """Why the part did not pass."""

    code: int
    text: str


class RecordDefect(Message):
    """A defect that was found. box_px: x1, y1, x2, y2 in the camera's frame."""

    name: Annotated[str, Field(alias="class")]
    code: int
    camera: str
    score: float | None
    box_px: tuple[float, float, float, float] | None
    rule: str


class RecordTimes(Message):
    """trigger: RFC 3339, UTC. All others: milliseconds since the trigger, infer and decide: durations."""

    trigger: str
    capture_ms: float | None
    infer_ms: float | None
    decide_ms: float | None
    verdict_ms: float | None
    deadline_ms: float


class RecordImage(Message):
    """uri: relative to the station's data folder. sha256: None where the image was not written yet."""

    sha256: str | None
    uri: str


class RecordPlc(Message):
    """What the PLC said of the part by the time of the record; None where it had not yet spoken."""

    acked: bool | None = None
    reject_confirmed: bool | None = None


class ResultRecord(Message):
    """One part, whole. `action` is what the line was told (in BYPASS always PASS)."""

    schema_: Annotated[Literal["vi.result/1"], Field(alias="schema")] = "vi.result/1"
    station: str
    epoch: int
    seq: Seq
    id: int
    sequence: Annotated[int, Field(description="the station's own number of the part, never reused, may skip")]
    uid: Annotated[str, Field(description="UUIDv7 of the inspection")]
    part: str
    batch: str
    order: str
    recipe: RecordRecipe
    model: RecordModel | None
    verdict: Result
    action: ActionName
    reasons: tuple[RecordReason, ...]
    defects: tuple[RecordDefect, ...]
    times: RecordTimes
    images: tuple[RecordImage, ...]
    plc: RecordPlc
    simulated: bool
    challenge: bool
    clock: str
    mode: Mode
    late: Annotated[Result | None, Field(description="what the model said after the deadline had rejected the part")]
    truth_good: Annotated[bool | None, Field(description="of a simulated part: was it good?")] = None
    supersedes: Annotated[int | None, Field(description="the record with this seq is void: its pass never left")] = None


class EventRecord(Message):
    """A fault, an operator's action, an audit digest, a challenge test."""

    schema_: Annotated[Literal["vi.event/1"], Field(alias="schema")] = "vi.event/1"
    station: str
    epoch: int
    seq: Seq
    kind: Annotated[str, Field(min_length=1, max_length=64)]
    at: Annotated[str, Field(description="RFC 3339, UTC")]
    data: dict[str, JsonValue]


_EITHER: TypeAdapter[ResultRecord | EventRecord] = TypeAdapter(
    Annotated[ResultRecord | EventRecord, Field(discriminator="schema_")]
)


def record_of(payload: bytes) -> ResultRecord | EventRecord:
    """Whichever of the two it is. Raises WireError."""
    try:
        return _EITHER.validate_json(payload)
    except ValidationError as problem:
        raise WireError(explain(problem)) from None


def result_record(
    inspection: Inspection,
    *,
    station: str,
    seq: int,
    supersedes: int | None = None,
    context: LineContext | None = None,
) -> ResultRecord:
    """Takes every inspection that the records can hold: it is written in the transaction of the part.

    supersedes: the seq of the record that this one makes void.
    """
    line = context or LineContext()
    trigger, verdict, recipe = inspection.trigger, inspection.verdict, inspection.verdict.recipe
    values: dict[str, Any] = {
        "schema": "vi.result/1",
        "station": station,
        "epoch": trigger.epoch,
        "seq": seq,
        "id": trigger.id,
        "sequence": trigger.sequence,
        "uid": str(inspection.uid),
        "part": clean(trigger.part_id),
        "batch": line.batch,
        "order": line.order,
        "recipe": {"name": clean(recipe.name), "rev": recipe.revision, "sha256": clean(recipe.sha256)},
        "model": _model(inspection),
        "verdict": verdict.result,
        "action": _ACTIONS[sent_action(inspection)],
        "reasons": tuple({"code": int(f.code), "text": clean(f.text)} for f in verdict.findings),
        "defects": tuple(_defects(inspection)),
        "times": _times(inspection),
        "images": tuple({"sha256": None, "uri": clean(path)} for path in inspection.images),
        "plc": {},
        "simulated": bool(inspection.simulated),
        "challenge": inspection.mode is Mode.CHALLENGE,
        "clock": line.clock,
        "mode": inspection.mode,
        "late": inspection.late,
        "truth_good": inspection.truth.good if inspection.truth is not None else None,
        "supersedes": supersedes,
    }
    # One call into pydantic's compiled part takes a fifth of the time of building each piece by itself.
    return ResultRecord.model_validate(values)


def event_record(
    kind: str, data: Mapping[str, Any], *, station: str, epoch: int, seq: int, at: datetime
) -> EventRecord:
    """Raises WireError where `data` is not plain JSON."""
    try:
        return EventRecord(station=station, epoch=epoch, seq=seq, kind=kind, at=rfc3339(at), data=dict(data))
    except ValidationError as problem:
        raise WireError(f"event {kind!r} cannot be written: {explain(problem)}") from None


def _model(inspection: Inspection) -> dict[str, Any] | None:
    ref = inspection.model
    if ref is None:
        return None
    return {name: clean(getattr(ref, name)) for name in ("name", "sha256", "backend", "precision")}


def _times(inspection: Inspection) -> dict[str, Any]:
    times, trigger = inspection.timings, inspection.trigger
    return {
        "trigger": rfc3339(trigger.at),
        "capture_ms": _rounded(times.frame_ms, 3),
        "infer_ms": _rounded(times.infer_ms, 3),
        "decide_ms": _rounded(times.decide_ms, 3),
        "verdict_ms": _rounded(times.verdict_ms, 3),
        "deadline_ms": round((trigger.deadline_ns - trigger.at_ns) / 1e6, 3),
    }


def _defects(inspection: Inspection) -> Iterator[dict[str, Any]]:
    found = [f for f in inspection.verdict.findings if f.code >= DEFECT_BASE]
    if not found:
        return
    names = {view.camera: view.detections.names for view in inspection.views if view.detections is not None}
    anyone = next(iter(names.values()), ())
    for finding in found:
        yield {
            "class": clean(reason_text(int(finding.code), names.get(finding.camera, anyone))),
            "code": int(finding.code),
            "camera": clean(finding.camera),
            "score": _rounded(finding.score, 4),
            "box_px": _box(finding),
            "rule": clean(finding.rule),
        }


def _box(finding: Finding) -> tuple[float, float, float, float] | None:
    if finding.box is None or not all(math.isfinite(v) for v in finding.box):
        return None
    x1, y1, x2, y2 = (round(float(v), 2) for v in finding.box)
    return x1, y1, x2, y2


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)
