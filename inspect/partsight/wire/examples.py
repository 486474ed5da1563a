"""One payload of each kind as the documents show it, made by the same types that the station uses."""

from __future__ import annotations

import json
from typing import Any

from partsight.domain.messages import Answer
from partsight.domain.status import Mode, StationState
from partsight.domain.verdict import Result
from partsight.wire.commands import Response
from partsight.wire.live import Heartbeat, TriggerAck, VerdictMessage
from partsight.wire.message import Message
from partsight.wire.plc import PlcAck, PlcReject, PlcState, PlcTrigger
from partsight.wire.records import (
    EventRecord,
    RecordDefect,
    RecordModel,
    RecordPlc,
    RecordReason,
    RecordRecipe,
    RecordTimes,
    ResultRecord,
)
from partsight.wire.station import SCHEMAS, Conn, Count, Info, InfoModel, InfoRecipe, RecipeMessage, State

_T = 1795488000123
_SHA = "3f2c" * 16
_HEAD: dict[str, Any] = {"v": 1, "rid": "r-17", "client": "mes"}


def examples() -> dict[str, Any]:
    """By the names of `json_schemas`."""
    return {
        **{name: json.loads(message.to_bytes()) for name, message in _messages().items()},
        "cmd-recipe": {**_HEAD, "name": "pcb@14"},
        **{f"cmd-{name}": _HEAD for name in ("start", "stop", "hold", "reset", "sync")},
        "cmd-trigger": {**_HEAD, "id": 48213, "p": "SN123", "enc": 1203344},
        "cmd-challenge": {**_HEAD, "bad": [True, False, True]},
        "cmd-replay": {**_HEAD, "from": 912_000, "to": 912_334},
        "cmd-time": {**_HEAD, "t": _T},
        "consumer-ack": 912_334,
    }


def _messages() -> dict[str, Message]:
    return {
        "conn": Conn(online=True, e=173, t=_T),
        "info": _info(),
        "state": State(
            e=173,
            st=StationState.RUNNING,
            packml=6,
            packml_name="EXECUTE",
            ready=1,
            err=0,
            err_txt="",
            recipe="pcb@14",
            model="pcb 3f2c3f2c3f2c",
            mode=Mode.PRODUCTION,
            since="2026-11-24T02:00:00.000Z",
            line_stop_req=0,
        ),
        "hb": Heartbeat(e=173, n=88123, rdy=1, packml=6, id=48213, t=_T),
        "verdict": VerdictMessage(e=173, id=48213, p="SN123", r=2, a=1, c=1001, enc=1203344, t=_T, dl=_T + 300),
        "trigack": TriggerAck(e=173, id=48213, st="latched"),
        "result": _result(),
        "event": EventRecord(
            station="line3-vision1",
            epoch=173,
            seq=912_335,
            kind="fault.raised",
            at="2026-11-24T02:00:01.000Z",
            data={"key": "camera.top", "text": "camera top is lost", "cure": "look at its cable"},
        ),
        "count": Count(
            e=173,
            triggers=1200,
            ok=1100,
            ng=90,
            review=4,
            invalid=5,
            in_flight=1,
            late=2,
            missed=0,
            frames_dropped=0,
            images_dropped=0,
            by_reason={200: 5, 600: 4, 1001: 90},
        ),
        "recipe": RecipeMessage(
            e=173, recipe="pcb@14", recipe_id=14, model="pcb 3f2c3f2c3f2c", backend="openvino", deadline_ms=300.0
        ),
        "rsp": Response(rid="r-17", ok=False, code=Answer.NOT_NOW, msg="the station is in ERROR: reset it first"),
        "plc-trig": PlcTrigger(id=48213, p="SN123", enc=1203344, t=_T),
        "plc-ack": PlcAck(id=48213),
        "plc-state": PlcState(speed_mm_s=250.0, batch="B77", order="4711"),
        "plc-reject": PlcReject(id=48213, cmd=1, conf=1, t=_T),
    }


def _info() -> Info:
    return Info(
        e=173,
        station="line3-vision1",
        software="partsight 1.0",
        schemas=SCHEMAS,
        cameras=("top",),
        model=InfoModel(name="pcb", sha256=_SHA, backend="openvino"),
        recipe="pcb@14",
        recipes=(InfoRecipe(name="pcb", rev=14, id=14, sha256=_SHA),),
        configuration_sha256=_SHA,
        deadline_ms=300.0,
        ack="required",
        t=_T,
    )


def _result() -> ResultRecord:
    # By the fields' aliases: that is what the schema shows.
    defect = RecordDefect.model_validate(
        {
            "class": "short",
            "code": 1001,
            "camera": "top",
            "score": 0.91,
            "box_px": (412.0, 88.0, 476.0, 108.0),
            "rule": "class",
        }
    )
    return ResultRecord(
        station="line3-vision1",
        epoch=173,
        seq=912_334,
        id=48213,
        sequence=1_482_113,
        uid="019ab3f0-1c00-7abc-8def-0123456789ab",
        part="SN123",
        batch="B77",
        order="4711",
        recipe=RecordRecipe(name="pcb", rev=14, sha256=_SHA),
        model=RecordModel(name="pcb", sha256=_SHA, backend="openvino", precision="float32"),
        verdict=Result.NG,
        action="REJECT",
        reasons=(RecordReason(code=1001, text="short 0.91"),),
        defects=(defect,),
        times=RecordTimes(
            trigger="2026-11-24T02:00:00.123Z",
            capture_ms=8.1,
            infer_ms=41.7,
            decide_ms=0.3,
            verdict_ms=52.6,
            deadline_ms=300.0,
        ),
        images=(),
        plc=RecordPlc(),
        simulated=False,
        challenge=False,
        clock="ntp",
        mode=Mode.PRODUCTION,
        late=None,
    )
